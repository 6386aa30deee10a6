import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";

import { App, compress, eventStream, html, status } from "bunpie";

import { chooseCoding } from "../../src/app/accept-encoding.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";

const LONG = "Tea and biscuits. ".repeat(200);

const DECODERS = { gzip: createGunzip, br: createBrotliDecompress, zstd: createZstdDecompress };

class Site extends App<{ n: number }> {
  readonly gate = Promise.withResolvers<void>();
  readonly left = Promise.withResolvers<void>();
  hasBegun = false;

  constructor() {
    super();
    this.use(compress());
  }

  index() {
    return html`<p>${LONG}</p>`;
  }

  short() {
    return "Tea.";
  }

  json() {
    return status(201, { LONG });
  }

  visits() {
    const { session } = this.request;
    session.n = (session.n ?? 0) + 1;
    return LONG;
  }

  tagged() {
    return new Response(LONG, { headers: { "content-type": "text/plain", etag: '"1"' } });
  }

  sized() {
    return new Response("Tea.", {
      headers: { "content-type": "text/plain", "content-length": "4" },
    });
  }

  empty() {
    return new Response(null, { headers: { "content-type": "text/plain" } });
  }

  image() {
    return new Response(LONG, { headers: { "content-type": "image/png" } });
  }

  encoded() {
    const headers = { "content-type": "text/plain", "content-encoding": "x-own" };
    return new Response(LONG, { headers });
  }

  untouched() {
    return status(200, LONG, { "cache-control": "no-transform" });
  }

  resumable() {
    return status(200, LONG, { "accept-ranges": "bytes" });
  }

  asked() {
    for (const [name, value] of new URLSearchParams(this.request.query("headers") ?? "")) {
      this.response.headers.set(name, value);
    }
    return LONG;
  }

  events() {
    return eventStream(async function* () {
      yield { data: LONG };
    });
  }

  lines() {
    this.request.session.n = 1;
    return this.#lines();
  }

  async *#lines() {
    this.hasBegun = true;
    try {
      yield "first";
      await this.gate.promise;
      yield new Uint8Array();
      yield "second";
    } finally {
      this.left.resolve();
    }
  }
}

let site: Site;
let client: TestClient;

beforeEach(() => {
  site = new Site();
  client = new TestClient(site);
});

afterEach(() => site.close());

function ask(path: string, accepted = "gzip", init: RequestInit = {}): Promise<Response> {
  return client.send(path, { ...init, headers: { "accept-encoding": accepted, ...init.headers } });
}

describe("compress", () => {
  test.each(["gzip", "br", "zstd"] as const)("encodes what a page returns: %s", async (coding) => {
    for (const [path, text] of [
      ["/", `<p>${LONG}</p>`],
      ["/json", JSON.stringify({ LONG })],
      ["/tagged", LONG],
    ] as const) {
      const response = await ask(path, coding);
      expect(response.headers.get("content-encoding")).toBe(coding);
      expect(response.headers.get("vary")).toBe("Accept-Encoding");
      const bytes = await response.bytes();
      expect(bytes.length).toBeLessThan(200);
      const decoder = DECODERS[coding]();
      decoder.end(bytes);
      expect(Buffer.concat(await Array.fromAsync<Uint8Array>(decoder)).toString()).toBe(text);
    }
  });

  test("keeps status and session, and weakens a strong ETag", async () => {
    expect((await ask("/json")).status).toBe(201);
    const response = await ask("/visits");
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect((await ask("/tagged")).headers.get("etag")).toBe('W/"1"');
    expect((await ask("/tagged", "identity")).headers.get("etag")).toBe('"1"');
  });

  test.each(["/short", "/sized", "/empty", "/image", "/untouched", "/resumable", "/events"])(
    "does not encode %s",
    async (path) => {
      const response = await ask(path);
      expect(response.headers.get("content-encoding")).toBeNull();
      await response.body?.cancel();
    },
  );

  test.each(["/", "/tagged", "/short", "/visits", "/lines"])(
    "answers HEAD with the headers that GET has: %s",
    async (path) => {
      using _info = quiet("info");
      client = new TestClient(site.listen(0).url);
      const head = await ask(path, "gzip", { method: "HEAD" });
      expect(await head.text()).toBe("");
      expect(site.hasBegun).toBe(false);
      const get = await ask(path);
      for (const { headers } of [head, get]) {
        // The first response sets the session's cookie.
        for (const name of ["date", "set-cookie", "cache-control"]) headers.delete(name);
      }
      expect(head.headers.toJSON()).toEqual(get.headers.toJSON());
      expect(get.headers.get("content-encoding")).toBe(path === "/short" ? null : "gzip");
      await get.body?.cancel();
      site.gate.resolve();
    },
  );

  test("does not encode an encoded response, or for a client that accepts no encoding", async () => {
    expect((await ask("/encoded")).headers.get("content-encoding")).toBe("x-own");
    const plain = await ask("/", "identity");
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(plain.headers.get("vary")).toBe("Accept-Encoding");
  });

  test.each([
    ["cache-control", "no-transform"],
    ["content-encoding", "x-own"],
    ["content-type", "image/png"],
    ["accept-ranges", "bytes"],
  ])("does not encode a response if this.response has %s: %s", async (name, value) => {
    const asked = new URLSearchParams({ [name]: value });
    const response = await ask(`/asked?headers=${encodeURIComponent(String(asked))}`);
    expect(await response.text()).toBe(LONG);
    expect(response.headers.get(name)).toBe(value);
  });

  test("encodes a response whose type, Vary, ETag and length are in this.response", async () => {
    const asked = new URLSearchParams({
      "content-type": "application/xml",
      vary: "Accept-Language",
      etag: '"1"',
      "content-length": "3600",
    });
    const { headers } = await ask(`/asked?headers=${encodeURIComponent(String(asked))}`);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-encoding": "gzip",
      "content-type": "application/xml",
      vary: "Accept-Encoding, Accept-Language",
      etag: 'W/"1"',
    });
    expect(headers.has("content-length")).toBe(false);
  });

  test("does not encode what depends on the session if another site asks", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    const secret = await ask("/visits", "gzip", { headers });
    expect(secret.headers.get("content-encoding")).toBeNull();
    expect((await ask("/", "gzip", { headers })).headers.get("content-encoding")).toBe("gzip");
  });

  test("sends a stream chunk by chunk, and starts it once the response has left", async () => {
    const response = await ask("/lines");
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(site.hasBegun).toBe(false);
    const decoder = createGunzip();
    const pieces = decoder[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const reader = response.body?.getReader();
    decoder.write((await reader?.read())?.value);
    expect(String((await pieces.next()).value)).toBe("first");
    site.gate.resolve();
    for (;;) {
      const next = await reader?.read();
      if (next?.value === undefined) break;
      decoder.write(next.value);
    }
    decoder.end();
    expect(
      Buffer.concat(await Array.fromAsync({ [Symbol.asyncIterator]: () => pieces })).toString(),
    ).toBe("second");
  });

  test("ends a stream whose reader is gone", async () => {
    const reader = (await ask("/lines")).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    site.gate.resolve();
    await site.left.promise;
  });

  test("refuses invalid options", () => {
    expect(() => compress({ minBytes: Number.NaN })).toThrow("has to be a number of bytes");
    expect(() => compress({ min: 1 } as object)).toThrow("Did you mean `minBytes`");
  });
});

describe("Accept-Encoding", () => {
  test.each([
    [null, undefined],
    ["", undefined],
    ["identity", undefined],
    ["gzip", "gzip"],
    ["GZIP;q=0.1", "gzip"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["gzip;q=0", undefined],
    ["gzip;q=high", undefined],
    ["*", "zstd"],
    ["*, zstd;q=0", "br"],
    ["identity;q=1, gzip;q=0.5", undefined],
  ] as const)("%j is answered with %p", (accepted, coding) => {
    expect(chooseCoding(accepted)).toBe(coding);
  });
});
