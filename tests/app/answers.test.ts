import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { format } from "node:util";

import { App, html, HttpError } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

const FILE = join(import.meta.dir, "../fixtures/hello.txt");
const TEXT = "text/plain;charset=utf-8";
const JSON_TEXT = "application/json;charset=utf-8";
const BYTES = "application/octet-stream";

function toStream(text: string): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(text));
      controller.close();
    },
  });
}

class Listed extends Error {
  toJSON(): string[] {
    return [this.message];
  }
}

/** What is sent for what a handler returns, as it is and as a promise, with the session and without. */
class Site extends App {
  readonly #make: () => unknown;

  constructor(make: () => unknown) {
    super();
    this.#make = make;
  }

  plain() {
    return this.#make();
  }

  deep(_segment: string) {
    return this.#make();
  }

  async later() {
    return this.#make();
  }

  private() {
    void this.request.session.anything;
    return this.#make();
  }
}

describe("toResponse", () => {
  test.each<[string, () => unknown, number, string | null, string]>([
    ["a text", () => "Grüße", 200, TEXT, "Grüße"],
    ["a text that looks like HTML", () => "<script>", 200, TEXT, "<script>"],
    ["the empty text", () => "", 200, TEXT, ""],
    ["html`…`", () => html`<p>${"<"}</p>`, 200, "text/html;charset=utf-8", "<p>&lt;</p>"],
    ["undefined", () => undefined, 204, null, ""],
    ["null", () => null, 204, null, ""],
    ["a blob", () => new Blob(["a"], { type: "text/css" }), 200, "text/css;charset=utf-8", "a"],
    ["a file", () => Bun.file(FILE), 200, TEXT, "Hello from a file\n"],
    ["a stream", () => toStream("a"), 200, null, "a"],
    ["a Uint8Array", () => new Uint8Array([97]), 200, BYTES, "a"],
    ["a Buffer", () => Buffer.from("a"), 200, BYTES, "a"],
    ["an ArrayBuffer", () => new Uint8Array([97]).buffer, 200, BYTES, "a"],
    ["an object", () => ({ a: [1, null], b: undefined }), 200, JSON_TEXT, '{"a":[1,null]}'],
    ["an array", () => ["a"], 200, JSON_TEXT, '["a"]'],
    ["an error with JSON", () => ({ a: new Listed("a") }), 200, JSON_TEXT, '{"a":["a"]}'],
    ["a number", () => 7, 200, JSON_TEXT, "7"],
    ["false", () => false, 200, JSON_TEXT, "false"],
    ["a date", () => new Date(0), 200, JSON_TEXT, '"1970-01-01T00:00:00.000Z"'],
    ["a Response", () => new Response("a", { status: 201 }), 201, TEXT, "a"],
  ])("sends %s", async (_, make, status, type, body) => {
    // Bun gives a Response of a text its type when it sends it: so this is about what is sent.
    await using server = serve(new Site(make));
    for (const path of ["/plain", "/later", "/private"]) {
      const response = await fetch(new URL(path, server.url));
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toEqual(type);
      expect(response.headers.get("vary")).toBe(path === "/private" ? "Cookie" : null);
      expect(await response.text()).toBe(body);
    }
  });

  test("marks a text as one before it is sent, for whatever the app is mounted in", async () => {
    const response = await new TestClient(new Site(() => "<script>")).send("/plain");
    expect(response.headers.get("content-type")).toBe(TEXT);
  });

  test("treats a returned error like a thrown one", async () => {
    using _error = quiet("error");
    const refused = await new TestClient(new Site(() => new HttpError(403, "No."))).send("/plain");
    expect([refused.status, await refused.text()]).toEqual([403, "No."]);
    expect((await new TestClient(new Site(() => new Error("x"))).send("/plain")).status).toBe(500);
  });

  test("sends a Response itself, without a copy", async () => {
    const response = new Response("a", { headers: { "cache-control": "max-age=60" } });
    expect(await new Site(() => response).fetch(new Request("http://localhost/plain"))).toBe(
      response,
    );
  });

  test("keeps the Vary header of a Response", async () => {
    const site = new Site(() => new Response("a", { headers: { vary: "Accept" } }));
    const { headers } = await new TestClient(site).send("/private");
    expect(headers.get("vary")).toBe("Accept, Cookie");
  });

  test.each<[string, () => unknown]>([
    ["an iterator", () => [1].values()],
    ["Object.fromEntries(map)", () => new Map([["a", 1]])],
    ["[...set]", () => new Set([1])],
    ['"tags" is a Set', () => ({ tags: new Set() })],
    ['"late" is a promise', () => ({ late: Promise.resolve() })],
    ["a list that begins with a promise", () => ["tea"].map(async (name) => name)],
    ["await Promise.all(list)", () => ({ names: ["tea"].map(async (name) => name) })],
    ["a list that begins with HTML", () => [html`<b>a</b>`, html`<b>b</b>`]],
    ["html`${list}`", () => ({ items: ["tea"].map((name) => html`<li>${name}</li>`) })],
    ['"item" is HTML', () => ({ item: html`<b>a</b>` })],
    ['"file" is a Blob', () => ({ file: Bun.file(FILE) })],
    ["a list that begins with a Response", () => [new Response("a")]],
    ['"problem" is an error', () => ({ problem: new Error("a") })],
    ["status(code, body, headers)", () => [404, "Not here"]],
    ["an iterator", () => new Uint16Array(1)],
    ["a function", () => () => "a"],
    ["a symbol", () => Symbol("a")],
    ["BigInt", () => 1n],
    [
      "cyclic",
      () => {
        const cycle: unknown[] = [];
        cycle.push(cycle);
        return cycle;
      },
    ],
  ])("answers %s with 500, and logs why", async (reason, make) => {
    using error = quiet("error");
    const response = await new TestClient(new Site(make)).send("/plain");
    expect(response.status).toBe(500);
    expect(await response.text()).toBe("Something went wrong on this server.");
    expect(error.mock.calls).toEqual([["%s failed:", "GET /plain", expect.any(TypeError)]]);
    expect(String(error.mock.lastCall?.[2])).toContain(reason);
  });
});

function fail(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe("the response to an error", () => {
  test("sends an HttpError's status, message and headers, and logs nothing", async () => {
    using error = quiet("error");
    const make = fail(
      new HttpError(429, "Slow down.", { cause: "secret", headers: { "retry-after": "9" } }),
    );
    for (const path of ["/plain", "/later"]) {
      const response = await new TestClient(new Site(make)).send(path);
      expect(response.status).toBe(429);
      expect(response.headers.get("retry-after")).toBe("9");
      expect(response.headers.get("vary")).toBe("Accept");
      expect(await response.text()).toBe("Slow down.");
    }
    expect(error).not.toHaveBeenCalled();
  });

  test.each([
    ["an error", new Error("secret")],
    ["a text", "secret"],
    ["an object", { status: 404 }],
    ["null", null],
    ["undefined", undefined],
  ])("answers %s with a bare 500, and logs it once", async (_, thrown) => {
    using error = quiet("error");
    for (const path of ["/plain?token=secret", "/later?token=secret"]) {
      const response = await new TestClient(new Site(fail(thrown))).send(path);
      expect(response.status).toBe(500);
      expect(await response.text()).toBe("Something went wrong on this server.");
    }
    expect(error.mock.calls).toEqual([
      ["%s failed:", "GET /plain", thrown],
      ["%s failed:", "GET /later", thrown],
    ]);
  });

  test.each([
    ["what looks like a format", "/deep/%c3%a9%da%80", "/deep/%c3%a9%da%80"],
    ["a control character", "/deep/\x7f", "/deep/\\u{7f}"],
    ["an eight-bit escape sequence", "/deep/\u009b31m", "/deep/\\u{9b}31m"],
    ["what reverses a line", "/deep/\u202e", "/deep/\\u{202e}"],
  ])("N2: logs why a page failed whose path has %s", async (_, path, logged) => {
    using error = quiet("error");
    await using server = serve(new Site(fail(new Error("the cause"))));
    // Bun percent-encodes the paths of requests that have a host.
    await exchange(server.port, head(`GET ${path} HTTP/1.1`, { host: "" }));
    expect(error).toHaveBeenCalledTimes(1);
    expect(format(...(error.mock.lastCall ?? []))).toStartWith(
      `GET ${logged} failed: Error: the cause\n`,
    );
  });

  test("N2: logs why a page failed whose error has a control character", async () => {
    using error = quiet("error");
    await new TestClient(new Site(fail(new Error("\u001b[2J")))).send("/deep/x");
    const logged = format(...(error.mock.lastCall ?? []));
    expect(logged).toContain("error: \\u{1b}[2J\n");
    expect(logged).not.toContain("\u001b");
  });

  test.each([
    ["an HttpError", new HttpError(404, "No such thing")],
    ["any other error", new Error("unforeseen")],
  ])("K2: makes %s vary by the cookie if the session was touched", async (_, thrown) => {
    using _error = quiet("error");
    const response = await new TestClient(new Site(fail(thrown))).send("/private");
    expect(response.headers.get("vary")).toBe("Accept, Cookie");
  });
});
