import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { App } from "../../src/app/app.ts";
import { eventStream } from "../../src/app/event-stream.ts";
import type { Socket } from "../../src/app/socket.ts";
import type { Fetcher } from "../../src/testing/client.ts";
import { TestClient } from "../../src/testing/client.ts";
import { Folder } from "../support/folder.ts";

/** An app that answers with what it was sent, and sets the cookies that the query names. */
const echo = {
  async fetch(request: Request): Promise<Response> {
    const { method, url, headers } = request;
    const response = Response.json({
      method,
      url,
      cookie: headers.get("cookie"),
      type: headers.get("content-type"),
      body: await request.text(),
    });
    for (const line of new URL(url).searchParams.getAll("set")) {
      response.headers.append("set-cookie", line);
    }
    return response;
  },
};

/** The path under which `echo` sets these cookies. */
function setting(...lines: readonly string[]): string {
  return `/?${lines.map((line) => `set=${encodeURIComponent(line)}`).join("&")}`;
}

/** An app that redirects from path to path. */
function redirecting(to: Readonly<Record<string, readonly [status: number, to: string]>>) {
  const seen: string[] = [];
  return {
    seen,
    fetch({ method, url }: Request): Response {
      const { pathname, search } = new URL(url);
      seen.push(`${method} ${pathname}${search}`);
      const [status, location] = to[pathname] ?? [200];
      if (location === undefined) return new Response(`the page ${pathname}`);
      return new Response(null, { status, headers: { location } });
    },
  };
}

describe("TestClient", () => {
  test("sends back the cookies that it has received", async () => {
    const client = new TestClient(echo);
    expect(await client.json("/")).toMatchObject({ cookie: null });
    await client.send(setting("a=1; Path=/; HttpOnly", "b=x%20y=; Secure"));
    expect([...client.cookies]).toEqual([
      ["a", "1"],
      ["b", "x%20y="],
    ]);
    expect(await client.json("/deep/path")).toMatchObject({ cookie: "a=1; b=x%20y=" });
  });

  test.each([
    ["a=; Max-Age=0", []],
    ["a=; Max-Age=-1; Expires=Wed, 21 Oct 2065 07:28:00 GMT", []],
    ["a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", []],
    ["a=2", [["a", "2"]]],
    ["a=2; Max-Age=60", [["a", "2"]]],
    ["a=2; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", [["a", "2"]]],
    ["a=2; Expires=Wed, 21 Oct 2065 07:28:00 GMT", [["a", "2"]]],
  ] as [string, [string, string][]][])(
    "keeps a cookie's new value, and forgets one that the server removes: %s",
    async (line, left) => {
      const client = new TestClient(echo);
      await client.send(setting("a=1", "b=2"));
      await client.send(setting(line));
      expect([...client.cookies]).toEqual([...left, ["b", "2"]]);
    },
  );

  test("does not change a Cookie header that the test has set", async () => {
    const client = new TestClient(echo);
    client.cookies.set("a", "1");
    expect(await client.json("/", { headers: { cookie: "b=2" } })).toMatchObject({ cookie: "b=2" });
  });

  test("exposes the id of its session", async () => {
    const client = new TestClient(echo);
    expect(client.sessionId).toBeUndefined();
    await client.send(setting("session_id=abc"));
    expect(client.sessionId).toBe("abc");
  });

  test("shows the response if that is no JSON", async () => {
    const body = "<h1>Not Found</h1>".padEnd(300, ".");
    const client = new TestClient({ fetch: () => new Response(body, { status: 404 }) });
    await expect(client.json("/api")).rejects.toThrow(
      `The response to /api is not JSON: status 404, "${body.slice(0, 200)}".`,
    );
  });

  test.each([App, undefined, "localhost:3000"])("refuses %p, which has no pages", (target) => {
    expect(() => new TestClient(target as never)).toThrow(
      "TestClient takes an app, such as new Site(), or the URL of a server.",
    );
  });

  test("sends forms and JSON", async () => {
    const client = new TestClient(echo);
    expect(await (await client.post("/form", { name: "Ann & Ben" })).json()).toMatchObject({
      method: "POST",
      url: "http://localhost:3000/form",
      type: "application/x-www-form-urlencoded;charset=UTF-8",
      body: "name=Ann+%26+Ben",
    });
    expect(await (await client.postJson("/json", { name: "Ann" })).json()).toMatchObject({
      method: "POST",
      url: "http://localhost:3000/json",
      type: "application/json",
      body: '{"name":"Ann"}',
    });
  });

  test("is copied with its cookies, which are independent from then on", async () => {
    const client = new TestClient(echo);
    await client.send(setting("a=1"));
    const copy = client.clone();
    const elsewhere = client.clone({ fetch: () => new Response("elsewhere") });
    await copy.send(setting("a=2"));
    expect([...client.cookies]).toEqual([["a", "1"]]);
    expect([...elsewhere.cookies]).toEqual([["a", "1"]]);
    expect(await elsewhere.text("/")).toBe("elsewhere");
  });

  test.each([
    ["a URL", (server: Bun.Server<undefined>) => server.url],
    ["a URL as text", (server: Bun.Server<undefined>) => server.url.href],
    ["what Bun.serve returns", (server: Bun.Server<undefined>) => server],
  ])("talks to a server, given %s", async (_, target) => {
    await using server = Bun.serve({
      port: 0,
      routes: { "/route": new Response("a route") },
      fetch: (request) => echo.fetch(request),
    });
    const client = new TestClient(target(server));
    await client.send(setting("a=1"));
    const url = `http://localhost:${server.port}/page`;
    expect(await client.json("/page")).toMatchObject({ cookie: "a=1", url });
    expect(await client.text("/route")).toBe("a route");
    expect(await client.clone().json("/page")).toMatchObject({ cookie: "a=1", url });
  });

  test("calls a server without a port in this process", async () => {
    using folder = new Folder();
    await using server = Bun.serve({
      unix: join(folder.path, "socket"),
      fetch: (request) => echo.fetch(request),
    });
    const client = new TestClient(server);
    expect(await client.json("/page")).toMatchObject({ url: "http://localhost:3000/page" });
  });

  test("calls an app with a field `url` in this process", async () => {
    const client = new TestClient({ ...echo, url: new URL("http://localhost:1") } as Fetcher);
    expect(await client.json("/page")).toMatchObject({ url: "http://localhost:3000/page" });
  });
});

describe("TestClient, and redirects", () => {
  test("does not follow them by itself, even from a server", async () => {
    const app = redirecting({ "/": [302, "/page"] });
    await using server = Bun.serve({ port: 0, fetch: app.fetch });
    for (const target of [app, server.url]) {
      const response = await new TestClient(target).send("/");
      expect([response.status, response.headers.get("location")]).toEqual([302, "/page"]);
    }
    expect(app.seen).toEqual(["GET /", "GET /"]);
  });

  test("follows them on request, with the cookies that it receives on the way", async () => {
    const app = redirecting({
      "/login": [303, "account/?from=login"],
      "/account/": [302, "./orders"],
      "/account/orders": [301, "http://localhost:3000/page"],
    });
    const client = new TestClient(app);
    const page = await client.follow(await client.post("/login"));
    expect(await page.text()).toBe("the page /page");
    expect(app.seen).toEqual([
      "POST /login",
      "GET /account/?from=login",
      "GET /account/orders",
      "GET /page",
    ]);
  });

  test.each([
    ["a page", new Response("page")],
    ["a page with a Location", new Response("page", { headers: { location: "/elsewhere" } })],
    ["a redirect without a Location", new Response(null, { status: 302 })],
  ])("does not follow %s", async (_, response) => {
    const client = new TestClient({ fetch: () => response });
    expect(await client.follow(await client.send("/"))).toBe(response);
  });

  test("does not go to another site", async () => {
    const client = new TestClient(redirecting({ "/": [302, "https://example.com/page"] }));
    expect(client.follow(await client.send("/"))).rejects.toThrow(
      "The redirect leads to another site; this client follows redirects only within its own: https://example.com/page",
    );
  });

  test.each([307, 308])("does not submit a form again for a %d", async (status) => {
    const client = new TestClient(redirecting({ "/": [status, "/page"] }));
    expect(await (await client.follow(await client.send("/"))).text()).toBe("the page /page");
    expect(client.follow(await client.post("/"))).rejects.toThrow(
      `The redirect to http://localhost:3000/page has status ${status}, which requires sending the body again. Use send().`,
    );
  });

  test("stops at a circle of redirects", async () => {
    const app = redirecting({ "/": [302, "/"] });
    const client = new TestClient(app);
    expect(client.follow(await client.send("/"))).rejects.toThrow(
      "There are more than 20 redirects; the next one leads to http://localhost:3000/.",
    );
    expect(app.seen.length).toBeLessThan(25);
  });
});

/** An app with a socket and event streams. */
class Live extends App<{ n: number }> {
  page() {
    return "a page";
  }

  async ws_echo(socket: Socket) {
    this.request.session.n = 1;
    for await (const message of socket) {
      if (message === "close") socket.close(4000, "As you like.");
      else await socket.send(message);
    }
  }

  async ws_full(_socket: Socket) {
    return new Response("full", { status: 503, headers: { "set-cookie": "a=1" } });
  }

  events() {
    return eventStream(function* () {
      yield { retry: 10 };
      yield { id: 1, data: "one\ntwo" };
      yield { event: "named", data: { a: 1 } };
    });
  }
}

describe("TestClient.socket", () => {
  test("serves an app for the socket, and shares the cookies", async () => {
    const client = new TestClient(new Live());
    const socket = await client.socket("/echo");
    expect(socket.response.status).toBe(101);
    expect(client.sessionId).toBeDefined();
    socket.send("text");
    socket.send(new Uint8Array([1]));
    socket.send({ a: 1 });
    expect(await socket.receive()).toBe("text");
    expect(await socket.receive()).toEqual(new Uint8Array([1]));
    expect(await socket.receiveJson()).toEqual({ a: 1 });
    expect(await socket.close()).toEqual({ code: 1000, reason: "" });
    expect((await client.socket("/echo")).response.headers.getSetCookie()).toEqual([]);
  });

  test.each([
    ["a server's URL", (server: Bun.Server<unknown>) => server.url],
    ["what Bun.serve returns", (server: Bun.Server<unknown>) => server],
  ])("opens a socket at a server, given %s", async (_, target) => {
    const app = new Live();
    await using server = Bun.serve({ port: 0, fetch: app.fetch, websocket: app.websocket });
    const client = new TestClient(target(server));
    await using socket = await client.socket("/echo");
    socket.send("a");
    expect(await socket.receive()).toBe("a");
    expect(client.sessionId).toBeDefined();
  });

  test("has the response of a refused handshake, and keeps its cookies", async () => {
    const client = new TestClient(new Live());
    const socket = await client.socket("/full");
    expect(socket.response.status).toBe(503);
    expect(await socket.response.text()).toBe("full");
    expect([...client.cookies]).toEqual([["a", "1"]]);
    expect(await socket.closed).toEqual({ code: 1006, reason: "" });
    const refused = "The socket was refused with status 503; its `response` says why.";
    expect(() => socket.send("a")).toThrow(refused);
    await expect(socket.receive()).rejects.toThrow(refused);
    expect(await Array.fromAsync(socket)).toEqual([]);
    await socket.close();
  });

  test("yields the messages until the end, and says why it ended", async () => {
    const socket = await new TestClient(new Live()).socket("/echo");
    socket.send("a");
    socket.send("close");
    expect(await Array.fromAsync(socket)).toEqual(["a"]);
    await expect(socket.receive()).rejects.toThrow(
      'The socket was closed with 4000 "As you like.".',
    );
  });

  test("sends texts, bytes and JSON", async () => {
    const { response } = await new TestClient(new Live()).socket("/echo", {
      headers: { origin: "https://example.com" },
    });
    expect(response.status).toBe(403);
  });

  test("is refused by an app without sockets", async () => {
    const { response } = await new TestClient(echo).socket("/");
    expect(response.status).toBe(200);
  });

  test("fails if nothing answers", async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response() });
    const { url } = server;
    await server.stop(true);
    await expect(new TestClient(url).socket("/")).rejects.toThrow("Nothing answers at ws:");
  });

  test("does not keep the process alive", async () => {
    const path = `${import.meta.dir}/../../src`;
    const code = `
      import { App } from "${path}/index.ts";
      import { TestClient } from "${path}/testing.ts";
      class Site extends App { async ws_a(socket) { await socket.accept(); } }
      await (await new TestClient(new Site()).socket("/a")).closed;`;
    const child = Bun.spawn([process.execPath, "-e", code]);
    expect(await child.exited).toBe(0);
  });
});

describe("TestClient.events", () => {
  test("reads events as browsers do", async () => {
    const client = new TestClient(new Live());
    expect(await Array.fromAsync(client.events("/events"))).toEqual([
      { event: "message", data: "one\ntwo", id: "1" },
      { event: "named", data: '{"a":1}', id: "1" },
    ]);
  });

  test.each([
    ["with CRLF", ["data: 1\r\nid: a\r\n\r\ndata: 2\r\n\r\n"]],
    ["with CR", ["data: 1\rid: a\r\rdata: 2\r\r"]],
    ["with all kinds of line breaks", ["data: 1\nid: a\r\n\rdata: 2\n\r\n"]],
    ["in pieces", ["data: 1\r", "\nid: a\r", "", "\n\r", "\nda", "ta: 2\n", "\ndata: 3\n"]],
    ["that names an event nothing", ["event:\ndata: 1\nid: a\n\nevent\ndata:2\n\n"]],
    ["with an id that has NUL", ["id: a\ndata: 1\n\nid: b\0\ndata: 2\n\n"]],
    ["with comments and unknown fields", [":\n\n: x\ndata: 1\nid: a\nx: y\n\n\n\ndata: 2\n\n"]],
  ])("reads a stream %s", async (_, pieces) => {
    const body = new ReadableStream<Uint8Array>({
      start(stream) {
        for (const piece of pieces) stream.enqueue(new TextEncoder().encode(piece));
        stream.close();
      },
    });
    const client = new TestClient({
      fetch: () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
    });
    expect(await Array.fromAsync(client.events("/"))).toEqual([
      { event: "message", data: "1", id: "a" },
      { event: "message", data: "2", id: "a" },
    ]);
  });

  test("yields an event as soon as its second CR has arrived", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const client = new TestClient({
      fetch: () => new Response(readable, { headers: { "content-type": "text/event-stream" } }),
    });
    const events = client.events("/");
    const writer = writable.getWriter();
    void writer.write(new TextEncoder().encode("data: 1\r\r"));
    expect((await events.next()).value).toEqual({ event: "message", data: "1", id: "" });
    await events.return();
  });

  test("refuses what is no event stream", async () => {
    await expect(new TestClient(new Live()).events("/page").next()).rejects.toThrow(
      "/page is not an event stream: status 200, text/plain;charset=utf-8.",
    );
    const empty = new TestClient({ fetch: () => new Response(null, { status: 204 }) });
    await expect(empty.events("/").next()).rejects.toThrow(
      "/ is not an event stream: status 204, no Content-Type.",
    );
  });
});
