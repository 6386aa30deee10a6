// The same service as many have written it: a file for each session, read when a request begins, and
// written as a whole when it ends. The checker has to find it broken.
//
// bun naive.ts <port> <any> <folder>
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Data {
  nonce?: string;
  owner?: string;
  user?: string;
  count?: number;
  values?: Record<string, string>;
}

const [port = "", , folder = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

Bun.serve({
  port: Number(port),
  hostname: "127.0.0.1",
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const cookie = /session_id=([\w-]+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? null;
    const page = pathname.slice(1);
    const data = cookie === null ? {} : load(cookie);
    const seen = look(data);
    const isOpen = data.nonce !== undefined;
    const argument = (name: string): string => searchParams.get(name) ?? "";
    // What a handler waits for: a database, a mail.
    await Bun.sleep(1);
    switch (page) {
      case "begin":
      case "login":
        data.nonce ??= argument("value");
        data.owner ??= argument("device");
        if (page === "login") data.user = argument("account");
        return renew(cookie, data, { ...seen, kept: true, after: data.nonce });
      case "regenerate":
      case "renew":
        return isOpen ? renew(cookie, data, { ...seen, kept: true }) : Response.json(seen);
      case "logout":
        if (cookie !== null) remove(cookie);
        return Response.json(seen, { headers: { "set-cookie": "session_id=; Max-Age=0" } });
      case "everywhere":
      case "elsewhere":
        if (data.user === undefined) return Response.json({ ...seen, kept: false });
        revoke(data.user, page === "elsewhere" ? cookie : null);
        return Response.json({ ...seen, kept: true });
    }
    if (cookie === null || !isOpen) return Response.json({ ...seen, kept: false });
    if (page === "add") data.count = (data.count ?? 0) + 1;
    if (page === "set" || page === "write") {
      data.values = { ...data.values, [argument("key")]: argument("value") };
    }
    save(cookie, data);
    return Response.json({ ...seen, kept: true, counted: data.count });
  },
});
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit());
process.send?.("ready");

function renew(cookie: string | null, data: Data, answer: object): Response {
  const id = crypto.randomUUID();
  save(id, data);
  if (cookie !== null) remove(cookie);
  return Response.json(answer, { headers: { "set-cookie": `session_id=${id}; HttpOnly` } });
}

function look({ nonce = "", owner = "", user = "", count = 0, values = {} }: Data): object {
  return { nonce: nonce || null, owner: owner || null, user: user || null, count, values };
}

function load(id: string): Data {
  try {
    return JSON.parse(readFileSync(join(folder, id), "utf8")) as Data;
  } catch {
    return {};
  }
}

function save(id: string, data: Data): void {
  writeFileSync(join(folder, id), JSON.stringify(data));
}

function remove(id: string): void {
  rmSync(join(folder, id), { force: true });
}

function revoke(user: string, except: string | null): void {
  for (const id of readdirSync(folder)) {
    if (id !== except && load(id).user === user) remove(id);
  }
}
