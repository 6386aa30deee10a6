import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { multipart, post } from "../support/probe.ts";
import type { Place, Way } from "./ways.ts";
import { WAYS } from "./ways.ts";

/** What is the same however an app is served: what is asked, and what comes. */
type Scenario = (place: Place, way: Way) => Promise<void>;

/** Status, body, and the headers that are named. */
async function show(response: Response, ...names: readonly string[]): Promise<unknown[]> {
  const headers = names.map((name) => response.headers.get(name));
  return [response.status, await response.text(), ...headers];
}

/** One request of somebody who has not been here before. */
function ask(place: Place, path: string, init?: RequestInit): Promise<Response> {
  return place.client().send(path, init);
}

const BROWSER = { headers: { accept: "text/html" } };
const PROGRAM = { headers: { accept: "application/json" } };
const FILE = 'name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n';
const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "pages of every kind": async (place) => {
    expect(await show(await ask(place, "/"), "content-type")).toEqual([
      200,
      "<h1>&lt;home&gt;</h1>",
      "text/html;charset=utf-8",
    ]);
    expect(await show(await ask(place, "/greet/Gr%C3%BC%C3%9Fe?x=1"), "content-type")).toEqual([
      200,
      "Hello, Grüße",
      "text/plain;charset=utf-8",
    ]);
    expect(await show(await ask(place, "/nothing"), "content-type")).toEqual([204, "", null]);
    expect(await show(await ask(place, "/file"))).toEqual([200, "Hello from a file\n"]);
    expect(await show(await ask(place, "/missing"))).toEqual([404, "Not Found"]);
  },

  "patterns and verbs": async (place) => {
    expect(await show(await ask(place, "/items"))).toEqual([200, "[]"]);
    const made = await ask(place, "/items", { method: "POST" });
    expect(await show(made, "location")).toEqual([201, '{"id":1}', "/items/1"]);
    expect(await show(await ask(place, "/items/7"))).toEqual([200, '{"id":"7"}']);
    const gone = await ask(place, "/items/7", { method: "DELETE" });
    expect(await show(gone)).toEqual([200, "7 is gone"]);
    const deep = await ask(place, "/items/7/files/a/b%20c");
    expect(await deep.json()).toEqual({ id: "7", path: ["a", "b c"] });
  },

  "404, 405, 400 and OPTIONS": async (place) => {
    for (const path of ["/none", "/greet", "/greet/a/b", "/_release", "/onStart", "/x//greet/a"]) {
      expect(await show(await ask(place, path))).toEqual([404, "Not Found"]);
    }
    const put = await ask(place, "/items/7", { method: "PUT" });
    expect(await show(put, "allow")).toEqual([
      405,
      "PUT is not allowed here.",
      "GET, HEAD, DELETE, OPTIONS",
    ]);
    expect((await ask(place, "/greet/a%2Fb")).status).toBe(400);
    const options = await ask(place, "/echo", { method: "OPTIONS" });
    expect(await show(options, "allow")).toEqual([204, "", "POST, OPTIONS"]);
  },

  "errors as text, page and problem": async (place) => {
    const text = await ask(place, "/refuse");
    expect(await show(text, "content-type", "x-price")).toEqual([
      402,
      "Pay first.",
      "text/plain;charset=utf-8",
      "3",
    ]);
    const page = await ask(place, "/refuse", BROWSER);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      402,
      "text/html;charset=utf-8",
    ]);
    expect(await page.text()).toContain("<h1>Pay first.</h1>");
    const problem = await ask(place, "/refuse", PROGRAM);
    expect(problem.headers.get("content-type")).toBe("application/problem+json");
    expect(await problem.json()).toEqual({ title: "Pay first.", status: 402 });
  },

  "a bug, which only the log tells of": async (place) => {
    const client = place.client();
    const before = place.errors;
    expect(await show(await client.send("/bug"))).toEqual([
      500,
      "Something went wrong on this server.",
    ]);
    expect(client.sessionId).toBeUndefined();
    // What another process writes arrives in its own time.
    while (!place.errors.slice(before.length).includes("A bug.")) await Bun.sleep(1);
    expect(place.errors).toContain("/bug");
  },

  "answers that are thrown, and redirects": async (place) => {
    expect(await show(await ask(place, "/teapot"))).toEqual([418, "tea"]);
    const client = place.client();
    const left = await client.send("/leave");
    expect(await show(left, "location")).toEqual([303, "", "/greet/Ann"]);
    expect(await (await client.follow(left)).text()).toBe("Hello, Ann");
    expect(await show(await client.send("/flee"), "location")).toEqual([
      302,
      "",
      "/gr%C3%BC%C3%9Fe",
    ]);
  },

  "cookies, headers and the session": async (place) => {
    const client = place.client();
    const first = await client.send("/theme");
    expect(await show(first, "x-draft", "x-content-type-options")).toEqual([
      200,
      '{"was":"dark"}',
      "yes",
      "nosniff",
    ]);
    expect(client.cookies.get("theme")).toBe("dark");
    const counted = await client.send("/count");
    expect(await show(counted, "cache-control", "vary")).toEqual([200, "1", "no-store", "Cookie"]);
    expect(await client.text("/count")).toBe("2");
    expect(await client.text("/count", { method: "POST" })).toBe("3");
    const { sessionId } = client;
    await client.send("/login");
    expect(client.sessionId).not.toBe(sessionId);
    expect(await client.text("/count")).toBe("4");
    await client.send("/logout");
    expect(client.sessionId).toBeUndefined();
    const foreign = { method: "POST", headers: { "sec-fetch-site": "cross-site" } };
    expect((await client.send("/count", foreign)).status).toBe(403);
  },

  HEAD: async (place, { hasNetwork }) => {
    for (const [path, type] of [
      ["/greet/a", "text/plain;charset=utf-8"],
      ["/items/7", "application/json;charset=utf-8"],
    ] as const) {
      const response = await ask(place, path, { method: "HEAD" });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
      // Without a network nobody leaves the body out.
      if (hasNetwork) expect(await response.text()).toBe("");
    }
    expect((await ask(place, "/none", { method: "HEAD" })).status).toBe(404);
    expect((await ask(place, "/echo", { method: "HEAD" })).status).toBe(405);
    const stream = await ask(place, "/stream", { method: "HEAD" });
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
  },

  "bodies, up to the limits and beyond": async (place) => {
    const send = async (path: string, init: RequestInit): Promise<unknown[]> =>
      show(await ask(place, path, init));
    const text = "x".repeat(4096);
    expect(await send("/echo", post(text))).toEqual([200, text]);
    expect(await send("/form", post("a=1&b=%C3%BC"))).toEqual([200, '{"a":"1","b":"ü"}']);
    const tooLarge = [413, "The request's body is larger than 4096 bytes."];
    expect(await send("/echo", post(`${text}x`))).toEqual(tooLarge);
    const piecemeal = new ReadableStream({
      start(stream) {
        stream.enqueue(new TextEncoder().encode(text));
        stream.enqueue(new TextEncoder().encode("x"));
        stream.close();
      },
    });
    expect(await send("/echo", post(piecemeal))).toEqual(tooLarge);
    expect((await ask(place, "/form", post("{}", "application/json"))).status).toBe(415);
  },

  "uploads, up to the limits and beyond": async (place) => {
    const file = multipart(`${FILE}${"x".repeat(60_000)}`);
    expect(await show(await ask(place, "/files", file))).toEqual([
      200,
      '[{"name":"a.txt","size":60000}]',
    ]);
    expect(await show(await ask(place, "/parts", file))).toEqual([200, '{"size":60000}']);
    const larger = multipart(`${FILE}${"x".repeat(70_000)}`);
    for (const path of ["/files", "/parts"]) {
      expect((await ask(place, path, larger)).status).toBe(413);
    }
    expect((await ask(place, "/files", post("a=1"))).status).toBe(415);
  },

  "streams, whose session is stored first": async (place) => {
    const client = place.client();
    const response = await client.send("/stream");
    expect(client.sessionId).toBeDefined();
    expect(await show(response, "content-type")).toEqual([
      200,
      "one, two, <b>/stream</b>",
      "text/plain;charset=utf-8",
    ]);
    expect(await client.text("/count")).toBe("8");
  },

  "a stream whose reader leaves": async (place) => {
    const { body } = await ask(place, "/endless");
    const reader = body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await place.heard("stream ended");
  },

  "event streams, until the reader leaves": async (place) => {
    const client = place.client();
    for await (const event of client.events("/events", { headers: { "last-event-id": "7" } })) {
      expect(event).toMatchObject({ id: "1", event: "first", data: '{"since":"7"}' });
      break;
    }
    await place.heard("events ended");
  },

  "middleware, around pages and errors": async (place) => {
    const pages = { "/greet/a": "/greet/:1", "/items/7": "/items/:id", "/none": "null" };
    for (const [path, page] of Object.entries(pages)) {
      expect((await ask(place, path)).headers.get("x-page")).toBe(page);
    }
    expect((await ask(place, "/items", { method: "PUT" })).headers.get("x-page")).toBe("null");
  },

  "mounted apps": async (place) => {
    const client = place.client();
    await client.send("/count");
    const response = await client.send("/api");
    expect(await show(response, "x-page", "x-inside")).toEqual([
      200,
      '{"n":1,"link":"/api/user/ann"}',
      "/api",
      "api",
    ]);
    expect(await client.json("/api/user/ann")).toEqual({ id: "ann" });
    expect(await show(await client.send("/api/none"))).toEqual([404, '{"error":"Not Found"}']);
  },

  "what onRequest answers, and what it puts in the place of a request": async (place, way) => {
    const type = way.hasServer ? "string" : "object";
    expect(await show(await ask(place, "/blocked"))).toEqual([403, `Not ${type}.`]);
    const headers = { "x-method": "DELETE" };
    expect(await show(await ask(place, "/items/7", { headers }))).toEqual([200, "7 is gone"]);
  },

  "this.request.ip": async (place, { hasServer }) => {
    const ip = hasServer ? expect.stringMatching(/127\.0\.0\.1$|^::1$/) : null;
    expect(await place.client().json("/ip")).toEqual({ ip });
    const headers = { "x-method": "POST" };
    expect(await place.client().json("/ip", { headers })).toEqual({ ip });
  },

  sockets: async (place, { hasServer, hasNetwork }) => {
    // TestClient has a server for them, and for nothing else.
    if (!hasServer && hasNetwork) return;
    const client = place.client();
    await using socket = await client.socket("/echo/tea");
    expect(socket.response.status).toBe(101);
    expect(await socket.receiveJson()).toEqual({ room: "tea", page: "/echo/:1", n: 1 });
    socket.send("hello");
    expect(await socket.receive()).toBe("hello");
    expect(await client.text("/count")).toBe("2");
    expect(await socket.close()).toMatchObject({ code: 1000 });
    await place.heard("socket ended");
  },

  "sockets that are refused": async (place, { hasServer, hasNetwork }) => {
    if (!hasServer && hasNetwork) return;
    const { response } = await place.client().socket("/members");
    expect(await show(response)).toEqual([401, "Please log in."]);
    const foreign = { headers: { origin: "https://evil.example" } };
    expect((await place.client().socket("/echo/tea", foreign)).response.status).toBe(403);
    expect((await place.client().socket("/greet/a")).response.status).toBe(200);
  },

  "a plain request to a socket's page": async (place) => {
    const response = await ask(place, "/echo/tea");
    expect(await show(response, "upgrade")).toEqual([
      426,
      "This page is only for WebSockets.",
      "websocket",
    ]);
  },
};

describe.each(WAYS)("an app, $name,", (way) => {
  let place: Place;

  beforeAll(async () => {
    place = await way.serve();
  });

  test("has started when its first request is answered", async () => {
    await place.client().send("/");
    await place.heard("started");
  });

  test.each(Object.entries(SCENARIOS))("has %s", async (_, scenario) => {
    await scenario(place, way);
  });

  if (!way.hasServer) {
    test("answers a handshake with 501", async () => {
      const response = way.hasNetwork
        ? (await place.client().socket("/echo/tea")).response
        : await ask(place, "/echo/tea", { headers: HANDSHAKE });
      expect(response.status).toBe(501);
      expect(await response.text()).toBe("This server has no WebSockets.");
    });
  }

  if (way.hasNetwork && !way.isWhole) {
    test("does not change the server's other routes", async () => {
      expect(await place.client().text("/beside")).toBe("beside");
    });
  }

  // The last: it ends the app.
  test("ends streams and sockets at once, then what is in progress, then itself", async () => {
    const client = place.client();
    const events = client.events("/events");
    await events.next();
    const socket = way.hasServer ? await client.socket("/echo/tea") : undefined;
    const waiting = client.text("/wait");
    await place.heard("waiting");
    const stopped = place.stop();
    expect(await events.next()).toMatchObject({ done: true });
    expect((await socket?.closed)?.code).toBe(socket && 1001);
    place.release();
    await place.heard("answered");
    await place.heard("stopped");
    await place.heard("closed");
    expect(await waiting).toBe(way.hasServer ? "2" : "1");
    await stopped;
  });

  afterAll(() => place.stop());
});
