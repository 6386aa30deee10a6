import { describe, expect, test } from "bun:test";

import type { AppOptions } from "bunpie";
import { App, HttpError } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FAILING } from "../support/failing.ts";
import { quiet } from "../support/quiet.ts";
import { serve } from "../support/serve.ts";

class Site extends App {
  readonly #intercept: (request: Request, ip: string | null) => unknown;

  constructor(
    intercept: (request: Request, ip: string | null) => unknown,
    options: AppOptions = {},
  ) {
    super(options);
    this.#intercept = intercept;
  }

  override onRequest(request: Request, ip: string | null) {
    return this.#intercept(request, ip) as Response | undefined;
  }

  index = {
    GET: () => "looked at",
    DELETE: () => "deleted",
  };
}

describe("onRequest", () => {
  test.each<readonly [string, (response: unknown) => unknown]>([
    ["at once", (response) => response],
    ["later", async (response) => response],
    ...FAILING,
  ])("ends a request with a response before there is a session: %s", async (_, wrap) => {
    const site = new Site(() => wrap(new Response("too many", { status: 429 })));
    const response = await new TestClient(site).send("/", { headers: { cookie: "session_id=x" } });
    expect([response.status, await response.text()]).toEqual([429, "too many"]);
    expect(site.sessions.stats().loads.count).toBe(0);
  });

  test("replaces the request", async () => {
    const site = new Site(
      (request) => new Request(request, { method: request.headers.get("x-method") ?? "GET" }),
    );
    const client = new TestClient(site);
    expect(await client.text("/", { headers: { "x-method": "DELETE" } })).toBe("deleted");
  });

  test("of an outer app may be called, and lets every request pass", async () => {
    class Own extends App {
      override onRequest(request: Request, ip: string | null) {
        return super.onRequest(request, ip);
      }
      index() {
        return "looked at";
      }
    }
    expect(await new TestClient(new Own()).text("/")).toBe("looked at");
  });

  test("lets a request pass if it returns nothing, and sees the client's address", async () => {
    const seen: (string | null)[] = [];
    const site = new Site((_, ip) => void seen.push(ip));
    await using server = serve(site);
    expect(await (await fetch(server.url)).text()).toBe("looked at");
    await new TestClient(site).send("/");
    expect(seen).toEqual(["127.0.0.1", null]);
  });

  describe.each([
    ["no options", {}],
    ["a log", { log: () => undefined }],
    ["trusted origins", { trustedOrigins: ["https://shop.example"] }],
  ])("in an app with %s", (_, options) => {
    test.each([null, undefined])("lets a request pass if it returns %p", async (nothing) => {
      const client = new TestClient(new Site(() => nothing, options));
      expect(await client.text("/")).toBe("looked at");
    });

    test.each([
      ["false", false],
      ["a text", "too many"],
      ["an object", {}],
    ])("causes a 500 that says what to return if it returns %s", async (_what, value) => {
      using error = quiet("error");
      const response = await new TestClient(new Site(() => value, options)).send("/");
      expect(response.status).toBe(500);
      expect(error.mock.calls).toEqual([
        [
          "%s failed:",
          "GET /",
          expect.objectContaining({
            message: "onRequest returned neither a Response nor a Request. Return one, or nothing.",
          }),
        ],
      ]);
    });
  });

  test.each(FAILING)("that %s causes a 500", async (_, fail) => {
    using error = quiet("error");
    const site = new Site(() => fail(new Error("a bug")));
    expect((await new TestClient(site).send("/")).status).toBe(500);
    expect(error).toHaveBeenCalledTimes(1);
  });
});

describe("this.response", () => {
  class Headers extends App {
    index() {
      this.response.headers.set("content-security-policy", "default-src 'self'");
      this.response.headers.append("link", "</a.css>; rel=preload");
      return "text";
    }

    xml() {
      this.response.headers.set("content-type", "application/xml");
      return "<a/>";
    }

    constant() {
      this.response.headers.set("x-mine", this.request.query("mine", ""));
      return CONSTANT;
    }

    cookie() {
      this.response.headers.append("set-cookie", "a=1");
      this.response.headers.append("set-cookie", "b=2");
      this.request.session.user = 1;
    }

    varied() {
      void this.request.session.user;
      this.response.headers.set("vary", "Accept-Language, cookie");
      if (this.request.query("fails") === "1") throw new HttpError(404, "No such thing");
      return "text";
    }

    failed() {
      const { headers } = this.response;
      headers.set("content-type", "application/xml");
      headers.set("content-disposition", "attachment");
      headers.set("content-length", "5000");
      headers.set("etag", '"1"');
      headers.set("cache-control", "public, max-age=86400");
      headers.set("content-security-policy", "default-src 'self'");
      throw new HttpError(404, "No such thing");
    }
  }

  class HeadersInside extends Headers {
    constructor() {
      super();
      this.use((_, next) => next());
    }
  }
  const CONSTANT = new Response(null, { status: 303, headers: { location: "/" } });

  test("has headers that are sent with the response, in place of App's own", async () => {
    const client = new TestClient(new Headers());
    expect((await client.send("/")).headers.get("content-security-policy")).toBe(
      "default-src 'self'",
    );
    expect((await client.send("/xml")).headers.get("content-type")).toBe("application/xml");
  });

  test("does not change a Response that is sent to others too", async () => {
    const client = new TestClient(new Headers());
    expect((await client.send("/constant?mine=1")).headers.get("x-mine")).toBe("1");
    expect(CONSTANT.headers.has("x-mine")).toBe(false);
  });

  test("may have cookies beside the session's", async () => {
    const response = await new TestClient(new Headers()).send("/cookie");
    expect(response.headers.getSetCookie().map((line) => line.split("=")[0])).toEqual([
      "a",
      "b",
      "session_id",
    ]);
  });

  test.each([
    ["without middleware", Headers],
    ["inside middleware", HeadersInside],
  ])("K2: adds to the Vary of App, %s", async (_, Kind) => {
    const client = new TestClient(new Kind());
    const page = await client.send("/varied");
    expect(page.headers.get("vary")).toBe("Cookie, Accept-Language");
    const error = await client.send("/varied?fails=1");
    expect(error.headers.get("vary")).toBe("Accept, Accept-Language, cookie");
  });

  test.each([
    ["without middleware", Headers],
    ["inside middleware", HeadersInside],
  ])("does not describe the content of an error, or let caches store it, %s", async (_, Kind) => {
    const { headers } = await new TestClient(new Kind()).send("/failed");
    expect(headers.get("content-security-policy")).toBe("default-src 'self'");
    expect(headers.get("content-type")).toBe("text/plain;charset=utf-8");
    const others = ["content-disposition", "content-length", "etag"];
    expect(others.map((name) => headers.get(name))).toEqual([null, null, null]);
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("describes the content of an error if onError sets it", async () => {
    class Own extends Headers {
      override onError() {
        this.response.headers.set("content-type", "application/xml");
        this.response.headers.set("cache-control", "max-age=60");
        return "<error/>";
      }
    }
    const { headers } = await new TestClient(new Own()).send("/failed");
    expect(headers.get("content-type")).toBe("application/xml");
    expect(headers.get("cache-control")).toBe("max-age=60");
  });
});
