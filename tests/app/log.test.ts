import { describe, expect, test } from "bun:test";
import { format } from "node:util";

import type { AppOptions, LogEntry } from "bunpie";
import { App, HttpError, routes } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { withNodeEnv } from "../support/environment.ts";
import { FAILING } from "../support/failing.ts";
import { quiet } from "../support/quiet.ts";

class Shop extends App<{ cart: string[]; seen: boolean }> {
  index() {
    return "Hello.";
  }

  cart = {
    POST: () => {
      this.request.session.cart = ["tea"];
      return this.redirect("/", 303);
    },
    PUT: async () => {
      this.request.session.seen = true;
      this.request.session.flash("note", "Thanks.");
      return "";
    },
  };

  users = routes({ "/:id": (id) => `${this.request.session.cart?.length} ${id}` });

  login() {
    this.request.session.login("ann\u001b");
    return "";
  }

  renew() {
    this.request.session.regenerate();
    return "";
  }

  leave() {
    this.request.session.destroy();
    return "";
  }

  swap() {
    this.request.session.destroy();
    this.request.session.seen = true;
    return "";
  }

  bug() {
    this.request.session.seen = true;
    throw new Error("bug");
  }

  /** An onError may answer with a status of its own. */
  teapot() {
    throw new HttpError(404, "teapot");
  }

  override onError(error: HttpError) {
    return error.message === "teapot" ? new Response("tea", { status: 418 }) : super.onError(error);
  }

  override onReport() {}
}

/** Logs to a list. */
function setUpLog(options: AppOptions = {}) {
  const entries: LogEntry[] = [];
  const app = new Shop({ ...options, log: (entry) => void entries.push(entry) });
  return { entries, client: new TestClient(app) };
}

describe("the `log` option", () => {
  test("receives method, pattern, status, time, user and id of each request, and nothing else", async () => {
    const { entries, client } = setUpLog();
    await client.send("/login", { method: "POST" });
    await client.send("/users/7?token=secret", { headers: { "x-request-id": "mine" } });
    const { ms } = entries[1] as LogEntry;
    expect(entries[1]).toEqual({
      id: "mine",
      method: "GET",
      page: "/users/:id",
      status: 200,
      ms,
      userId: "ann\u001b",
    });
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(ms).toBeLessThan(60_000);
  });

  test.each([
    ["a page that nobody has", "/nothing", {}, 404],
    ["a verb that the page does not have", "/", { method: "PUT" }, 405],
    ["OPTIONS", "/", { method: "OPTIONS" }, 204],
    ["a bug", "/bug", {}, 500],
    ["a page that throws, by the status that onError sends", "/teapot", {}, 418],
    [
      "a write from another site",
      "/cart",
      { method: "POST", headers: { "sec-fetch-site": "cross-site" } },
      403,
    ],
  ])("receives %s too", async (_, path, init, status) => {
    const { entries, client } = setUpLog();
    await client.send(path, init);
    expect(entries.map((entry) => [entry.status, entry.userId])).toEqual([[status, null]]);
  });

  test("receives requests that onRequest answers, without a page and a session", async () => {
    const pages: unknown[] = [];
    class Closed extends Shop {
      override onRequest() {
        return new Response("closed", { status: 503 });
      }
    }
    await new TestClient(new Closed({ log: ({ page, status }) => pages.push(page, status) })).send(
      "/",
    );
    expect(pages).toEqual([null, 503]);
  });

  test.each(FAILING)("that %s affects no response, and is reported", async (_, reject) => {
    using error = quiet("error");
    const shop = new Shop({ log: () => reject(new Error("disk full")) });
    expect(await new TestClient(shop).text("/")).toBe("Hello.");
    expect(error.mock.calls).toEqual([["The app's log failed:", new Error("disk full")]]);
  });

  test("must be a function or false", () => {
    for (const log of [true, null, "file"]) {
      expect(() => new App({ log } as never)).toThrow("`log` has to be a function");
    }
    expect(new App({ log: false })).toBeInstanceOf(App);
  });
});

/** The lines on the console for these requests to an app that is served. */
async function collectLines(app: Shop, send: (client: TestClient) => Promise<unknown>) {
  using info = quiet("info");
  app.listen({ port: 0, hostname: "127.0.0.1" });
  info.mockClear();
  await send(new TestClient(app));
  const lines = info.mock.calls.map(([, line]) => String(line).replace(/ \d+ ms/, " 1 ms"));
  await app.close();
  return lines;
}

describe("a served app's line on the console", () => {
  test("shows the request, the response and what was stored", async () => {
    using _development = withNodeEnv("development");
    const lines = await collectLines(new Shop(), async (client) => {
      await client.send("/");
      await client.send("/cart", { method: "POST" });
      await client.send("/users/7?q=secret");
      await client.send("/cart", { method: "PUT" });
      await client.send("/renew", { method: "POST" });
      await client.send("/login", { method: "POST" });
      await client.send("/bug");
      await client.send("/swap", { method: "POST" });
      await client.send("/leave", { method: "POST" });
      await client.send("/login", { method: "POST" });
      await client.send("/\u202e%1b\u00e9/");
    });
    expect(lines).toEqual([
      "GET / 200 1 ms",
      "POST /cart 303 1 ms · new session · stored cart, 16 bytes",
      "GET /users/7 200 1 ms",
      "PUT /cart 200 1 ms · stored seen, flash, 46 bytes",
      "POST /renew 200 1 ms · new id",
      "POST /login 200 1 ms · login ann\\u{1b}",
      "GET /bug 500 1 ms",
      "POST /swap 200 1 ms · destroyed · new session · stored seen, 13 bytes",
      "POST /leave 200 1 ms · destroyed",
      "POST /login 200 1 ms · new session · login ann\\u{1b}",
      "GET /%E2%80%AE%1b%C3%A9/ 404 1 ms",
    ]);
  });

  test("is escaped, so that a path cannot move the cursor", async () => {
    using _development = withNodeEnv("development");
    using info = quiet("info");
    const app = new Shop();
    void app.maxRequestBodySize;
    // No request that is made has such a path; one that is served without a host may.
    const url = "http://localhost/\u001b[2J";
    await app.fetch({ method: "GET", url, headers: new Headers() } as Request);
    expect(String(info.mock.lastCall?.[1])).toStartWith("GET /\\u{1b}[2J 404 ");
    await app.close();
  });

  test.each([
    ["in production", "production", {}],
    ["in a test", "test", {}],
    ["if `log` is false", "development", { log: false }],
    ["if the app has its own log", "development", { log: () => {} }],
  ] as const)("is missing %s", async (_, mode, options) => {
    using _mode = withNodeEnv(mode);
    expect(await collectLines(new Shop(options), (client) => client.send("/"))).toEqual([]);
  });

  test("is missing if the app is not served", async () => {
    using _development = withNodeEnv("development");
    using info = quiet("info");
    await new TestClient(new Shop()).send("/");
    expect(info).not.toHaveBeenCalled();
  });
});

function fail(): never {
  throw new Error("\u001b[2J");
}

/** An app with these methods. */
function withMethods(methods: object): new (options: AppOptions) => App {
  const Made = class extends App {};
  Object.assign(Made.prototype, methods);
  return Made;
}

describe("an error with text from the network is escaped on the console", () => {
  test.each<[string, object, AppOptions?]>([
    ["a page", { index: fail }],
    [
      "onError",
      {
        onError: fail,
        index() {
          throw new HttpError(400, "no");
        },
      },
    ],
    ["onReport", { index: fail, onReport: fail }],
    [
      "onReport, once the response has left",
      {
        onReport: fail,
        async *index(this: App) {
          yield "one";
          this.request.cookies.set("a", "b");
        },
      },
    ],
    ["log", { index: () => "" }, { log: fail }],
    ["onStart", { onStart: async () => fail() }],
  ])("if it is thrown by %s", async (_, methods, options = {}) => {
    using error = quiet("error");
    const app = new (withMethods(methods))(options);
    const response = await app.fetch(new Request("http://localhost/"));
    await response.text();
    const logged = error.mock.calls.map((call) => format(...call)).join("\n");
    expect(logged).toContain("\\u{1b}[2J");
    expect(logged).not.toContain("\u001b");
  });
});
