import { describe, expect, test } from "bun:test";

import type { AppOptions, SessionBackend } from "bunpie";
import { App, html, HttpError, SESSION_TIMEOUT } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";
import { quiet } from "../support/quiet.ts";
import { serve } from "../support/serve.ts";
import { AsyncMapBackend } from "../support/stores/backends.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";

class Counter extends App<{ visits: number }> {
  index() {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }

  visits() {
    return this.request.session.visits ?? 0;
  }

  about() {
    return "about";
  }
}

const OPTION_ERRORS: [AppOptions, string][] = [
  [{ maxBodyBytes: 0 }, "`maxBodyBytes` is 0; it has to be a number above 0."],
  [{ maxBodyBytes: Number.NaN }, "`maxBodyBytes` is NaN; it has to be a number above 0."],
  [{ shutdownTimeout: -1 }, "`shutdownTimeout` is -1; it has to be a number above 0."],
  [
    { shutdownTimeout: Number.POSITIVE_INFINITY },
    "`shutdownTimeout` is Infinity; it has to be a number above 0.",
  ],
  [
    { session: { timeout: 0 } },
    "`timeout` is 0; it has to be a number above 0. Leave it out for 28800.",
  ],
  [
    { sessionBackend: {} as SessionBackend },
    "A session backend needs the methods load(sessionId) and save(sessionId, data, timeout). To keep sessions in memory, pass new InMemorySessionBackend().",
  ],
  [
    { session: { cookie: { name: "__Host-id", secure: false } } },
    "The cookie __Host-id has to be secure: its prefix requires it. Leave out `secure: false`, or the prefix.",
  ],
];

describe("App", () => {
  test("sends a visitor's first page as text, together with the cookie", async () => {
    await using server = serve(new Counter());
    const { headers } = await fetch(server.url);
    expect(headers.get("content-type")).toBe("text/plain;charset=utf-8");
    expect(headers.get("set-cookie")).toMatch(
      /^session_id=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
    );
  });

  test.each(OPTION_ERRORS)("refuses %j at construction, with the remedy", (options, message) => {
    expect(() => new App(options)).toThrow(new TypeError(message));
  });

  test("ends sessions by the given clock, in memory too", async () => {
    const clock = new FakeClock();
    clock.advance(Date.UTC(2000) - clock.now());
    const client = new TestClient(new Counter({ session: { now: clock.now, sweepInterval: 0 } }));
    await client.send("/");
    expect(await client.text("/")).toBe("You have visited 2 times.");
    clock.advance(SESSION_TIMEOUT * 1000 - 1);
    expect(await client.text("/visits")).toBe("2");
    clock.advance(SESSION_TIMEOUT * 1000);
    expect(await client.text("/visits")).toBe("0");
  });
});

describe("fetch", () => {
  const REQUEST = new Request("http://localhost/about");

  test("works when detached from its app", async () => {
    const { fetch } = new Counter();
    expect(await (await fetch(REQUEST)).text()).toBe("about");
  });

  test("is the same function on every access", () => {
    const app = new Counter();
    expect(app.fetch).toBe(app.fetch);
  });

  test("returns synchronously when nothing is asynchronous", () => {
    expect(new Counter().fetch(REQUEST)).toBeInstanceOf(Response);
  });

  test("returns a promise if the backend does", () => {
    const headers = { cookie: `session_id=${"A".repeat(43)}` };
    const request = new Request("http://localhost/about", { headers });
    const app = new Counter({ sessionBackend: new AsyncMapBackend() });
    expect(app.fetch(request)).toBeInstanceOf(Promise);
  });

  test.each([
    ["http://localhost", "index"],
    ["https://localhost:3000/", "index"],
    ["http://a/", "index"],
    ["http://a?page=b/c", "index"],
    ["http://a/page?b=/c", "page"],
    ["http://a/page/", "page"],
  ])("answers %s by its path", async (url, name) => {
    class Named extends App {
      index() {
        return "index";
      }

      page() {
        return "page";
      }
    }
    expect(await (await new Named().fetch(new Request(url))).text()).toBe(name);
  });
});

describe("this.request", () => {
  test("exists only while a request is answered", async () => {
    const app = new Counter();
    await new TestClient(app).send("/");
    expect(() => app.request).toThrow(
      new Error(
        "this.request is available only while a request is being handled: in a page, or in a function that a page calls. Bun reads a ReadableStream later: read this.request before, or return a generator, in which it works.",
      ),
    );
  });

  test("belongs to one request, however requests interleave", async () => {
    const arrivals: (() => void)[] = [];
    const everyone = Promise.withResolvers<void>();
    const COUNT = 20;

    class Crowd extends App<{ name: string }> {
      async enter(name: string) {
        const before = this._name();
        this.request.session.name = name;
        arrivals.push(everyone.resolve);
        if (arrivals.length === COUNT) everyone.resolve();
        await everyone.promise;
        await new Promise(setImmediate);
        return [name, before, this._name(), this.request.params[0], this.request.session.name];
      }

      name() {
        return this.request.session.name;
      }

      _name() {
        return this.request.query("name");
      }
    }

    const app = new Crowd();
    const clients = Array.from({ length: COUNT }, () => new TestClient(app));
    const seen = await Promise.all(
      clients.map(async (client, index) =>
        (await client.send(`/enter/${index}?name=${index}`)).json(),
      ),
    );
    expect(seen).toEqual(clients.map((_, index) => Array(5).fill(String(index))));
    expect(await Promise.all(clients.map((client) => client.text("/name")))).toEqual(
      clients.map((_, index) => String(index)),
    );
  });

  test("is the right app's when one app calls another", async () => {
    const inner = new Counter();
    class Outer extends App<{ visits: number }> {
      async index() {
        this.request.session.visits = 70;
        const answer = await inner.fetch(new Request("http://inner/"));
        return [await answer.text(), this.request.session.visits, this.request.path];
      }
    }
    expect(await new TestClient(new Outer()).text("/")).toBe(
      '["You have visited 1 times.",70,"/"]',
    );
  });
});

/** Whatever else a page may do before it fails: tests/integrations/scenarios.test.ts. */
describe("a page that returns what cannot be sent", () => {
  class Site extends App<{ value: string }> {
    set(value: string) {
      this.request.session.value = value;
      return 1n;
    }

    async setLater(value: string) {
      return this.set(value);
    }

    leave() {
      this.request.session.destroy();
      return 1n;
    }

    async leaveLater() {
      return this.leave();
    }

    keep(value: string) {
      this.request.session.value = value;
    }

    get() {
      return this.request.session.value ?? "nothing";
    }
  }

  test.each(["set", "setLater"])("S8: leaves the session unchanged: %s", async (page) => {
    using _error = quiet("error");
    const client = new TestClient(new Site());
    for (const kept of ["nothing", "first"]) {
      const { status, headers } = await client.send(`/${page}/changed`);
      expect([status, headers.getSetCookie()]).toEqual([500, []]);
      expect(await client.text("/get")).toBe(kept);
      await client.send("/keep/first");
    }
  });

  test.each(["leave", "leaveLater"])("L6: ends a session that it destroys: %s", async (page) => {
    using _error = quiet("error");
    const client = new TestClient(new Site());
    await client.send("/keep/first");
    const thief = client.clone();
    const { status, headers } = await client.send(`/${page}`);
    expect([status, headers.get("cache-control")]).toEqual([500, "no-store"]);
    expect(client.sessionId).toBeUndefined();
    expect(await thief.text("/get")).toBe("nothing");
  });
});

test("I7: reveals the cookie neither to the log nor to the visitor", async () => {
  using error = quiet("error");
  const store = new TappedStore();
  const client = new TestClient(new Counter({ sessionBackend: store }));
  await client.send("/");
  store.break("read");
  const body = await client.text("/");
  expect(client.sessionId).toHaveLength(43);
  expect(body + Bun.inspect(error.mock.calls, { depth: 10 })).not.toContain(client.sessionId ?? "");
});

/** The names of the cookies that a response sets, line by line. */
function names(response: Response): string[] {
  return response.headers.getSetCookie().map((line) => Bun.Cookie.parse(line).name);
}

describe("Set-Cookie", () => {
  const SHARED = new Response(null, { status: 303, headers: { location: "/" } });

  class Baker extends App<{ name: string }> {
    both() {
      this.request.cookies.set("theme", "dark");
      return new Response("both", { headers: { "set-cookie": "language=de" } });
    }

    named(name: string) {
      this.request.cookies.set("name", name);
      return SHARED;
    }

    shared() {
      return SHARED;
    }

    forged() {
      this.request.session.name = "x";
      return new Response(null, { headers: { "set-cookie": "session_id=forged; Path=/" } });
    }

    whoami() {
      return this.request.session.name ?? "nobody";
    }

    fails() {
      this.request.cookies.set("theme", "dark");
      throw new HttpError(404, "No such thing");
    }
  }

  test("C7: of a Response and of this.request.cookies is sent", async () => {
    expect(names(await new TestClient(new Baker()).send("/both"))).toEqual(["language", "theme"]);
  });

  test("C7: with the session's name is the session's own", async () => {
    const client = new TestClient(new Baker());
    const response = await client.send("/forged");
    expect(names(response)).toEqual(["session_id"]);
    expect(await client.text("/whoami")).toBe("x");
  });

  test("is not sent with an error", async () => {
    expect(names(await new TestClient(new Baker()).send("/fails"))).toEqual([]);
  });

  test("is not left behind on a Response that is sent to several visitors", async () => {
    const app = new Baker();
    const first = await new TestClient(app).send("/named/ann");
    expect(names(first)).toHaveLength(1);
    expect([first.status, first.headers.get("location")]).toEqual([303, "/"]);
    const second = await new TestClient(app).send("/named/bob");
    expect(names(second)).toHaveLength(1);
    expect(second.headers.get("set-cookie")).not.toBe(first.headers.get("set-cookie"));
    expect(names(await new TestClient(app).send("/shared"))).toEqual([]);
    expect(SHARED.headers.has("set-cookie")).toBe(false);
  });
});

function cacheHeaders({ headers }: Response): (string | null)[] {
  return [headers.get("vary"), headers.get("cache-control")];
}

describe("caching", () => {
  const KINDS: Record<string, (app: App) => unknown> = {
    text: () => "text",
    page: () => html`<p></p>`,
    json: () => ({}),
    nothing: () => undefined,
    stream: () => new ReadableStream({ start: (controller) => controller.close() }),
    bytes: () => new Uint8Array(1),
    redirect: (app) => app.redirect("/"),
    unchanged: () => new Response(null, { status: 304 }),
    public: () => new Response("", { headers: { "cache-control": "public, max-age=60" } }),
  };

  class Cached extends App<{ seen: number }> {
    skip(kind: string) {
      return KINDS[kind]?.(this as App);
    }

    read(kind: string) {
      void this.request.session.seen;
      return KINDS[kind]?.(this as App);
    }

    write(kind: string) {
      this.request.session.seen = 1;
      return KINDS[kind]?.(this as App);
    }

    async destroy(kind: string) {
      this.request.session.destroy();
      return KINDS[kind]?.(this as App);
    }

    refuse() {
      this.request.session.destroy();
      throw new HttpError(403, "Go away");
    }
  }

  describe.each(Object.keys(KINDS))("%s", (kind) => {
    const asked = kind === "public" ? "public, max-age=60" : null;

    test.each(["GET", "HEAD"])(
      "K3: %s without the session may be cached by anyone",
      async (method) => {
        const response = await new TestClient(new Cached()).send(`/skip/${kind}`, { method });
        expect(cacheHeaders(response)).toEqual([null, asked]);
      },
    );

    test.each(["GET", "HEAD"])(
      "K3, D2: %s that reads the session varies, and is private",
      async (method) => {
        const response = await new TestClient(new Cached()).send(`/read/${kind}`, { method });
        expect(cacheHeaders(response)).toEqual(["Cookie", asked ?? "private"]);
      },
    );

    test.each(["GET", "HEAD"])("K3: %s that sets the cookie is not stored", async (method) => {
      using warn = quiet("warn");
      const client = new TestClient(new Cached());
      for (const page of ["write", "destroy"]) {
        const response = await client.send(`/${page}/${kind}`, { method });
        expect(response.headers.getSetCookie()).toHaveLength(1);
        expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
      }
      expect(warn).toHaveBeenCalledTimes(kind === "public" ? 2 : 0);
    });
  });

  test("K3: an error that clears the cookie is not stored", async () => {
    const client = new TestClient(new Cached());
    await client.send("/write/text");
    const response = await client.send("/refuse");
    expect(response.status).toBe(403);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(cacheHeaders(response)).toEqual(["Accept, Cookie", "no-store"]);
  });
});

describe("a store that fails while a failed request ends its session", () => {
  class Site extends App {
    index() {
      this.request.session.seen = 1;
      return "";
    }

    leave() {
      this.request.session.destroy();
      throw new HttpError(403, "Go away");
    }

    async leaveLater() {
      this.leave();
    }
  }

  test.each(["/leave", "/leaveLater"])(
    "S7: is answered with 503, and the cookie stays: %s",
    async (path) => {
      using error = quiet("error");
      const store = new TappedStore();
      const client = new TestClient(new Site({ sessionBackend: store }));
      await client.send("/");
      store.break("delete");
      const { status, headers } = await client.send(path);
      expect([status, headers.getSetCookie()]).toEqual([503, []]);
      expect(error).toHaveBeenCalledTimes(1);
      store.mend();
      expect((await client.send("/leave")).status).toBe(403);
    },
  );

  test("S7: is answered with 503 if it fails asynchronously", async () => {
    using _error = quiet("error");
    const store = new TappedStore();
    const client = new TestClient(new Site({ sessionBackend: store }));
    await client.send("/");
    store.once("delete", () => Promise.reject(new Error("The disk is gone.")));
    expect((await client.send("/leave")).status).toBe(503);
  });
});

describe("redirect", () => {
  test.each([false, true])(
    "that a page does not return causes an error: asynchronous %p",
    async (isLate) => {
      const reports: unknown[] = [];
      class Forgetful extends App {
        index(): Promise<void> | undefined {
          this.redirect("/elsewhere");
          return isLate ? Promise.resolve() : undefined;
        }
        override onReport(error: unknown): void {
          reports.push(error);
        }
      }
      expect((await new TestClient(new Forgetful()).send("/")).status).toBe(500);
      expect(reports).toEqual([
        new TypeError(
          "The page called this.redirect() and returned nothing. Write `return this.redirect(…)`.",
        ),
      ]);
    },
  );

  const app = new App();

  test("sends the browser to another page with 302", async () => {
    const response = app.redirect("/cart?added=1#top");
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe("/cart?added=1#top");
    expect(await response.text()).toBe("");
  });

  test.each([301, 302, 303, 307, 308])("accepts the status %d", (status) => {
    expect(app.redirect("/", status).status).toBe(status);
  });

  test.each([200, 300, 304, 305, 306, 399, 404, Number.NaN])("refuses the status %d", (status) => {
    expect(() => app.redirect("/", status)).toThrow(
      new RangeError(`A redirect has the status 301, 302, 303, 307 or 308, not ${status}.`),
    );
  });

  test.each([
    ["/grüße/日本", "/gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC"],
    ["/🥧", "/%F0%9F%A5%A7"],
    ["/a b\tc", "/a%20b%09c"],
    ["/\r\nset-cookie: a=b", "/%0D%0Aset-cookie:%20a=b"],
    ["/\u0000\u007f\u0085\u2028", "/%00%7F%C2%85%E2%80%A8"],
    ["/\ud83e", "/%EF%BF%BD"],
    ["/already%20encoded", "/already%20encoded"],
    ["https://example.com/?q=ä&r=1", "https://example.com/?q=%C3%A4&r=1"],
    ["", ""],
  ])("encodes what a header cannot contain: %j", (location, encoded) => {
    expect(app.redirect(location).headers.get("location")).toBe(encoded);
  });
});
