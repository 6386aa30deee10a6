import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { TestClient } from "../../src/testing/client.ts";
import { Folder } from "../support/folder.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { exchange, head, readStatuses } from "../support/raw.ts";

const EXAMPLES = join(import.meta.dir, "../../examples");
const folder = new Folder();
afterAll(() => folder.remove());

const start = (name: string): Promise<ServedApp> =>
  ServedApp.start(join(EXAMPLES, name), { cwd: folder.path, env: { PORT: "0" } });

/** A visitor of a server that runs one of the examples. */
const visit = async (server: ServedApp): Promise<TestClient> => new TestClient(await server.url());

/** A test of one of the examples, which is served for it alone. */
function testExample(
  name: string,
  what: string,
  check: (client: TestClient, server: ServedApp) => Promise<void>,
): void {
  test(`examples/${name} ${what}`, async () => {
    await using server = await start(name);
    await check(await visit(server), server);
  });
}

const ANN = { name: "ann", password: "flaky pastry" };
const BROWSER = { headers: { accept: "text/html" } };

const NAMES = ["plain-server.ts", "own-backend.ts", "document-backend.ts", "elysia.ts", "hono.ts"];

describe.each(NAMES)("examples/%s", (name) => {
  test("counts visits, and continues after a restart", async () => {
    await using before = await start(name);
    const client = new TestClient(before);
    await client.send("/");
    expect(await client.text("/")).toBe("You have visited 2 times.");
    expect(await before.stop()).toBe(0);

    await using after = await start(name);
    expect(await client.clone(after).text("/")).toBe("You have visited 3 times.");
  });
});

testExample(
  "plain-server.ts",
  "passes a handler the route's parameters beside the session",
  async (client) => {
    await client.send("/");
    expect(await (await client.send("/greet/Ann")).json()).toEqual({ hello: "Ann", visits: 1 });
    expect(await client.text("/health")).toBe("fine");
  },
);

test("examples/own-backend.ts forgets who logs out, also after a restart", async () => {
  await using before = await start("own-backend.ts");
  const client = new TestClient(before);
  await client.send("/");
  const copy = client.clone();
  await client.post("/logout");
  await before.stop();

  await using after = await start("own-backend.ts");
  expect(await copy.clone(after).text("/")).toBe("You have visited 1 times.");
});

testExample(
  "elysia.ts",
  "keeps a cart over a redirect, and refuses an unknown item",
  async (client) => {
    const added = await client.post("/cart", { item: "tea" });
    expect([added.status, added.headers.get("location")]).toEqual([303, "/cart"]);
    for (const item of ["", "a".repeat(40_000)])
      expect((await client.post("/cart", { item })).status).toBe(422);
    expect(await (await client.send("/cart")).json()).toEqual(["tea"]);
    const statuses: number[] = [];
    for (let item = 2; item <= 51; item++)
      statuses.push((await client.post("/cart", { item: `${item}` })).status);
    expect(statuses).toEqual([...Array<number>(49).fill(303), 409]);
    expect(await client.text("/health")).toBe("fine");
  },
);

testExample("hono.ts", "stores in the session how far a stream has come", async (client) => {
  await client.send("/");
  expect(await client.text("/import")).toBe("data: 50 %\n\ndata: 100 %\n\n");
  expect(await (await client.send("/progress")).json()).toBe(100);
  expect(await client.text("/health")).toBe("fine");
});

testExample("pastebin.ts", "shows a paste as text, whatever it contains", async (client) => {
  const saved = await client.post("/", { text: "<script>alert(1)</script>" });
  const path = saved.headers.get("location") ?? "";
  expect(path).toMatch(/^\/paste\/\w{8}$/);
  expect(await client.text(path)).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  const raw = await client.send(path.replace("paste", "raw"));
  expect(raw.headers.get("content-type")).toStartWith("text/plain");
  expect(await raw.text()).toBe("<script>alert(1)</script>");
  expect((await client.send("/paste/unknown")).status).toBe(404);
  expect((await client.post("/", { text: " " })).status).toBe(422);
});

const url = "https://bun.sh/docs";

testExample(
  "url-shortener.ts",
  "shortens through its page and its API, with the same links",
  async (client) => {
    const created = await client.postJson("/api/v1/links", { url });
    const { id } = (await created.json()) as { id: string };
    expect([created.status, created.headers.get("location")]).toEqual([201, `/api/v1/links/${id}`]);
    const followed = await client.send(`/${id}`);
    expect([followed.status, followed.headers.get("location")]).toEqual([302, url]);

    const page = await (await client.post("/", { url })).text();
    const short = /Short: (http\S+?)</.exec(page)?.[1] ?? "";
    expect((await client.send(new URL(short).pathname)).headers.get("location")).toBe(url);
    expect(Object.keys(await client.json("/api/v1/links"))).toHaveLength(2);

    await client.send(`/api/v1/links/${id}`, { method: "DELETE" });
    expect((await client.send(`/${id}`)).status).toBe(404);
  },
);

testExample("url-shortener.ts", "refuses anything but http URLs", async (client) => {
  const page = await client.post("/", { url: "javascript:alert(1)" });
  expect([page.status, await page.text()]).toEqual([
    422,
    expect.stringContaining("That is not a URL."),
  ]);
  expect((await client.postJson("/api/v1/links", { url: "nowhere" })).status).toBe(422);
});

testExample(
  "microblog.ts",
  "welcomes a member once, who then posts and logs out",
  async (client) => {
    const home = await client.follow(await client.post("/login", ANN));
    expect(await home.text()).toContain("Welcome, ann.");
    expect(await client.text("/")).not.toContain("Welcome");
    const posted = await client.follow(await client.post("/post", { text: "Hello <b>" }));
    expect(await posted.text()).toContain("Hello &lt;b&gt;");
    await client.post("/logout");
    expect((await client.post("/post", { text: "Me again" })).status).toBe(401);
  },
);

testExample("microblog.ts", "accepts its members' passwords after a restart", async (client) => {
  const wrong = await client.post("/login", { ...ANN, password: "soggy pastry" });
  expect(await wrong.text()).toContain("Wrong password.");
  expect(await client.text("/login")).not.toContain("soggy");
  expect((await client.post("/login", { name: "ben", password: "short" })).status).toBe(422);
  expect((await client.post("/login", ANN)).status).toBe(303);
});

testExample("microblog.ts", "refuses names that cannot be shown or stored", async (client) => {
  for (const name of ["", "a\0b", "a\nb", "\u202eann", "a".repeat(21)])
    expect((await client.post("/login", { ...ANN, name })).status).toBe(422);
});

testExample(
  "sse-chat.ts",
  "sends lines as they arrive, and those that a browser has missed",
  async (client) => {
    await client.post("/say", { text: "one" });
    const received: (string | undefined)[] = [];
    for await (const { data } of client.events("/lines")) {
      received.push(data);
      if (received.length === 1) await client.post("/say", { text: "two" });
      else break;
    }
    expect(received).toEqual(["one", "two"]);
    const missed = client.events("/lines", { headers: { "last-event-id": "0" } });
    expect((await missed.next()).value).toMatchObject({ id: "1", data: "two" });
    await missed.return();
  },
);

testExample(
  "sse-chat.ts",
  "begins with the first line for what is no id of an event",
  async (client) => {
    await client.post("/say", { text: "one" });
    for (const id of ["x", "-1000000000", ""]) {
      const lines = client.events("/lines", { headers: { "last-event-id": id } });
      expect([id, (await lines.next()).value]).toMatchObject([id, { id: "0", data: "one" }]);
      await lines.return();
    }
  },
);

testExample("socket-chat.ts", "sends a line to everybody in the room", async (ann, server) => {
  const ben = await visit(server);
  for (const [client, name] of [
    [ann, "Ann"],
    [ben, "Ben"],
  ] as const)
    await client.post("/", { name });
  const [first, second] = [await ann.socket("/room/tea"), await ben.socket("/room/tea")];
  first.send(JSON.stringify({ text: "Hello" }));
  for (const socket of [first, second])
    expect(await socket.receiveJson()).toEqual({ name: "Ann", text: "Hello" });
  second.send(JSON.stringify({ text: "" }));
  expect((await second.closed).code).toBe(1007);
  first.close();
});

testExample("socket-chat.ts", "accepts nobody without a name", async (client) => {
  expect((await client.socket("/room/tea")).response.status).toBe(403);
  expect((await client.send("/room/tea")).headers.get("location")).toBe("/");
  for (const name of ["", " ", "a".repeat(40_000)])
    expect((await client.post("/", { name })).status).toBe(422);
});

testExample("upload.ts", "writes a file to disk, and reports progress", async (client) => {
  const body = new FormData();
  body.append("file", new File([new Uint8Array(3_000_000)], "../film.mp4"));
  const id = "a-b-c";
  expect(await client.text(`/upload/${id}`, { method: "POST", body })).toBe(
    "film.mp4: 3000000 bytes",
  );
  expect(Bun.file(folder.file(`uploads/${id}-film.mp4`)).size).toBe(3_000_000);
  const progress = client.events(`/progress/${id}`);
  expect((await progress.next()).value).toMatchObject({ data: "0" });
  await progress.return();
});

testExample("upload.ts", "forgets the progress of an upload that it refused", async (client) => {
  const body = new FormData();
  for (const name of ["one", "two"]) body.append("file", new File(["pie"], name));
  expect((await client.send("/upload/two", { method: "POST", body })).status).toBe(413);
  const progress = client.events("/progress/two");
  expect((await progress.next()).value).toMatchObject({ data: "0" });
  await progress.return();
});

describe("examples/video.ts", () => {
  beforeAll(() => Bun.write(folder.file("videos/film.mp4"), "0123456789"));

  testExample("video.ts", "sends the range that a player requests", async (client) => {
    expect(await client.text("/")).toContain('src="/videos/film.mp4"');
    const part = await client.send("/videos/film.mp4", { headers: { range: "bytes=2-4" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
      206,
      "bytes 2-4/10",
      "234",
    ]);
    expect(part.headers.get("content-type")).toBe("video/mp4");
  });
});

testExample(
  "validation.ts",
  "shows the form again with its problems and the entered values",
  async (client) => {
    const refused = await client.post("/", { name: "Ann", guests: "9", vegetarian: "on" });
    const page = await refused.text();
    expect(refused.status).toBe(422);
    for (const shown of ["At most 8.", 'value="Ann"', 'value="9"', "checked"])
      expect(page).toContain(shown);
    const booked = await client.follow(await client.post("/", { name: "Ann", guests: "2" }));
    expect(await booked.text()).toBe("A table for 2 it is.");
  },
);

testExample("middleware.ts", "rolls back what a failed request has written", async (client) => {
  const done = await client.post("/transfer/ann/ben/300");
  expect([done.status, done.headers.get("server-timing")]).toEqual([
    204,
    expect.stringMatching(/^app;dur=\d+\.\d$/),
  ]);
  const failed = await client.post("/transfer/ann/ben/800");
  expect([failed.status, failed.headers.has("server-timing")]).toEqual([409, true]);
  for (const [from, to] of [
    ["ann", "zoe"],
    ["zoe", "ann"],
  ])
    expect((await client.post(`/transfer/${from}/${to}/1`)).status).toBe(404);
  expect(await client.json("/")).toEqual([
    { name: "ann", cents: 700 },
    { name: "ben", cents: 300 },
  ]);
});

testExample("jsx.tsx", "keeps each visitor's list", async (ann, server) => {
  const ben = await visit(server);
  await ann.follow(await ann.post("/", { title: "Buy <tea>" }));
  const page = await (await ann.follow(await ann.post("/toggle/0"))).text();
  expect(page).toStartWith("<!doctype html><html");
  expect(page).toContain("<s>Buy &lt;tea&gt;</s>");
  expect(await ben.text("/")).not.toContain("tea");
});

testExample("jsx.tsx", "keeps lists small enough for a session", async (client) => {
  const statuses: number[] = [(await client.post("/", { title: "a".repeat(81) })).status];
  for (let todo = 1; todo <= 51; todo++)
    statuses.push((await client.post("/", { title: "\x01".repeat(80) })).status);
  expect(statuses).toEqual([422, ...Array<number>(50).fill(303), 409]);
});

testExample("streaming.ts", "streams a page and a table, with their types", async (client) => {
  const page = await client.send("/");
  expect(page.headers.get("content-type")).toStartWith("text/html");
  expect((await page.text()).match(/Quarter \d: \d+/g)).toHaveLength(4);
  const csv = await client.send("/csv");
  expect(csv.headers.get("content-disposition")).toContain("sales.csv");
  const lines = (await csv.text()).trimEnd().split("\n");
  expect([lines.length, lines.at(-1)]).toEqual([100_001, "100000,0"]);
});

test("examples/background.ts sends the mail before the app ends", async () => {
  await using before = await start("background.ts");
  const client = await visit(before);
  const thanks = await client.post("/", { email: "ann@example.com" });
  expect(await thanks.text()).toContain("on its way");
  expect(await client.json("/sent")).toEqual([]);
  expect((await client.post("/", { email: "nobody" })).status).toBe(422);
  expect(await before.stop()).toBe(0);

  await using after = await start("background.ts");
  expect(await (await visit(after)).json("/sent")).toEqual([{ email: "ann@example.com" }]);
});

test("examples/clean-up.ts removes expired tokens at startup", async () => {
  await using before = await start("clean-up.ts");
  const { token } = (await (await (await visit(before)).post("/tokens")).json()) as {
    token: string;
  };
  expect(await (await visit(before)).json(`/tokens/${token}`)).toEqual({ valid: true });
  expect(await (await visit(before)).json("/tokens")).toEqual({ stored: 1 });
  expect(await before.stop()).toBe(0);
  new Database(folder.file("tokens.db")).run("UPDATE tokens SET expires_at = 0");

  await using after = await start("clean-up.ts");
  expect(await (await visit(after)).json("/tokens")).toEqual({ stored: 0 });
});

testExample(
  "errors.ts",
  "has pages for errors, and tells visitors nothing about bugs",
  async (client) => {
    const missing = await client.send("/room/9", BROWSER);
    expect([missing.status, await missing.text()]).toEqual([
      404,
      expect.stringContaining("There is no room 9."),
    ]);
    expect((await client.send("/teapot")).status).toBe(418);
    const broken = await client.send("/broken", BROWSER);
    const page = await broken.text();
    expect(broken.status).toBe(500);
    expect(page).toContain("Back to the entrance");
    expect(page).not.toContain("vase");
    const problem = await client.json("/room/9", { headers: { accept: "application/json" } });
    expect(problem).toEqual({ title: "There is no room 9.", status: 404 });
  },
);

testExample(
  "errors.ts",
  "reports a bug to a client whose Host is no valid URL",
  async (_client, server) => {
    const port = Number((await server.url()).port);
    const request = head("GET /broken HTTP/1.1", { host: "a b" });
    expect(readStatuses(await exchange(port, request))).toEqual([500]);
    await server.stop();
    expect(server.errors).toContain("error: The vase is broken.");
    expect(server.errors).not.toContain("Invalid URL");
  },
);

testExample("rest-api.ts", "creates, lists, changes and deletes", async (client) => {
  const created = await client.postJson("/todos", { title: " Buy tea " });
  expect([created.status, created.headers.get("location")]).toEqual([201, "/todos/1"]);
  const change = { method: "PATCH", body: JSON.stringify({ done: true }) };
  const changed = { id: 1, title: "Buy tea", done: true };
  expect(await client.json<object>("/todos/1", change)).toEqual(changed);
  await client.postJson("/todos", { title: "Drink tea" });
  expect(await client.json<object>("/todos?size=1")).toEqual([changed]);
  expect((await client.send("/todos/1", { method: "DELETE" })).status).toBe(204);
  expect((await client.send("/todos/1")).status).toBe(404);
  const refused = await client.postJson("/todos", { title: "" });
  expect([refused.status, (await client.send("/todos", { method: "PUT" })).status]).toEqual([
    422, 405,
  ]);
  expect((await client.send("/todos?page=0")).status).toBe(422);
});

describe("examples/README.md", () => {
  test("lists every example", async () => {
    const table = await Bun.file(join(EXAMPLES, "README.md")).text();
    const listed = [...table.matchAll(/^\| \[([^\]]+)\]/gm)].map(([, name]) => name);
    const files = new Bun.Glob("*.{ts,tsx}").scanSync(EXAMPLES);
    expect(listed.toSorted()).toEqual([...files, "shop"].toSorted());
  });
});
