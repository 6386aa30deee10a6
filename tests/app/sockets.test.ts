import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "bun:test";
import { writeFileSync } from "node:fs";

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Routes, Socket } from "bunpie";
import { App, files, html, HttpError, InMemorySessionBackend, routes, status } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";
import { Connection } from "../support/connection.ts";
import { Folder } from "../support/folder.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, handshake, readStatuses } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

/** Accepts `{ n: number }`, and doubles it. */
const Doubled: StandardSchemaV1<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "object" &&
      value !== null &&
      typeof (value as { n?: unknown }).n === "number"
        ? { value: 2 * (value as { n: number }).n }
        : { issues: [{ message: "has to be a number.", path: ["n"] }] },
  },
};

interface Data {
  n: number;
}

class Site extends App<Data> {
  readonly reports: unknown[] = [];
  readonly log: unknown[] = [];
  reported = Promise.withResolvers<void>();
  ended = Promise.withResolvers<void>();
  gate = Promise.withResolvers<void>();
  begun = Promise.withResolvers<void>();
  sockets: Socket[] = [];

  index() {
    return "a page";
  }

  /** Also the page of a socket. */
  chat(room: string) {
    return `the page of ${room}`;
  }

  async ws_chat(socket: Socket, room: string) {
    await socket.accept();
    socket.subscribe(room);
    for await (const text of socket) socket.publish(room, { room, text });
    socket.unsubscribe(room);
  }

  async ws_others(socket: Socket) {
    await socket.accept();
    socket.subscribe("others");
    for await (const text of socket) socket.publish("others", text, { self: false });
  }

  async ws_echo(socket: Socket) {
    for await (const message of socket) await socket.send(message);
    this.log.push("the loop has ended");
    this.ended.resolve();
  }

  ws_index = async (socket: Socket) => {
    await socket.accept();
    await socket.send(`${this.request.path} ${this.request.page}`);
  };

  ws_files = routes({
    "/": async (socket: Socket) => {
      await socket.accept();
      await socket.send("all");
    },
    "/:id/*": async (socket: Socket, id: string, ...rest: string[]) => {
      await socket.accept();
      await socket.send([id, ...rest]);
    },
  });

  async ws_begin(socket: Socket) {
    const { session } = this.request;
    session.n = 1;
    this.request.cookies.set("theme", "dark");
    this.response.headers.set("x-from", "ws_begin");
    for await (const _ of socket) {
      await session.update((stored) => {
        stored.n = (stored.n ?? 0) + 1;
      });
      await socket.send(String(session.n));
    }
  }

  async ws_scratch(socket: Socket) {
    const { session } = this.request;
    session.n = 1;
    for await (const _ of socket) {
      session.n = 99;
      break;
    }
    this.ended.resolve();
  }

  async ws_late(socket: Socket) {
    await socket.accept();
    this.request.cookies.set("theme", "dark");
    for await (const _ of socket) break;
  }

  async ws_saved(socket: Socket) {
    const { session } = this.request;
    session.n = 1;
    this.request.cookies.set("theme", "dark");
    for await (const _ of socket) {
      session.n = 99;
      await session.save();
      break;
    }
  }

  async ws_login(socket: Socket) {
    this.request.session.login("ann");
    await socket.accept();
    for await (const message of socket) this.log.push(message);
    this.ended.resolve();
  }

  async ws_destroy(socket: Socket) {
    const { session } = this.request;
    for await (const _ of socket) {
      session.destroy();
      await session.save();
    }
    this.ended.resolve();
  }

  enter() {
    this.request.session.login("ann");
  }

  leave() {
    this.request.session.destroy();
  }

  read() {
    const { session } = this.request;
    return { n: session.n, user: session.meta.userId };
  }

  async ws_refuse(_socket: Socket) {
    throw new HttpError(402, "Pay first.");
  }

  async ws_redirect(_socket: Socket) {
    throw this.redirect("/", 303);
  }

  ws_teapot(_socket: Socket) {
    return status(418, "tea");
  }

  async ws_bug(_socket: Socket) {
    throw new Error("A bug.");
  }

  async ws_silent(_socket: Socket) {}

  async ws_early(socket: Socket) {
    await socket.send("too early");
  }

  async ws_fails(socket: Socket) {
    for await (const message of socket) throw new Error(`Failed at ${message}.`);
  }

  async ws_unheeded(socket: Socket) {
    void socket.accept();
    throw new Error("At once.");
  }

  async ws_doubled(socket: Socket) {
    for await (const value of socket.as(Doubled)) await socket.send(value);
    this.log.push("done");
    this.ended.resolve();
  }

  async ws_values(socket: Socket) {
    await socket.accept();
    await socket.send({ a: 1 });
    await socket.send(new Uint8Array([1, 2]));
    await socket.send(new Uint8Array([3]).buffer);
    await socket.send("");
    await socket.send(html`<b>${"&"}</b>`);
    try {
      await socket.send(new Map());
    } catch (error) {
      await socket.send((error as Error).message);
    }
    socket.close(4000, "That was all.");
    socket.close(4001, "Twice.");
    await socket.send("never");
    this.log.push("not reached");
  }

  /** Sends until the client has gone. */
  async ws_ticker(socket: Socket) {
    await socket.accept();
    try {
      for (;;) {
        await socket.send("x".repeat(65_536));
        this.log.push("sent");
        await new Promise(setImmediate);
      }
    } finally {
      this.ended.resolve();
    }
  }

  /** Sends without waiting. */
  async ws_flood(socket: Socket) {
    await socket.accept();
    for (let count = 0; count < 200; count++) void socket.send("x".repeat(65_536));
    for await (const _ of socket) this.log.push("never");
    this.ended.resolve();
  }

  /** Sends more at once than may wait for a client that is too slow. */
  async ws_large(socket: Socket) {
    await socket.accept();
    for (const count of LARGE) await socket.send(makeLarge(count));
    socket.close(4000, "That was all.");
  }

  async ws_closes(socket: Socket, code: string) {
    await socket.accept();
    socket.close(Number(code), "As it likes.");
  }

  async ws_signal(socket: Socket) {
    await socket.accept();
    this.begun.resolve();
    await new Promise((_, reject) => {
      socket.signal.addEventListener("abort", () => {
        this.ended.resolve();
        reject(socket.signal.reason as Error);
      });
    });
  }

  async ws_unread(socket: Socket) {
    await socket.accept();
    await this.gate.promise;
    for await (const message of socket) this.log.push(message);
    this.ended.resolve();
  }

  /** Takes its time for the first message. */
  async ws_slowly(socket: Socket) {
    for await (const message of socket) {
      this.begun.resolve();
      await this.gate.promise;
      this.log.push(String(message).length);
    }
    this.ended.resolve();
  }

  /** Takes its time to accept. */
  async ws_hesitant(socket: Socket) {
    this.begun.resolve();
    await this.gate.promise;
    for await (const message of socket) this.log.push(message);
  }

  async ws_protocols(socket: Socket) {
    const chosen: "v2" | "v1" | "" = await socket.accept({ protocols: ["v2", "v1"] });
    await socket.send([chosen, socket.protocol, socket.protocols]);
    for await (const _ of socket);
  }

  async ws_lateChoice(socket: Socket) {
    await socket.accept();
    await socket.accept({ protocols: ["v1"] });
  }

  async ws_keep(socket: Socket) {
    await socket.accept();
    this.sockets.push(socket);
    await socket.send("kept");
    for await (const _ of socket);
    this.ended.resolve();
  }

  async ws_other(socket: Socket) {
    await socket.accept();
    const [other] = this.sockets;
    await socket.send(await other?.send("from elsewhere"));
  }

  override onReport(error: unknown) {
    this.reports.push(error);
    this.reported.resolve();
  }
}

const LARGE = [1, 2, 3];

function makeLarge(count: number): Uint8Array {
  return new Uint8Array(24 * 1024 * 1024).fill(count);
}

let clock: FakeClock;
let site: Site;
let client: TestClient;

beforeEach(() => {
  clock = new FakeClock();
  site = new Site({ session: { now: clock.now, timeout: 60, watchInterval: 1 } });
  client = new TestClient(site);
});

afterEach(() => site.close());

describe("a socket's page", () => {
  test("receives the socket and the path's segments", async () => {
    await using socket = await client.socket("/chat/tea");
    socket.send("hello");
    expect(await socket.receiveJson()).toEqual({ room: "tea", text: "hello" });
  });

  test("may be a field, the index, or a pattern", async () => {
    await using index = await client.socket("/");
    expect(await index.receive()).toBe("/ /");
    await using all = await client.socket("/files");
    expect(await all.receive()).toBe("all");
    await using some = await client.socket("/files/7/a%20b/c");
    expect(await some.receiveJson()).toEqual(["7", "a b", "c"]);
  });

  test("shares its path with a page, and is linked to", async () => {
    expect(await client.text("/chat/tea")).toBe("the page of tea");
    expect(site.link(site.ws_chat, "tea")).toBe("/chat/tea");
    // @ts-expect-error A room is missing.
    expect(() => site.link(site.ws_chat)).toThrow();
    expect(site.link(site.ws_files, "/:id/*", 7, "a")).toBe("/files/7/a");
  });

  test("is listed among the routes", () => {
    using info = quiet("info");
    site.listen(0);
    expect(info.mock.calls.at(-1)?.[0]).toContain("  /chat/:1      WebSocket");
  });

  test("ends its socket when it returns", async () => {
    const socket = await client.socket("/");
    expect(await socket.closed).toEqual({ code: 1000, reason: "" });
  });

  test("continues when the client has closed the socket, but its loop ends", async () => {
    const socket = await client.socket("/echo");
    socket.send("a");
    socket.send(new Uint8Array([1]));
    expect(await socket.receive()).toBe("a");
    expect(await socket.receive()).toEqual(new Uint8Array([1]));
    expect(await socket.close(4000, "Bye.")).toEqual({ code: 4000, reason: "Bye." });
    await site.ended.promise;
    expect(site.log).toEqual(["the loop has ended"]);
    expect(site.reports).toEqual([]);
  });

  test("that fails closes its socket with 1011, and is reported", async () => {
    const socket = await client.socket("/fails");
    socket.send("one");
    expect(await socket.closed).toEqual({
      code: 1011,
      reason: "Something went wrong on this server.",
    });
    expect(site.reports).toEqual([new Error("Failed at one.")]);
  });

  test("that fails before the handshake has finished does the same", async () => {
    const socket = await client.socket("/unheeded");
    expect((await socket.closed).code).toBe(1011);
    expect(site.reports).toEqual([new Error("At once.")]);
  });
});

describe("a handshake", () => {
  test.each([
    ["an error", "/refuse", 402, "Pay first."],
    ["a response that is thrown", "/redirect", 303, ""],
    ["a response that is returned", "/teapot", 418, "tea"],
    ["a bug", "/bug", 500, "Something went wrong on this server."],
    [
      "to a page",
      "/files/7/a%2fb",
      400,
      'A segment of the path is ".", "..", or contains "/", "\\" or NUL.',
    ],
    ["to no page", "/nothing", 404, "Not Found"],
  ])("is refused by %s", async (_, path, code, text) => {
    const { response, closed } = await client.socket(path);
    expect([response.status, await response.text()]).toEqual([code, text]);
    expect((await closed).code).toBe(1006);
  });

  test("is refused if the page returns without accepting, which is reported", async () => {
    expect((await client.socket("/silent")).response.status).toBe(500);
    expect(String(site.reports)).toContain(
      "The socket page /silent returned without accepting the socket. Call `await socket.accept()`",
    );
  });

  test("is refused if the page uses the socket before accepting, which is reported", async () => {
    expect((await client.socket("/early")).response.status).toBe(500);
    expect(String(site.reports)).toContain(
      "The socket is not accepted yet. Call `await socket.accept()` first",
    );
  });

  test("to a page that is no socket page is a request like any other", async () => {
    const { response } = await client.socket("/read");
    expect(response.status).toBe((await client.send("/read")).status);
  });

  test("counts only if `Connection` names `Upgrade`", async () => {
    const { port } = serve(site);
    const text = handshake("/echo").replace(/connection: upgrade/i, "connection: keep-alive");
    expect(readStatuses(await exchange(port, text))).toEqual([426]);
  });

  test("is required by a socket page in a public folder, unless the folder has the file", async () => {
    using folder = new Folder();
    writeFileSync(folder.file("note"), "a file");
    class Around extends App {
      index = files(folder.path);

      ws_chat(socket: Socket, room: string) {
        return socket.send(room);
      }

      async ws_note(socket: Socket) {
        await socket.accept();
      }
    }
    const around = new TestClient(new Around());
    for (const method of ["GET", "HEAD", "POST"]) {
      const response = await around.send("/chat/tea", { method });
      expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"]);
    }
    expect((await around.send("/chat")).status).toBe(404);
    expect(await around.text("/note")).toBe("a file");
    await using socket = await around.socket("/note");
    expect(socket.response.status).toBe(101);
  });

  test.each([
    [["v1", "v2"], "v2", "v2"],
    [["v1"], "v1", "v1"],
    [[], "", undefined],
  ])("that offers the subprotocols %j agrees on %j", async (offered, chosen, sent) => {
    const socket = await client.socket("/protocols", { protocols: offered });
    expect(socket.response.headers.get("sec-websocket-protocol") ?? undefined).toBe(sent as string);
    expect(await socket.receiveJson()).toEqual([chosen, chosen, offered]);
    await socket.close();
  });

  test("that offers other subprotocols is answered with 400", async () => {
    const { response } = await client.socket("/protocols", { protocols: ["v0"] });
    expect([response.status, await response.text()]).toEqual([
      400,
      "None of the offered subprotocols is supported. This page supports v2, v1.",
    ]);
  });

  test("agrees on the first subprotocol if the page does not choose", async () => {
    const { port } = serve(site);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/keep`, ["a", "b"]);
    await new Promise((resolve) => socket.addEventListener("message", resolve));
    expect(socket.protocol).toBe("a");
    expect(site.sockets[0]?.protocol).toBe("a");
    socket.close();
    await site.ended.promise;
  });

  test("cannot choose a subprotocol once it is accepted, which is reported", async () => {
    await using socket = await client.socket("/lateChoice");
    expect((await socket.closed).code).toBe(1011);
    expect(String(site.reports)).toContain("The socket is already accepted");
  });

  test.each(["https://evil.example", "null", "http://127.0.0.1", "http://localhost:1"])(
    "X3: from the origin %s is refused",
    async (origin) => {
      const { response } = await client.socket("/echo", { headers: { origin } });
      expect(response.status).toBe(403);
    },
  );

  test.each([
    ["without a key", /(sec-websocket-key: ).*/, 400],
    ["of another version", /(sec-websocket-version: 1)3/, 426],
  ])("%s is refused and logged as such, and its page ends quietly", async (_, pattern, code) => {
    const logged: number[] = [];
    site = new Site({ log: (entry) => logged.push(entry.status) });
    const { port } = serve(site);
    const text = handshake("/keep").replace(pattern, "$1");
    expect(readStatuses(await exchange(port, text))).toEqual([code]);
    expect(logged).toEqual([code]);
    expect(site.sockets).toEqual([]);
    expect(site.reports).toEqual([]);
  });

  test("passes through middleware, which may refuse it", async () => {
    class Around extends Site {
      constructor() {
        super();
        this.use(async (request, next) => {
          const response = await next();
          this.log.push([request.page, response.status]);
          return request.query("refuse") === undefined ? response : status(403, "No.");
        });
      }
    }
    site = new Around();
    client = new TestClient(site);
    await using socket = await client.socket("/");
    expect(await socket.receive()).toBe("/ /");
    const { response } = await client.socket("/keep?refuse=1");
    expect([response.status, await response.text()]).toEqual([403, "No."]);
    expect(site.sockets).toEqual([]);
    expect(site.log).toEqual([
      ["/", 101],
      ["/keep", 101],
    ]);
    expect(site.reports).toEqual([]);
  });

  test("may be answered by another response with the status 101 and its headers", async () => {
    class Around extends Site {
      constructor() {
        super({ trustedOrigins: ["https://example.com"] });
        this.use(async (_, next) => {
          const { status: code } = await next();
          return new Response(null, { status: code, headers: { "x-around": "1" } });
        });
      }

      override onRequest(request: Request) {
        return new Request(request.url, { headers: request.headers });
      }
    }
    site = new Around();
    const headers = { origin: "https://example.com" };
    await using socket = await new TestClient(site).socket("/begin", { headers });
    expect(socket.response.status).toBe(101);
    expect(socket.response.headers.get("x-around")).toBe("1");
    expect(socket.response.headers.getSetCookie()).toHaveLength(2);
    socket.send("a");
    expect(await socket.receive()).toBe("2");
  });

  test("may lead to an app that is mounted, which handles its own errors", async () => {
    const outer = new App();
    site = new Site();
    outer.mount("/live", site);
    const visitor = new TestClient(outer);
    await using socket = await visitor.socket("/live/echo");
    socket.send("a");
    expect(await socket.receive()).toBe("a");
    expect((await visitor.socket("/live/bug")).response.status).toBe(500);
    expect(site.reports).toEqual([new Error("A bug.")]);
    expect(site.link(site.ws_chat, "tea")).toBe("/live/chat/tea");
    await outer.close();
  });

  test("without a server is answered with 501, and the report says what to do", async () => {
    const headers = { upgrade: "websocket", connection: "Upgrade" };
    const response = await client.send("/echo", { headers });
    expect(response.status).toBe(501);
    expect(await response.text()).toBe("This server has no WebSockets.");
    expect(String(site.reports)).toContain("pass app.websocket to Bun.serve");
  });

  test("of a request that the server does not know is answered with 501, which is reported", async () => {
    await using server = Bun.serve({
      port: 0,
      fetch: (request, it) => site.fetch(new Request(request), it),
      websocket: site.websocket,
    });
    const { response } = await new TestClient(server.url).socket("/echo");
    expect(response.status).toBe(501);
    expect(String(site.reports)).toContain("does not know the request");
  });

  test("on a server without the app's sockets is answered with 501, which is reported", async () => {
    await using server = Bun.serve({ port: 0, fetch: (request, it) => site.fetch(request, it) });
    const { response } = await new TestClient(server.url).socket("/keep");
    expect(response.status).toBe(501);
    expect(await response.text()).toBe("This server has no WebSockets.");
    expect(String(site.reports)).toContain("pass app.websocket to Bun.serve");
    expect(site.sockets).toEqual([]);
  });

  test("on a server with other sockets is answered with 400 for the app's, and leaves those alone", async () => {
    await using server = Bun.serve<unknown>({
      port: 0,
      fetch: (request, it) => {
        if (new URL(request.url).pathname === "/own") {
          return it.upgrade(request, { data: 1 }) ? undefined : new Response();
        }
        return site.fetch(request, it);
      },
      websocket: {
        ...site.websocket,
        message: (socket, message) => {
          if (socket.data === 1) socket.send("own");
          else void site.websocket.message?.(socket, message);
        },
      },
    });
    const other = new TestClient(server.url);
    await using own = await other.socket("/own");
    own.send("a");
    expect(await own.receive()).toBe("own");
    await using socket = await other.socket("/echo");
    socket.send("a");
    expect(await socket.receive()).toBe("a");
  });
});

describe("the session of a socket", () => {
  test("X5: may be new: its cookie is set by the 101, with the page's own cookies and headers", async () => {
    await using socket = await client.socket("/begin");
    const { headers } = socket.response;
    expect(headers.getSetCookie()).toHaveLength(2);
    expect(headers.get("x-from")).toBe("ws_begin");
    expect(client.cookies.get("theme")).toBe("dark");
    expect(await client.json("/read")).toEqual({ n: 1, user: null });
  });

  test("X5: may log in", async () => {
    await using _ = await client.socket("/login");
    expect(await client.json("/read")).toEqual({ user: "ann" });
  });

  test("X7: is written by update(), and shows what others have written", async () => {
    await using socket = await client.socket("/begin");
    await using second = await client.socket("/begin");
    socket.send("a");
    expect(await socket.receive()).toBe("2");
    second.send("a");
    expect(await second.receive()).toBe("3");
  });

  test("X7: is not written when the page ends, unless the page saves it", async () => {
    const socket = await client.socket("/scratch");
    socket.send("a");
    await site.ended.promise;
    await socket.close();
    expect(await client.json("/read")).toEqual({ n: 1, user: null });
  });

  test.each([
    [
      "an unsaved change",
      "/scratch",
      "The session was changed after the response's headers had been sent",
    ],
    ["a late cookie", "/late", "Cookies were set after the response's headers had been sent"],
  ])("reports %s when the page has ended, once", async (_, path, message) => {
    const socket = await client.socket(path);
    socket.send("a");
    await site.reported.promise;
    await socket.closed;
    expect(site.reports.map((error) => (error as Error).message.slice(0, message.length))).toEqual([
      message,
    ]);
  });

  test("reports nothing if the changes were saved and the cookies sent", async () => {
    const socket = await client.socket("/saved");
    socket.send("a");
    expect(await socket.closed).toEqual({ code: 1000, reason: "" });
    expect(site.reports).toEqual([]);
    expect(await client.json("/read")).toEqual({ n: 99, user: null });
  });

  test("is stored before the socket opens: a store that fails refuses the handshake", async () => {
    using _error = quiet("error");
    class Broken extends Site {
      constructor() {
        super({
          sessionBackend: {
            load: async () => undefined,
            save: async () => {
              throw new Error("The disk is full.");
            },
            delete: async () => undefined,
          } as never,
        });
      }
    }
    site = new Broken();
    const { response } = await new TestClient(site).socket("/begin");
    expect(response.status).toBe(503);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("affects only this socket if its store fails later", async () => {
    using _error = quiet("error");
    class Failing extends InMemorySessionBackend {
      isDown = false;

      override replace(...given: Parameters<InMemorySessionBackend["replace"]>) {
        if (this.isDown) throw new Error("The store is down.");
        return super.replace(...given);
      }
    }
    const store = new Failing();
    site = new Site({ sessionBackend: store });
    client = new TestClient(site);
    const socket = await client.socket("/begin");
    await using other = await client.socket("/echo");
    store.isDown = true;
    socket.send("a");
    expect((await socket.closed).code).toBe(1011);
    expect(String(site.reports)).toContain("SessionStoreError");
    other.send("still here");
    expect(await other.receive()).toBe("still here");
  });

  test.each<[string, string, () => unknown]>([
    ["destroyed", "destroyed", () => site.sessions.revokeAll("ann")],
    ["expired", "expired", () => clock.advance(60_000)],
  ])("X6: closes it with 4401 when the session is %s", async (_, reason, end) => {
    const socket = await client.socket("/login");
    await end();
    expect(await socket.closed).toEqual({
      code: 4401,
      reason: `The session has ended: ${reason}.`,
    });
    await site.ended.promise;
    expect(site.reports).toEqual([]);
  });

  test("X6: closes 1,000 of them", async () => {
    client = new TestClient(serve(site).url);
    await client.send("/enter");
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => client.socket("/echo")));
    await client.send("/leave");
    const ends = await Promise.all(sockets.map(({ closed }) => closed));
    expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([4401]));
    expect(site.log).toHaveLength(1_000);
  });

  test("X6: closes it with 4401 when its own page destroys it", async () => {
    await client.socket("/begin").then((socket) => socket.close());
    const socket = await client.socket("/destroy");
    socket.send("now");
    expect((await socket.closed).code).toBe(4401);
    await site.ended.promise;
  });
});

describe("what a socket sends", () => {
  test("is text or bytes unchanged, and JSON otherwise", async () => {
    const socket = await client.socket("/values");
    expect(await socket.receive()).toBe('{"a":1}');
    expect(await socket.receive()).toEqual(new Uint8Array([1, 2]));
    expect(await socket.receive()).toEqual(new Uint8Array([3]));
    expect(await socket.receive()).toBe("");
    expect(await socket.receive()).toBe("<b>&amp;</b>");
    expect(await socket.receive()).toBe(
      "A socket's page sent a Map, which JSON would lose. Return Object.fromEntries(map).",
    );
    expect(await socket.closed).toEqual({ code: 4000, reason: "That was all." });
    expect([site.log, site.reports]).toEqual([[], []]);
  });

  test("is published to all subscribers, also to the sender", async () => {
    await using ann = await client.socket("/chat/tea");
    await using ben = await client.socket("/chat/tea");
    await using carl = await client.socket("/chat/milk");
    ann.send("one");
    carl.send("two");
    const one = { room: "tea", text: "one" };
    expect([await ann.receiveJson(), await ben.receiveJson()]).toEqual([one, one]);
    expect(await carl.receiveJson()).toEqual({ room: "milk", text: "two" });
  });

  test("is published without the sender on request", async () => {
    await using ann = await client.socket("/others");
    await using ben = await client.socket("/others");
    ann.send("from ann");
    expect(await ben.receive()).toBe("from ann");
    ben.send("from ben");
    expect(await ann.receive()).toBe("from ben");
  });

  test("waits for a slow client, and throws when the client disappears, which ends the page", async () => {
    const reader = await slowClient("/ticker");
    const before = await stalled();
    expect(before).toBeGreaterThan(0);
    reader.close();
    await site.ended.promise;
    expect(site.reports).toEqual([]);
  });

  test("continues when a slow client reads again", async () => {
    const reader = await slowClient("/ticker");
    const before = await stalled();
    reader.resume();
    while (site.log.length < before + 50) await Bun.sleep(1);
    reader.close();
    await site.ended.promise;
  });

  test.each([
    [false, null],
    [true, "permessage-deflate"],
  ])(
    "arrives completely, however large, if the page waits; perMessageDeflate: %p",
    async (perMessageDeflate, extension) => {
      await using server = Bun.serve({
        port: 0,
        fetch: site.fetch,
        websocket: { ...site.websocket, perMessageDeflate },
      });
      const socket = await new TestClient(server.url).socket("/large");
      const extensions = socket.response.headers.get("sec-websocket-extensions");
      expect(extensions?.split(";")[0] ?? null).toBe(extension);
      for (const count of LARGE) {
        const message = await socket.receive();
        expect(Buffer.from(message as Uint8Array).equals(makeLarge(count))).toBe(true);
      }
      expect(await socket.closed).toEqual({ code: 4000, reason: "That was all." });
      expect(site.reports).toEqual([]);
    },
  );

  test("X8: disconnects a client that is too far behind, if the page does not wait", async () => {
    const reader = await slowClient("/flood");
    await site.ended.promise;
    expect([site.log, site.reports]).toEqual([[], []]);
    reader.close();
  });

  test("to another page's socket that is closed is `false`, and ends nothing", async () => {
    const kept = await client.socket("/keep");
    await kept.receive();
    await using first = await client.socket("/other");
    expect(await kept.receive()).toBe("from elsewhere");
    expect(await first.receive()).toBe("true");
    await kept.close();
    await site.ended.promise;
    await using second = await client.socket("/other");
    expect(await second.receive()).toBe("false");
    expect(site.reports).toEqual([]);
  });
});

describe("what a socket receives", () => {
  test("X8: is 64 KiB at most", async () => {
    const socket = await client.socket("/echo");
    socket.send("x".repeat(65_536));
    expect(String(await socket.receive())).toHaveLength(65_536);
    socket.send("x".repeat(65_537));
    expect((await socket.closed).code).not.toBe(1000);
  });

  test("may be larger if the app says so", async () => {
    site = new Site({ maxMessageBytes: 100_000 });
    await using socket = await new TestClient(site).socket("/echo");
    socket.send("x".repeat(100_000));
    expect(String(await socket.receive())).toHaveLength(100_000);
  });

  test("X8: is bounded if the page does not read", async () => {
    const socket = await client.socket("/unread");
    for (let count = 0; count < 100; count++) socket.send("x");
    expect(await socket.closed).toEqual({ code: 1013, reason: "The page does not read messages." });
    site.gate.resolve();
    await site.ended.promise;
    expect(site.log).toEqual([]);
  });

  test("X8: waits at the client if the page is slow, and arrives completely", async () => {
    const socket = await client.socket("/slowly");
    const size = 10_000;
    for (let count = 0; count < 500; count++) socket.send("x".repeat(size));
    await site.begun.promise;
    site.gate.resolve();
    while (site.log.length < 500) await Bun.sleep(1);
    expect(site.log).toEqual(Array.from({ length: 500 }, () => size));
    await socket.close();
    await site.ended.promise;
  });

  test("is the output of the schema", async () => {
    await using socket = await client.socket("/doubled");
    socket.send({ n: 4 });
    expect(await socket.receive()).toBe("8");
    socket.send(new TextEncoder().encode('{"n":5}'));
    expect(await socket.receive()).toBe("10");
  });

  test.each([
    ["{}", "n: has to be a number."],
    ["{", "The message is not JSON."],
  ])("closes the socket with 1007 if it does not fit the schema: %s", async (text, reason) => {
    const socket = await client.socket("/doubled");
    socket.send(text);
    expect(await socket.closed).toEqual({ code: 1007, reason });
    await site.ended.promise;
    expect([site.log, site.reports]).toEqual([["done"], []]);
  });
});

describe("the end of a socket", () => {
  test("aborts its signal, and what that ends is no failure", async () => {
    const socket = await client.socket("/signal");
    await site.begun.promise;
    socket.terminate();
    await site.ended.promise;
    await Bun.sleep(0);
    expect(site.reports).toEqual([]);
  });

  test.each([1000, 1003, 1007, 1014, 3000, 4999])(
    "has the code that its page gave: %d",
    async (code) => {
      const socket = await client.socket(`/closes/${code}`);
      expect(await socket.closed).toEqual({ code, reason: "As it likes." });
      expect(site.reports).toEqual([]);
    },
  );

  test.each([0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70_000, 1000.5, NaN])(
    "cannot have a code that no close frame may carry: %d",
    async (code) => {
      const socket = await client.socket(`/closes/${code}`);
      expect((await socket.closed).code).toBe(1011);
      expect(site.reports).toEqual([
        new RangeError(
          `A socket cannot be closed with the code ${code}. Use 1000, or one from 4000 to 4999, which are the app's own.`,
        ),
      ]);
    },
  );

  test("comes with the app's: 1001, at once", async () => {
    const socket = await client.socket("/echo");
    const closing = site.close();
    expect(await socket.closed).toEqual({ code: 1001, reason: "The server is shutting down." });
    await site.ended.promise;
    await closing;
  });

  test("comes for a socket that is opened while the app ends", async () => {
    const opening = client.socket("/hesitant");
    await site.begun.promise;
    const closing = site.close();
    site.gate.resolve();
    expect((await (await opening).closed).code).toBe(1001);
    await closing;
  });
});

/** An app with a field of this name. */
function withField(name: string, value: unknown): App {
  return Object.assign(new App(), { [name]: value });
}

/** A client that has a socket and reads nothing. */
async function slowClient(path: string): Promise<Connection> {
  const connection = await Connection.open(serve(site).port);
  connection.send(handshake(path));
  while (connection.received === "") await Bun.sleep(1);
  connection.pause();
  return connection;
}

/** How much the page has sent once it waits for its client. */
async function stalled(): Promise<number> {
  for (let before = -1; ; await Bun.sleep(50)) {
    if (site.log.length === before) return before;
    before = site.log.length;
  }
}

test("a page's name says that it is a socket page", () => {
  class Bare extends App {
    ws_bare() {}
  }
  expect(() => new Bare().fetch).toThrow(
    '"ws_bare" is a socket page without a parameter for the socket. Write ws_bare(socket: Socket, …).',
  );
  expect(() => withField("ws_a", { GET: () => "" }).fetch).toThrow(
    '"ws_a" is a socket page, and has to be a method, a function or routes({ … })',
  );
  expect(() => withField("ws_a", routes({ "/": { GET: () => "" } })).fetch).toThrow(
    'ws_a\'s "/" is a socket page, and has to be a function: (socket, …) => ….',
  );
});

/** Compiled, and never called. */
async function typed(socket: Socket) {
  expectTypeOf(await socket.accept()).toEqualTypeOf<string>();
  expectTypeOf(await socket.accept({ protocols: ["v2", "v1"] })).toEqualTypeOf<"v2" | "v1" | "">();
  // @ts-expect-error A subprotocol is a text.
  await socket.accept({ protocols: [2] });
  for await (const message of socket) {
    expectTypeOf(message).toEqualTypeOf<string | Uint8Array<ArrayBuffer>>();
  }
  for await (const message of socket.as(Doubled)) {
    expectTypeOf(message).toEqualTypeOf<number>();
  }
  // @ts-expect-error A type is no schema.
  socket.as(Number);
}

test("a socket's types follow from its schema, its subprotocols and its patterns", () => {
  expect(typed).toBeFunction();
  const rooms = routes({
    "/:room": (socket: Socket, room: string) => socket.close(4000, room),
    "/:room/:seat?": (socket: Socket, _room: string, seat?: string) => socket.close(4000, seat),
    "/files/*": (socket: Socket, ...path: string[]) => socket.close(4000, path.join("/")),
  });
  expectTypeOf(rooms).toEqualTypeOf<Routes<"/:room" | "/:room/:seat?" | "/files/*">>();
  routes({
    // @ts-expect-error A segment is a text.
    "/:room": (socket: Socket, room: number) => socket.send(room),
  });
  routes({
    // @ts-expect-error The pattern has one segment, and the function wants two.
    "/:room": (socket: Socket, room: string, seat: string) => socket.send(room + seat),
  });
});
