import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { FolderOptions } from "bunpie";
import { App, files, HttpError, InMemorySessionBackend, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { Folder } from "../support/folder.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head, readStatuses } from "../support/raw.ts";

const folder = new Folder();
const PUBLIC = folder.file("public");
/** Half a second past one, so that what is rounded shows. */
const CHANGED = new Date("2026-01-02T03:04:05.500Z");
const LAST_MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT";

const CONTENTS = {
  "hello.txt": "Hello, files!\n",
  "empty.txt": "",
  "page.html": "<h1>A page</h1>",
  "code.js": "export const one = 1;",
  "data.unknown-ending": "bytes",
  "a b%.txt": "a name to encode",
  "grüße.txt": "a name in UTF-8",
  "sub/index.html": "<h1>The folder's</h1>",
  "sub/deep/one.css": "body{}",
  "bare/only.txt": "no index here",
  ".env": "SECRET=1",
  ".git/config": "[core]",
  ".well-known/security.txt": "Contact: mailto:security@shop.test",
} as const;

fill();

function fill(): void {
  for (const [name, content] of Object.entries(CONTENTS)) {
    const path = join(PUBLIC, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, content);
    utimesSync(path, CHANGED, CHANGED);
  }
  writeFileSync(folder.file("secret.txt"), "outside");
  mkdirSync(folder.file("public-too"));
  writeFileSync(folder.file("public-too/secret.txt"), "beside");
  symlinkSync("../secret.txt", join(PUBLIC, "out.txt"));
  symlinkSync(folder.path, join(PUBLIC, "out"));
  symlinkSync("../public-too", join(PUBLIC, "beside"));
  symlinkSync("hello.txt", join(PUBLIC, "inside.txt"));
  symlinkSync("loop", join(PUBLIC, "loop"));
  Bun.spawnSync(["mkfifo", join(PUBLIC, "pipe")]);
}

afterAll(() => folder.remove());

class Site extends App<{ name: string }> {
  assets = files(PUBLIC);

  hello() {
    return `Hello, ${this.request.session.name ?? "stranger"}`;
  }
}

/** What a client sees of a response, as far as Bun's own folders agree on it. */
async function read(response: Response) {
  const { status, headers } = response;
  if (status === 404) return { status };
  const location = headers.get("location");
  const names = ["last-modified", "content-range", "accept-ranges"];
  const hasContent = status === 200 || status === 206;
  return {
    status,
    etag: headers.get("etag")?.startsWith('W/"'),
    headers: names.map((name) => (status === 304 || status === 412 ? null : headers.get(name))),
    type: hasContent ? headers.get("content-type") : null,
    length: hasContent ? headers.get("content-length") : null,
    location: location && new URL(location, "http://a.test/assets/sub").pathname,
    body: hasContent ? await response.text() : "",
  };
}

interface Validators {
  readonly etag: string;
}

type Scenario = [
  what: string,
  path: string,
  status: number,
  headers?: ((known: Validators) => Record<string, string>) | undefined,
  method?: string,
];

const range = (value: string) => () => ({ range: value });

const SCENARIOS: Scenario[] = [
  ["a text", "hello.txt", 200],
  ["HEAD", "hello.txt", 200, undefined, "HEAD"],
  ["HTML", "page.html", 200],
  ["JavaScript", "code.js", 200],
  ["an ending that nobody knows", "data.unknown-ending", 200],
  ["an empty file", "empty.txt", 200],
  ["HEAD of an empty file", "empty.txt", 200, undefined, "HEAD"],
  ["a name that is encoded", "a%20b%25.txt", 200],
  ["a name in UTF-8", "gr%C3%BC%C3%9Fe.txt", 200],
  ["a file in a folder", "sub/deep/one.css", 200],
  ["a folder with an index", "sub/", 200],
  ["a folder without its slash", "sub", 301],
  ["a folder without an index", "bare/", 404],
  ["a file that is missing", "missing.txt", 404],
  ["a file as a folder", "hello.txt/", 404],
  ["a file in a file", "hello.txt/more", 404],
  ["an empty segment", "sub//index.html", 404],
  ["a name that is too long", "x".repeat(300), 404],
  ["a link within the folder", "inside.txt", 200],
  ["a link in a circle", "loop", 404],
  ["the first bytes", "hello.txt", 206, range("bytes=0-3")],
  ["the bytes from one on", "hello.txt", 206, range("bytes=3-")],
  ["the last bytes", "hello.txt", 206, range("bytes=-3")],
  ["more bytes than there are", "hello.txt", 206, range("bytes=3-999")],
  ["all bytes", "hello.txt", 206, range("bytes=0-")],
  ["no byte that there is", "hello.txt", 416, range("bytes=50-60")],
  ["the last 0 bytes", "hello.txt", 416, range("bytes=-0")],
  ["several ranges", "hello.txt", 200, range("bytes=0-1,3-4")],
  ["a range that is reversed", "hello.txt", 200, range("bytes=5-2")],
  ["a range of another unit", "hello.txt", 200, range("lines=0-1")],
  ["a range that cannot be read", "hello.txt", 200, range("bytes=x")],
  [
    "a range if the date is right",
    "hello.txt",
    206,
    () => ({ range: "bytes=0-3", "if-range": LAST_MODIFIED }),
  ],
  [
    "a range if the weak tag is right",
    "hello.txt",
    200,
    ({ etag }) => ({ range: "bytes=0-3", "if-range": etag }),
  ],
  [
    "a range if a tag is right that is not",
    "hello.txt",
    200,
    () => ({ range: "bytes=0-3", "if-range": '"x"' }),
  ],
  ["the tag", "hello.txt", 304, ({ etag }) => ({ "if-none-match": etag })],
  ["the tag, to HEAD", "hello.txt", 304, ({ etag }) => ({ "if-none-match": etag }), "HEAD"],
  ["the tag as a strong one", "hello.txt", 304, ({ etag }) => ({ "if-none-match": etag.slice(2) })],
  ["the tag among others", "hello.txt", 304, ({ etag }) => ({ "if-none-match": `"x", ${etag}` })],
  ["any tag", "hello.txt", 304, () => ({ "if-none-match": "*" })],
  ["another tag", "hello.txt", 200, () => ({ "if-none-match": 'W/"x"' })],
  [
    "another tag and the date",
    "hello.txt",
    200,
    () => ({ "if-none-match": '"x"', "if-modified-since": LAST_MODIFIED }),
  ],
  [
    "the tag and a range",
    "hello.txt",
    304,
    ({ etag }) => ({ "if-none-match": etag, range: "bytes=0-3" }),
  ],
  ["the date", "hello.txt", 304, () => ({ "if-modified-since": LAST_MODIFIED })],
  [
    "an older date",
    "hello.txt",
    200,
    () => ({ "if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT" }),
  ],
  ["no date", "hello.txt", 200, () => ({ "if-modified-since": "yesterday" })],
  ["if a tag matches that does not", "hello.txt", 412, () => ({ "if-match": '"x"' })],
  ["if any tag matches", "hello.txt", 200, () => ({ "if-match": "*" })],
  [
    "if unchanged since before",
    "hello.txt",
    412,
    () => ({ "if-unmodified-since": "Thu, 01 Jan 2026 00:00:00 GMT" }),
  ],
  ["if unchanged since", "hello.txt", 200, () => ({ "if-unmodified-since": LAST_MODIFIED })],
];

function get(path: string, init?: RequestInit): Promise<Response> {
  return new TestClient(new Site()).send(path, init);
}

function ifModifiedSince(date: string): RequestInit {
  return { headers: { "if-modified-since": date } };
}

function guarded(guard: FolderOptions["guard"] & {}): App {
  class Guarded extends App {
    receipts = files(PUBLIC, { guard });
  }
  return new Guarded();
}

describe("files() answers as Bun's own static folder does, served and by fetch alike", () => {
  const app = new Site();
  const inner = new TestClient(app);
  const served = Bun.serve({ port: 0, fetch: app.fetch });
  const bun = Bun.serve({ port: 0, routes: { "/assets/*": { dir: PUBLIC } } });
  afterAll(() => Promise.all([served.stop(true), bun.stop(true)]));

  test.each(SCENARIOS.map((each) => [each[0], each] as const))("%s", async (_, scenario) => {
    const [, path, status, headers, method = "GET"] = scenario;
    const send = async (url: URL | undefined) => {
      const client = url === undefined ? inner : new TestClient(url);
      const etag = (await client.send("/assets/hello.txt")).headers.get("etag") ?? "";
      const init = { method, headers: headers?.({ etag }) ?? {} };
      return read(await client.send(`/assets/${path}`, init));
    };
    const [here, there, model] = await Promise.all([undefined, served.url, bun.url].map(send));
    expect(here).toMatchObject({ status });
    expect(here).toEqual(there);
    expect(there).toEqual(model);
  });
});

describe("a folder for everybody", () => {
  test.each([
    ["GET", undefined],
    ["HEAD", undefined],
    ["a range", { range: "bytes=0-3" }],
    ["an unsatisfiable range", { range: "bytes=99-" }],
    ["an unchanged file", { "if-none-match": "*" }],
    ["a condition that fails", { "if-match": '"x"' }],
  ] as [string, Record<string, string>?][])(
    "can be cached, and no type is guessed: %s",
    async (what, headers) => {
      const method = what === "HEAD" ? "HEAD" : "GET";
      const response = await get("/assets/hello.txt", { method, headers: headers ?? {} });
      expect(response.headers.get("cache-control")).toBe("public, max-age=0, must-revalidate");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.has("vary")).toBe(false);
    },
  );

  test.each(["2099", "2099-01-01", "01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 +0000"])(
    "ignores a date in another format than HTTP's: %s",
    async (date) => {
      expect((await get("/assets/hello.txt", ifModifiedSince(date))).status).toBe(200);
      const headers = { "if-unmodified-since": date.replace("2099", "1999") };
      expect((await get("/assets/hello.txt", { headers })).status).toBe(200);
    },
  );

  test.each([
    [LAST_MODIFIED, 304],
    ["Friday, 02-Jan-26 03:04:05 GMT", 304],
    ["Fri Jan  2 03:04:05 2026", 304],
    ["Fri Jan  2 03:04:04 2026", 200],
  ])("reads dates in HTTP's formats, in any time zone: %s", async (date, status) => {
    const { TZ } = process.env;
    try {
      for (const zone of ["Asia/Tokyo", "America/New_York"]) {
        process.env.TZ = zone;
        expect((await get("/assets/hello.txt", ifModifiedSince(date))).status).toBe(status);
      }
    } finally {
      if (TZ === undefined) delete process.env.TZ;
      else process.env.TZ = TZ;
    }
  });

  test("has the length and no content in an answer to HEAD, with or without a range", async () => {
    const headers = { range: "bytes=0-3" };
    const response = await get("/assets/hello.txt", { method: "HEAD", headers });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("14");
    expect(await response.text()).toBe("");
  });

  test("D4: reads no session for a file, and runs no middleware", async () => {
    const backend = new InMemorySessionBackend();
    let requests = 0;
    class Counting extends Site {
      override onRequest() {
        requests += 1;
      }

      login() {
        this.request.session.name = "Ann";
      }
    }
    const app = new Counting({ sessionBackend: backend });
    const around: string[] = [];
    app.use((request, next) => {
      around.push(request.path);
      return next();
    });
    const client = new TestClient(app);
    await client.send("/login");
    const before = app.sessions.stats();
    const response = await client.send("/assets/hello.txt");
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []]);
    expect(app.sessions.stats()).toEqual(before);
    expect([around, requests]).toEqual([["/login"], 2]);
  });

  test("lets other sites embed its files", async () => {
    const headers = { "sec-fetch-site": "cross-site", origin: "https://evil.test" };
    expect((await get("/assets/hello.txt", { headers })).status).toBe(200);
  });

  test("notices a change within the one-second resolution of Last-Modified", async () => {
    const path = join(PUBLIC, "changing.txt");
    const client = new TestClient(new Site());
    const tags = [];
    for (const milliseconds of [100, 900]) {
      writeFileSync(path, "same size");
      utimesSync(path, new Date(milliseconds), new Date(milliseconds));
      tags.push((await client.send("/assets/changing.txt")).headers.get("etag"));
    }
    expect(tags[0]).not.toBe(tags[1]);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH"])("answers %s with 405", async (method) => {
    const response = await get("/assets/hello.txt", { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });

  test("answers OPTIONS without a file", async () => {
    const response = await get("/assets/hello.txt", { method: "OPTIONS" });
    expect([response.status, await response.text()]).toEqual([204, ""]);
  });

  test("shows a missing file like any other missing page, with its session", async () => {
    class Own extends Site {
      login() {
        this.request.session.name = "Ann";
      }

      override onError(error: HttpError) {
        return `${error.status} for ${this.request.session.name}`;
      }
    }
    const app = new Own();
    const pages: unknown[] = [];
    app.use(async (request, next) => {
      const response = await next();
      pages.push([request.page, response.status]);
      return response;
    });
    const client = new TestClient(app);
    await client.send("/login");
    const response = await client.send("/assets/missing.txt");
    expect([response.status, await response.text()]).toEqual([404, "404 for Ann"]);
    expect(pages.at(-1)).toEqual([null, 404]);
  });

  test("passes on errors other than a missing file", () => {
    const request = new Request("http://localhost/assets/a");
    expect(() => files(PUBLIC).respond(request, ["a\0b"])).toThrow("null bytes");
  });

  test("reports a file that the program may not read, before anything is sent", async () => {
    using closed = new Folder();
    const script = join(import.meta.dir, "../fixtures/closed-file.ts");
    const child = Bun.spawnSync([process.execPath, script, closed.path]);
    expect(child.stdout.toString().split("\n")).toEqual(["500", "200", ""]);
    expect(child.stderr.toString()).toContain("EACCES");
  });

  test("redirects within the folder only, and keeps the query", async () => {
    const response = await get("/assets/sub?a=1");
    expect(response.headers.get("location")).toBe("./sub/?a=1");
    expect(response.headers.get("cache-control")).toBe("public, max-age=0, must-revalidate");
  });
});

describe("access to a folder", () => {
  const app = new Site();
  const served = Bun.serve({ port: 0, fetch: app.fetch });
  afterAll(() => served.stop(true));

  test.each([
    "../secret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "..%2fsecret.txt",
    "%252e%252e/secret.txt",
    "%252e%252e%252fsecret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "sub/../../secret.txt",
    "sub/%2e%2e/%2e%2e/secret.txt",
    "....//secret.txt",
    "..;/secret.txt",
    "%c0%ae%c0%ae/secret.txt",
    "%uff0e%uff0e/secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "../public-too/secret.txt",
    "hello.txt%00",
    "hello.txt%00.png",
    "../secret.txt%00.txt",
    "out.txt",
    "out/secret.txt",
    "out/public-too/secret.txt",
    "beside/secret.txt",
    "pipe",
    ".env",
    ".git/config",
    "%2eenv",
    ".git",
    "sub/../.env",
  ])("D3: refuses %s", async (path) => {
    const sent = await exchange(served.port ?? 0, head(`GET /assets/${path} HTTP/1.1`));
    expect(readStatuses(sent).every((status) => status === 400 || status === 404)).toBe(true);
    expect(sent).not.toMatch(/outside|beside|SECRET|core|root:/);
    const direct = await app.fetch(new Request(`http://localhost/assets/${path}`));
    expect([400, 404]).toContain(direct.status);
  });

  test("sends dotfiles if the option says so, and .well-known always", async () => {
    class Open extends App {
      assets = files(PUBLIC, { dotfiles: true });
    }
    expect(await new TestClient(new Open()).text("/assets/.env")).toBe("SECRET=1");
    const response = await new TestClient(app).text("/assets/.well-known/security.txt");
    expect(response).toStartWith("Contact");
  });

  test.each(["//evil.test/..", "//evil.test", "/\\evil.test/sub", "//sub"])(
    "redirects no browser to another host: %s",
    async (path) => {
      class Root extends App {
        index = files(PUBLIC);
      }
      const root = Bun.serve({ port: 0, fetch: new Root().fetch });
      const sent = await exchange(root.port ?? 0, head(`GET ${path} HTTP/1.1`));
      await root.stop(true);
      expect(sent).not.toMatch(/location:/i);
    },
  );
});

describe("a folder with a guard", () => {
  class Members extends App {
    receipts = files(PUBLIC, {
      guard: () => {
        this.requireLogin();
      },
    });

    async enter() {
      await this.request.session.login("ann");
    }
  }

  test("behaves like any page: the guard may require a login", async () => {
    const client = new TestClient(new Members());
    const refused = await client.send("/receipts/hello.txt");
    expect(refused.status).toBe(401);
    await client.send("/enter");
    expect(await client.text("/receipts/hello.txt")).toBe(CONTENTS["hello.txt"]);
  });

  test.each([
    ["a file", "hello.txt", undefined, 200],
    ["a range", "hello.txt", { range: "bytes=0-3" }, 206],
    ["an unchanged file", "hello.txt", { "if-none-match": "*" }, 304],
    ["a condition that fails", "hello.txt", { "if-match": '"x"' }, 412],
    ["a redirect", "sub", {}, 301],
  ])("D4: is private, whatever the guard read: %s", async (_, path, headers, status) => {
    const client = new TestClient(guarded(() => {}));
    const response = await client.send(`/receipts/${path}`, { headers: headers ?? {} });
    expect(response.status).toBe(status);
    expect(response.headers.get("cache-control")).toBe("private, no-cache");
    expect(response.headers.get("vary")).toBe("Cookie");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("asks the guard before it reveals whether a file exists", async () => {
    const client = new TestClient(guarded(() => new Response("no", { status: 403 })));
    for (const path of ["hello.txt", "missing.txt"]) {
      expect((await client.send(`/receipts/${path}`)).status).toBe(403);
    }
    const open = new TestClient(guarded(async () => {}));
    expect((await open.send("/receipts/missing.txt")).status).toBe(404);
  });

  test.each([false, true, undefined, "ann", null])(
    "accepts a guard that returns %p",
    async (value) => {
      using report = quiet("error");
      const client = new TestClient(guarded(() => value as undefined));
      const { status } = await client.send("/receipts/hello.txt");
      expect(status).toBe(value === undefined ? 200 : 500);
      expect(report).toHaveBeenCalledTimes(value === undefined ? 0 : 1);
    },
  );

  test("passes the guard the name of the file", async () => {
    const asked: unknown[] = [];
    const client = new TestClient(
      guarded((request) => void asked.push([request.page, request.params])),
    );
    await client.send("/receipts/sub/deep/one.css");
    expect(asked).toEqual([["/receipts/*", ["sub", "deep", "one.css"]]]);
  });

  test("sends a cookie with a file if the guard has changed the session", async () => {
    const app = guarded((request) => {
      request.session["seen"] = true;
    });
    const served = Bun.serve({ port: 0, fetch: app.fetch });
    const response = await new TestClient(served.url).send("/receipts/hello.txt");
    expect(response.headers.get("set-cookie")).toStartWith("session_id=");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toBe(CONTENTS["hello.txt"]);
    await served.stop(true);
  });
});

describe("a folder of files", () => {
  class Inner extends App {
    assets = files(PUBLIC, { cacheControl: "public, max-age=31536000, immutable" });

    link_to() {
      return this.link(this.assets, "sub", "deep", "a b.css");
    }
  }

  class Whole extends App {
    index = routes({
      "/": () => "the page",
      "/hello.txt": () => "a page of that name",
      "/fonts/*": files(join(PUBLIC, "sub")),
      "/*": files(PUBLIC),
    });

    constructor() {
      super();
      this.mount("/inner", new Inner());
    }

    code() {
      return "a method";
    }
  }

  const client = new TestClient(new Whole());

  test.each([
    ["/", "the page"],
    ["/hello.txt", "a page of that name"],
    ["/code", "a method"],
    ["/code.js", CONTENTS["code.js"]],
    ["/fonts/deep/one.css", CONTENTS["sub/deep/one.css"]],
    ["/inner/assets/hello.txt", CONTENTS["hello.txt"]],
    ["/inner/link_to", "/inner/assets/sub/deep/a%20b.css"],
  ])("%s", async (path, content) => {
    expect(await client.text(path)).toBe(content);
  });

  test("may be the root, with its index", async () => {
    class Root extends App {
      index = files(join(PUBLIC, "sub"));
    }
    expect(await new TestClient(new Root()).text("/")).toBe(CONTENTS["sub/index.html"]);
  });

  test("has the Cache-Control of its option", async () => {
    const { headers } = await client.send("/inner/assets/hello.txt");
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  });

  test.each([
    ["a missing folder", () => files("./nowhere"), "there is no folder"],
    ["a file", () => files(join(PUBLIC, "hello.txt")), "there is no folder"],
    ["a misspelt option", () => files(PUBLIC, { cachecontrol: "" } as object), "cacheControl"],
    [
      "a Cache-Control of two lines",
      () => files(PUBLIC, { cacheControl: "a\r\nb: c" }),
      "header's value",
    ],
    ["an empty Cache-Control", () => files(PUBLIC, { cacheControl: "" }), "header's value"],
    [
      "a guard with a public Cache-Control",
      () => files(PUBLIC, { cacheControl: "public", guard: () => {} }),
      "private",
    ],
  ])("is refused for %s", (_, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(TypeError);
  });

  test.each(["/", "/:id/*", "/:id?"])("is refused at %s", (pattern) => {
    class Wrong extends App {
      index = routes({ [pattern as "/x/*"]: files(PUBLIC) });
    }
    expect(() => new Wrong().fetch).toThrow('plain segments and "*"');
  });
});
