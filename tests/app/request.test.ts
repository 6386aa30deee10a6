import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import type { AppOptions } from "bunpie";
import { App } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import type { Read } from "../support/probe.ts";
import { answer, multipart, post, Probe } from "../support/probe.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

const readLength: Read = async (request) => (await request.text()).length;
const readFields: Read = async (request) => [...(await request.form())];

const readQuery: Read = (request) => {
  request.query().delete("a");
  return [...request.query()];
};
const LIMIT = 1024 * 1024;
const FORM = "application/x-www-form-urlencoded";

function withLength(length: number): string {
  return head("POST /page HTTP/1.1", { "content-length": String(length) });
}

const CHUNKED = head("POST /page HTTP/1.1", { "transfer-encoding": "chunked" });

/** A body that comes in pieces, without a Content-Length. */
function inPieces(...pieces: readonly string[]): RequestInit {
  return post(
    new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(Buffer.from(piece));
        controller.close();
      },
    }),
  );
}

describe("AppRequest", () => {
  test("has the request's method, URL, path, segments and headers", async () => {
    const [, body] = await answer(
      ({ method, url, path, page, params, headers, raw }) => ({
        method,
        url,
        path,
        params,
        page,
        accept: headers.get("accept"),
        raw: raw instanceof Request && raw.url === url,
      }),
      "/deep/J%C3%BCrgen/2?a=b",
      { method: "PUT", headers: { accept: "text/css" } },
    );
    expect(JSON.parse(body)).toEqual({
      method: "PUT",
      url: "http://localhost:3000/deep/J%C3%BCrgen/2?a=b",
      path: "/deep/J%C3%BCrgen/2",
      page: "/deep/:name/:count",
      params: ["Jürgen", "2"],
      accept: "text/css",
      raw: true,
    });
  });

  test.each([
    ["/#a", "/", ""],
    ["/page#a?b=1", "/page", ""],
    ["/page?b=1#a", "/page", "1"],
  ])(
    "has no fragment in the path and query of %s, created in this process",
    async (url, path, b) => {
      class Echo extends App {
        index() {
          return this.page();
        }
        page() {
          return [this.request.path, this.request.query("b", "")];
        }
      }
      const response = await new Echo().fetch(new Request(`http://localhost:3000${url}`));
      expect(await response.json()).toEqual([path, b]);
    },
  );

  test('has a "#" that came over a connection in its path, as a proxy sees it', async () => {
    await using server = serve(new Probe(({ path }) => path));
    expect(await exchange(server.port, head("GET /page#a HTTP/1.1"))).toContain(" 404 ");
  });

  test.each([
    ["a malformed Host", head("GET /page?a=b HTTP/1.1", { host: "a b" })],
    ["a Host with a malformed port", head("GET /page?a=b HTTP/1.1", { host: "a:99999" })],
    ["an empty Host", head("GET /page?a=b HTTP/1.1", { host: "" })],
    ["no Host", "GET /page?a=b HTTP/1.0\r\n\r\n"],
  ])("has a URL that can be parsed for a request with %s", async (_, request) => {
    const app = new Probe(({ url }) => new URL("?c", url).href + new URL(url).search);
    await using server = serve(app);
    expect(await exchange(server.port, request)).toEndWith("\nhttp://localhost/page?c?a=b");
  });
});

describe("query", () => {
  test.each([
    ["/page?name=Ann", "Ann"],
    ["/page?name=Ann&name=Bob", "Ann"],
    ["/page?name=J%C3%BCrgen+X", "Jürgen X"],
    ["/page?other=1?name=Ann", "nobody"],
    ["/page??name=Ann", "nobody"],
    ["/page?name=", ""],
    ["/page", "nobody"],
    ["/page?", "nobody"],
  ])("returns the first value or the default: %s", async (path, value) => {
    expect(await answer((request) => request.query("name", "nobody"), path)).toEqual([200, value]);
  });

  test("returns undefined without a default", async () => {
    expect(await answer((request) => String(request.query("name")))).toEqual([200, "undefined"]);
  });

  test("returns a copy of all values if no name is passed", async () => {
    expect(await answer(readQuery, "/page?a=1&b=2&a=3")).toEqual([
      200,
      '[["a","1"],["b","2"],["a","3"]]',
    ]);
    expect(await answer(readQuery)).toEqual([200, "[]"]);
  });

  test("can be called twice", async () => {
    expect(
      await answer((request) => [request.query("a"), request.query("b")], "/page?a=1&b=2"),
    ).toEqual([200, '["1","2"]']);
  });
});

describe("cookies", () => {
  test("returns what the browser sent", async () => {
    const init = { headers: { cookie: "theme=dark; language=de" } };
    expect(await answer(({ cookies }) => cookies.get("theme"), "/page", init)).toEqual([
      200,
      "dark",
    ]);
  });

  test("is empty if the browser sent none", async () => {
    expect(await answer(({ cookies }) => cookies.size)).toEqual([200, "0"]);
  });

  test("sends nothing that was not set", async () => {
    const client = new TestClient(new Probe(({ cookies }) => cookies.get("theme")));
    client.cookies.set("theme", "dark");
    expect((await client.send("/page")).headers.getSetCookie()).toEqual([]);
  });

  test("sends what was set and what was deleted", async () => {
    const client = new TestClient(
      new Probe(({ cookies }) => {
        cookies.set("theme", "light", { secure: true });
        cookies.delete("language");
      }),
    );
    const response = await client.send("/page");
    expect(response.headers.getSetCookie()).toEqual([
      "theme=light; Path=/; Secure; SameSite=Lax",
      expect.stringMatching(/^language=; Path=\/; Expires=Thu, 01 Jan 1970 /),
    ]);
  });
});

describe("text", () => {
  test("returns the body", async () => {
    expect(await answer((request) => request.text(), "/page", post("Grüße"))).toEqual([
      200,
      "Grüße",
    ]);
  });

  test("returns the empty string for a request without a body", async () => {
    expect(await answer(async (request) => [await request.text()])).toEqual([200, '[""]']);
  });

  test("can be called again, and together with json()", async () => {
    expect(
      await answer(
        async (request) => [
          await request.json(),
          await Promise.all([request.text(), request.text()]),
        ],
        "/page",
        post("7"),
      ),
    ).toEqual([200, '[7,["7","7"]]']);
  });

  test("reports a raw body that was read before as the app's mistake", async () => {
    using error = quiet("error");
    expect(
      await answer(
        async (request) => [await request.raw.text(), await request.text()],
        "/page",
        post("a"),
      ),
    ).toEqual([500, "Something went wrong on this server."]);
    expect(String(error.mock.lastCall?.[2])).toContain(
      "The request's body has been read already, through `this.request.raw` or in onRequest.",
    );
  });
});

describe("bytes", () => {
  test("returns the body as it was sent", async () => {
    const sent = Bun.gzipSync("a");
    const init = { method: "POST", body: sent, headers: { "content-encoding": "gzip" } };
    expect(await answer(async (request) => [...(await request.bytes())], "/page", init)).toEqual([
      200,
      JSON.stringify([...sent]),
    ]);
  });

  test("returns no bytes for a request without a body", async () => {
    expect(await answer(async (request) => (await request.bytes()).length)).toEqual([200, "0"]);
  });
});

describe("a compressed body", () => {
  const reads: readonly (readonly [string, Read])[] = [
    ["text", (request) => request.text()],
    ["json", (request) => request.json()],
    ["form", (request) => request.form()],
  ];

  test.each(reads)("is answered with 415 for %s, and says what is accepted", async (_, read) => {
    for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a"]) {
      const headers = { "content-encoding": "gzip", "content-type": type };
      const init = { method: "POST", body: Bun.gzipSync("{}"), headers };
      const response = await new TestClient(new Probe(read)).send("/page", init);
      expect(response.status).toBe(415);
      expect(response.headers.get("accept-encoding")).toBe("identity");
    }
  });

  test("is not assumed if the header says identity", async () => {
    const init = { method: "POST", body: "{}", headers: { "content-encoding": "Identity" } };
    expect(await answer((request) => request.json(), "/page", init)).toEqual([200, "{}"]);
  });
});

describe("json", () => {
  test.each(['{"a":[1,null]}', '"text"', "null"])("returns the value of %s", async (text) => {
    expect(await answer(async (request) => [await request.json()], "/page", post(text))).toEqual([
      200,
      `[${text}]`,
    ]);
  });

  test.each(["", "{", "{'a': 1}", "undefined", "[1,]"])("answers %j with 400", async (text) => {
    expect(await answer((request) => request.json(), "/page", post(text))).toEqual([
      400,
      "The request's body is not valid JSON.",
    ]);
  });

  test("answers a body that is too large with 413, not 400", async () => {
    const init = post(" ".repeat(LIMIT + 1));
    expect((await answer((request) => request.json(), "/page", init))[0]).toBe(413);
  });
});

describe("form", () => {
  test.each([
    [
      "a form",
      post("name=Ann+Lee&name=Bob&empty="),
      '[["name","Ann Lee"],["name","Bob"],["empty",""]]',
    ],
    [
      "a form in UTF-8, whatever it claims",
      post("a=%C3%BC", `${FORM}; charset=utf-16le`),
      '[["a","ü"]]',
    ],
    ["a form with a charset", post("a=1", `${FORM.toUpperCase()} ; charset=utf-8`), '[["a","1"]]'],
    [
      "a multipart form, without its files",
      multipart(
        'name="a"\r\n\r\n1',
        'name="file"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nsecret',
        'name="__proto__"\r\n\r\n2',
      ),
      '[["a","1"],["__proto__","2"]]',
    ],
    ["no body", { method: "POST" }, "[]"],
  ])("returns the fields of %s", async (_, init, body) => {
    expect(await answer(readFields, "/page", init)).toEqual([200, body]);
  });

  test.each([
    ["another boundary", post("--edge--\r\n", "multipart/form-data; boundary=other")],
    ["no boundary", post("--edge--\r\n", "multipart/form-data")],
    [
      "a part cut short",
      post(
        '--edge\r\nContent-Disposition: form-data; name="a"',
        "multipart/form-data; boundary=edge",
      ),
    ],
  ])("answers a multipart form with %s with 400", async (_, init) => {
    expect(await answer(readFields, "/page", init)).toEqual([
      400,
      "The request's form is malformed.",
    ]);
  });

  test.each(["application/json", "text/plain"])("answers %s with 415", async (type) => {
    expect(await answer(readFields, "/page", post("{}", type))).toEqual([
      415,
      "This page expects a form.",
    ]);
  });

  test("answers a body without a type with 415", async () => {
    const init = { method: "POST", body: Buffer.from("a=1") };
    expect((await answer(readFields, "/page", init))[0]).toBe(415);
  });

  test.each([
    ["a field of more than the limit", multipart(`name="a"\r\n\r\n${"x".repeat(LIMIT)}`)],
    ["100,000 parts", multipart(...Array.from({ length: 100_000 }, () => 'name="a"\r\n\r\n1'))],
    ["100,000 pairs", post("name=value&".repeat(100_000))],
  ])("S9: answers %s with 413", async (_, init) => {
    expect((await answer(readFields, "/page", init))[0]).toBe(413);
  });

  const file = 'name="a"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\n1';
  const forms = [
    ["pairs", (count: number) => post(Array<string>(count).fill("a=1").join("&"))],
    ["parts", (count: number) => multipart(...Array<string>(count).fill('name="a"\r\n\r\n1'))],
    ["files", (count: number) => multipart(...Array<string>(count).fill(file))],
  ] as const;

  test.each(forms)("S9: accepts 1,000 %s, and no more", async (_, make) => {
    expect((await answer(readFields, "/page", make(1000)))[0]).toBe(200);
    expect(await answer(readFields, "/page", make(1001))).toEqual([
      413,
      "The request's form has more than 1000 fields.",
    ]);
  });
});

/** How an app with these options answers a request whose body it reads. */
async function status(init: RequestInit, options?: AppOptions): Promise<number> {
  return (await new TestClient(new Probe(readLength, options)).send("/page", init)).status;
}

describe("files and parts", () => {
  const init = multipart('name="a"\r\n\r\n1', 'name="f"; filename="x.txt"\r\n\r\nabc');

  test("accept limits", async () => {
    const limits = { maxFiles: 0 };
    expect((await answer((request) => request.files(limits), "/page", init))[0]).toBe(413);
    expect((await answer((request) => request.parts(limits).next(), "/page", init))[0]).toBe(413);
  });
});

describe("maxBodyBytes", () => {
  const small = { maxBodyBytes: 8 };

  test.each([
    ["a body of exactly that many bytes", post("12345678"), 200],
    ["a body of one byte more", post("123456789"), 413],
    ["a body of fewer characters but more bytes", post("äöüäö"), 413],
    ["chunks of exactly that many bytes", inPieces("1234", "5678"), 200],
    ["chunks of one byte more", inPieces("1234", "56789"), 413],
    [
      "no body but a Content-Length that says more",
      { method: "POST", headers: { "content-length": "9" } },
      413,
    ],
  ])("S9: applies to %s", async (_, init, expected) => {
    expect(await status(init, small)).toBe(expected);
  });

  test("S9: stops reading at the limit", async () => {
    let pulled = 0;
    const long = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.alloc(4));
        if (++pulled === 1_000) controller.close();
      },
    });
    expect(await status(post(long), small)).toBe(413);
    expect(pulled).toBeLessThan(8);
  });
});

describe("a body over a socket", () => {
  let app: Probe;
  let port: number;
  let error: ReturnType<typeof quiet>;
  /** The handler has begun to read. */
  let begun: PromiseWithResolvers<void>;
  /** What reading the body threw. */
  let failed: PromiseWithResolvers<unknown>;

  beforeEach(() => {
    error = quiet("error");
    begun = Promise.withResolvers();
    failed = Promise.withResolvers();
    const read: Read = async (request) => {
      const text = request.text();
      begun.resolve();
      text.catch(failed.resolve);
      return (await text).length;
    };
    app = new Probe(read, { maxBodyBytes: 8 });
    ({ port } = serve(app));
  });

  afterEach(async () => {
    await app.close();
    error[Symbol.dispose]();
  });

  test("is accepted up to the limit, with a Content-Length and in chunks", async () => {
    expect(await exchange(port, withLength(8), "12345678")).toEndWith("\r\n\r\n8");
    expect(await exchange(port, CHUNKED, "4\r\n1234\r\n", "4\r\n5678\r\n0\r\n\r\n")).toEndWith(
      "\r\n\r\n8",
    );
  });

  test("S9: is answered with 413 by its Content-Length, before a handler runs", async () => {
    expect(await exchange(port, withLength(9), "123456789")).toStartWith("HTTP/1.1 413");
    const init = { method: "POST", body: "123456789" };
    expect((await fetch(`http://localhost:${port}/page`, init)).status).toBe(413);
    expect(app.errors).toEqual([]);
  });

  test("S9: is answered with 413 in a chunk that comes at once", async () => {
    expect(await exchange(port, `${CHUNKED}9\r\n123456789\r\n0\r\n\r\n`)).toStartWith(
      "HTTP/1.1 413",
    );
    expect(error.mock.calls).toEqual([]);
  });

  test("S9: is answered with 413 in chunks that come later, without logging", async () => {
    const connection = await Connection.open(port);
    connection.send(CHUNKED);
    await begun.promise;
    connection.send("8\r\n12345678\r\n");
    connection.send("8\r\n12345678\r\n");
    expect((await connection.answer())?.status).toBe(413);
    connection.close();
    expect(await failed.promise).toMatchObject({
      status: 413,
      message: "The request's body is larger than 8 bytes.",
    });
    expect(error.mock.calls).toEqual([]);
  });

  test.each([
    ["in chunks", `${CHUNKED}4\r\n1234\r\n`],
    ["with a Content-Length", `${withLength(8)}1234`],
  ])("that breaks off %s is answered with 400, without logging", async (_, part) => {
    const connection = await Connection.open(port);
    connection.send(part);
    await begun.promise;
    connection.close();
    expect(await failed.promise).toMatchObject({
      status: 400,
      message: "The request's body is incomplete.",
    });
    expect(error.mock.calls).toEqual([]);
  });
});

describe("a body on a server of the app's own", () => {
  const apps: Probe[] = [];
  const limited = (): Probe => {
    const app = new Probe(readLength, { maxBodyBytes: 8 });
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  test.each(["with the server", "without the server"])(
    "S9: is answered with 413 beyond the limit, in chunks, if fetch() is called %s",
    async (how) => {
      const app = limited();
      await using server = Bun.serve({
        port: 0,
        fetch: (request, own) => app.fetch(request, how === "with the server" ? own : undefined),
      });
      // Without a last chunk: whoever waits for the body's end never answers.
      const part = CHUNKED + "1\r\nx\r\n".repeat(1_000);
      const connection = await Connection.open(server.port ?? 0);
      connection.send(part);
      expect((await connection.answer())?.status).toBe(413);
      connection.close();
    },
  );

  test("S9: is answered with 413 if the app replaces it by one longer than its Content-Length", async () => {
    const app = limited();
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.alloc(4));
        if (++pulled === 1_000) controller.close();
      },
    });
    await using server = Bun.serve({
      port: 0,
      fetch: (request, own) =>
        app.fetch(new Request(request, { method: "POST", body: endless }), own),
    });
    expect(await exchange(server.port ?? 0, withLength(1), "x")).toStartWith("HTTP/1.1 413");
    expect(pulled).toBeLessThan(8);
  });
});

describe("a body in chunks of one byte", () => {
  const text = "0123456789".repeat(30_000);
  const request = `${CHUNKED}${text.replaceAll(/./g, "1\r\n$&\r\n")}0\r\n\r\n`;

  /** The least CPU time that an exchange with this server takes, in microseconds, both ends included. */
  async function measure(port: number): Promise<number> {
    let least = Infinity;
    for (let round = 0; round < 5; round++) {
      const begun = process.cpuUsage();
      expect(await exchange(port, request)).toEndWith(text);
      const { user, system } = process.cpuUsage(begun);
      least = Math.min(least, user + system);
    }
    return least;
  }

  test("N1: arrives whole, and costs at most 3 times what Bun takes to read it", async () => {
    await using bare = Bun.serve({
      port: 0,
      fetch: async (raw) => new Response(await raw.bytes()),
    });
    await using server = serve(new Probe((raw) => raw.text()));
    const byBun = await measure(bare.port ?? 0);
    expect(await measure(server.port)).toBeLessThan(3 * byBun);
  });
});
