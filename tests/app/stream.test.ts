import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { App, html, HttpError, status } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { Connection } from "../support/connection.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

const CHUNK = 65_536;

class Site extends App<{ n: number; late: number }> {
  readonly log: string[] = [];
  readonly reports: unknown[] = [];
  gate = Promise.withResolvers<void>();
  ended = Promise.withResolvers<void>();
  yields = 0;

  *sync() {
    yield "grüß ";
    yield "";
    yield html`<b>${"&"}</b>`;
    yield new Uint8Array([33]);
  }

  async *late() {
    this.response.headers.set("x-too-late", "1");
    yield "never";
  }

  stored() {
    this.request.session.n = 1;
    return this.#tell();
  }

  async *#tell() {
    this.log.push("begun");
    yield "a";
    const { session } = this.request;
    session.late = 2;
    yield String(await session.save());
    yield String(await session.update((stored) => (stored.n = 3)));
  }

  read() {
    const { n, late } = this.request.session;
    return { n, late };
  }

  created() {
    return status(201, this.sync(), { "x-made": "1" });
  }

  async *slow() {
    try {
      yield "one";
      await this.gate.promise;
      yield "two";
    } finally {
      this.log.push(`finally ${this.request.path}`);
      this.ended.resolve();
    }
  }

  *endless() {
    try {
      for (;;) {
        this.yields++;
        yield "x".repeat(CHUNK);
      }
    } finally {
      this.ended.resolve();
    }
  }

  async *broken() {
    yield "one";
    await this.gate.promise;
    throw new HttpError(404, "Too late.");
  }

  async *stubborn() {
    try {
      yield "one";
    } finally {
      await Promise.reject(new Error("In the finally."));
    }
  }

  async *number() {
    yield 1;
  }

  async *nothing() {
    yield null;
  }

  override onReport(error: unknown) {
    this.reports.push(error);
    this.ended.resolve();
  }
}

let site: Site;

beforeEach(() => {
  site = new Site();
});

afterEach(() => site.close());

describe("a generator", () => {
  test("begins when the session is stored, and can save and update it then", async () => {
    const client = new TestClient(site);
    const response = await client.send("/stored");
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(response.headers.get("vary")).toBe("Cookie");
    expect(await client.json("/read")).toEqual({ n: 1 });
    expect(site.log).toEqual([]);
    expect(await response.text()).toBe("atruetrue");
    expect(await client.json("/read")).toEqual({ n: 3, late: 2 });
  });

  test.each(["session", "cookies"])("that sets %s and saves nothing is reported", async (what) => {
    class Late extends App<{ n: number }> {
      readonly reported = Promise.withResolvers<unknown>();

      index() {
        this.request.session.n = 1;
        return this.#late(this.request.query("what"));
      }

      async *#late(what_: string | undefined) {
        yield "a";
        if (what_ === "session") this.request.session.n = 2;
        else this.request.cookies.set("a", "b");
      }

      override onReport(error: unknown) {
        this.reported.resolve(error);
      }
    }
    const late = new Late();
    expect(await new TestClient(late).text(`/?what=${what}`)).toBe("a");
    expect(String(await late.reported.promise)).toMatch(
      what === "session" ? "await session.save()" : "Set cookies before the page returns",
    );
    await late.close();
  });

  test("may have a status", async () => {
    const response = await new TestClient(site).send("/created");
    expect([response.status, response.headers.get("x-made")]).toEqual([201, "1"]);
    expect(await response.text()).toBe("grüß <b>&amp;</b>!");
  });

  test("does not begin for HEAD", async () => {
    const answer = await exchange(serve(site).port, head("HEAD /endless HTTP/1.1"));
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(site.yields).toBe(0);
  });

  test("waits for a slow reader, and ends when the reader disappears", async () => {
    const connection = await Connection.open(serve(site).port);
    connection.pause();
    connection.send(head("GET /endless HTTP/1.1"));
    let before = -1;
    // What fits into the connection's buffers is yielded, and no more.
    while (site.yields !== before) {
      before = site.yields;
      await Bun.sleep(50);
    }
    expect(site.yields).toBeLessThan(1_000);
    connection.close();
    await site.ended.promise;
  });

  test("runs its `finally` when the client disappears, once what it waits for has come", async () => {
    const connection = await Connection.open(serve(site).port);
    connection.send(head("GET /slow HTTP/1.1"));
    while (!connection.received.includes("one")) await Bun.sleep(1);
    connection.close();
    await Bun.sleep(0);
    site.gate.resolve();
    await site.ended.promise;
    expect(site.log).toEqual(["finally /slow"]);
    expect(site.reports).toEqual([]);
  });

  test("that fails cuts the connection, and is reported", async () => {
    const connection = await Connection.open(serve(site).port);
    connection.send(head("GET /broken HTTP/1.1"));
    while (!connection.received.includes("one")) await Bun.sleep(1);
    site.gate.resolve();
    await connection.closed();
    // The empty chunk that would end it is missing (RFC 9112, 7.1).
    expect(connection.received).not.toContain("\r\n0\r\n");
    expect(site.reports).toEqual([new HttpError(404, "Too late.")]);
  });

  test("that sets a header after the headers have left fails", async () => {
    const connection = await Connection.open(serve(site).port);
    connection.send(head("GET /late HTTP/1.1"));
    await connection.closed();
    expect(connection.received).not.toContain("never");
    expect(String(site.reports[0])).toContain("after the headers had been sent");
  });

  test("that fails rejects for a reader without a server", async () => {
    site.gate.resolve();
    const response = await new TestClient(site).send("/broken");
    await expect(response.text()).rejects.toThrow("Too late.");
  });

  test("that fails in its `finally` is reported", async () => {
    const response = await new TestClient(site).send("/stubborn");
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await site.ended.promise;
    await Bun.sleep(0);
    expect(site.reports).toEqual([new Error("In the finally.")]);
  });

  test.each([
    ["/number", "a value of type number"],
    ["/nothing", "null"],
  ])("that yields anything but text is reported: %s", async (path, what) => {
    const response = await new TestClient(site).send(path);
    await expect(response.text()).rejects.toThrow(
      `A generator yielded ${what}, which cannot be sent. Yield text, html\`…\` or a Uint8Array`,
    );
    expect(site.reports).toHaveLength(1);
  });

  test.each([
    ["10 seconds by default", {}, 10],
    ["as `listen` says", { idleTimeout: 7 }, 7],
    ["10 seconds if `listen` gets undefined", { idleTimeout: undefined }, 10],
  ])("lets its connection be silent until it ends, then for %s", async (_, options, seconds) => {
    using _info = quiet("info");
    site.listen({ port: 0, ...(options as object) });
    const limits: number[] = [];
    const server = {
      requestIP: () => null,
      stop: async () => undefined,
      timeout: (_request: Request, limit: number) => void limits.push(limit),
    };
    const response = await site.fetch(new Request("http://x/slow"), server);
    const text = response.text();
    while (limits.at(-1) !== 0) await Bun.sleep(1);
    site.gate.resolve();
    expect(await text).toBe("onetwo");
    expect(limits.at(-1)).toBe(seconds);
  });

  test("is cut at shutdown, at once, whether its reader reads or not", async () => {
    // An end by this deadline would come too late for the test.
    site = new Site({ shutdownTimeout: 3_600_000 });
    const { port } = serve(site);
    const [deaf, connection] = [await Connection.open(port), await Connection.open(port)];
    deaf.pause();
    for (const each of [deaf, connection]) each.send(head("GET /slow HTTP/1.1"));
    while (!connection.received.includes("one")) await Bun.sleep(1);
    const closing = site.close();
    await connection.closed();
    await closing;
    deaf.close();
    expect(connection.received).not.toContain("\r\n0\r\n");
    site.gate.resolve();
    await site.ended.promise;
    expect(site.reports).toEqual([]);
  });

  test("of a request that was in progress when the shutdown began is cut as well", async () => {
    const response = await new TestClient(site).send("/slow");
    await site.close();
    await expect(response.text()).rejects.toThrow("The server is shutting down.");
  });
});

test.each([
  ["a ReadableStream", (chunks: AsyncGenerator<string>) => new Response(chunks as never).body],
  ["a Response of a generator", (chunks: AsyncGenerator<string>) => new Response(chunks as never)],
])("%s cannot use this.request, and the error says what to do", async (_, make) => {
  class Late extends App {
    index() {
      const read = (): string => this.request.path;
      const chunks = async function* () {
        // Whoever reads the body does so when the page has returned.
        await new Promise((resolve) => setImmediate(resolve));
        try {
          yield read();
        } catch (error) {
          yield (error as Error).message;
        }
      };
      return make(chunks());
    }
  }
  await using server = serve(new Late());
  const text = await (await fetch(server.url)).text();
  expect(text).toEndWith(
    "Bun reads a ReadableStream later: read this.request before, or return a generator, in which it works.",
  );
});
