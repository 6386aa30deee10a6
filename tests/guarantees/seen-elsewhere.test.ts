// What went wrong in other session layers, tried here. Each test has the name of what happened there,
// with the advisory or the issue; where there is none, it was seen by running the library.
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";

import type { AppOptions } from "bunpie";
import { App, HttpError, routes, SESSION_TIMEOUT } from "bunpie";
import { SqliteSessionBackend } from "bunpie/sqlite";

import type { CookieOptions } from "../../src/session/cookie.ts";
import { createId, hashId } from "../../src/session/id.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { CLOCK_TOLERANCE } from "../../src/store/sweeper.ts";
import type { Fetcher } from "../../src/testing/client.ts";
import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";
import { Folder } from "../support/folder.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, head } from "../support/raw.ts";
import { BACKENDS, SWEPT_STORES } from "../support/stores/backends.ts";
import type { Watched } from "../support/stores/watched-backend.ts";
import { isLook, watch } from "../support/stores/watched-backend.ts";

const HOUR = 3_600_000;
const TIMEOUT = SESSION_TIMEOUT * 1000;
const MB = 1024 * 1024;

interface Data {
  cart: string[];
  colour: string;
  size: string;
  visits: number;
}

/** Where a page waits until the test lets it go on. */
class Halt {
  readonly #reached = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  readonly reached = this.#reached.promise;
  readonly release = this.#released.resolve;

  wait(): Promise<void> {
    this.#reached.resolve();
    return this.#released.promise;
  }
}

/** A site with what nearly every site has: a cart, a login, a logout. */
class Site extends App<Data> {
  readonly _halt = new Halt();

  index(): string {
    const { cart = [], meta } = this.request.session;
    return `${meta.userId ?? "nobody"}: ${cart.join(", ")}`;
  }

  about(): string {
    return "about us";
  }

  login(user: string): Response {
    this.request.session.login(user);
    return this.redirect("/");
  }

  remember(user: string): Response {
    this.request.session.login(user, { remember: 4 * 3_600 });
    return this.redirect("/");
  }

  logout(): Response {
    this.request.session.destroy();
    return this.redirect("/");
  }

  add(item: string): Response {
    const { session } = this.request;
    session.cart = [...(session.cart ?? []), item];
    return this.redirect("/");
  }

  async addSlowly(item: string): Promise<Response> {
    await this._halt.wait();
    return this.add(item);
  }

  choose(key: "colour" | "size", value: string): void {
    this.request.session[key] = value;
  }

  async chooseSlowly(key: "colour" | "size", value: string): Promise<void> {
    await this._halt.wait();
    this.choose(key, value);
  }

  choice(): string {
    const { colour, size } = this.request.session;
    return `${colour}, ${size}`;
  }

  async visit(): Promise<void> {
    await this.request.session.update((stored) => {
      stored.visits = (stored.visits ?? 0) + 1;
    });
  }

  visits(): number {
    return this.request.session.visits ?? 0;
  }

  fail(item: string): never {
    this.request.session.cart?.push(item);
    this.request.session.login("mallory");
    throw new HttpError(409, "Not now");
  }

  hasCart(): string {
    return "cart" in this.request.session ? "full" : "empty";
  }

  async fields(): Promise<number> {
    return (await this.request.form()).size;
  }
}

/** The random numbers that `id` was made of come up once more. */
function repeatOnce(id: string) {
  const bytes = Uint8Array.fromBase64(id, { alphabet: "base64url" });
  return spyOn(crypto, "getRandomValues").mockImplementationOnce((array) => {
    (array as unknown as Uint8Array).set(bytes);
    return array;
  });
}

/** How many characters two texts have in common at their beginning. */
function commonStart(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

describe.each(BACKENDS)("seen elsewhere, and not here, on %s", (_, create) => {
  let clock: FakeClock;
  let watched: Watched<SessionBackend>;
  let site: Site;
  let browser: TestClient;

  beforeEach(() => {
    clock = new FakeClock();
    watched = watch<SessionBackend>(create(clock.now));
    site = new Site({
      sessionBackend: watched.backend,
      session: { now: clock.now, sweepInterval: 0 },
    });
    browser = new TestClient(site);
  });
  afterEach(async () => {
    watched.before = () => undefined;
    await site.close();
  });

  const stored = async (id = ""): Promise<object> => (await watched.backend.load(id)) ?? {};
  const writes = (): readonly unknown[] => watched.calls.filter(([method]) => !isLook(method));

  test("Fiber CVE-2024-38513, MicroPie: an id of the client's own making became the session's key", async () => {
    const planted = createId();
    browser.cookies.set("session_id", planted);
    const thief = browser.clone();
    await browser.send("/add/pie");
    await browser.send("/login/ann");
    expect(browser.sessionId).not.toBe(planted);
    expect(await browser.text("/")).toBe("ann: pie");
    expect(await thief.text("/")).toBe("nobody: ");
    for (const key of [planted, hashId(planted)]) expect(await stored(key)).toEqual({});
  });

  test("passport CVE-2022-25896: the id from before the login was good after it", async () => {
    const thief = new TestClient(site);
    await thief.send("/add/pie");
    const victim = thief.clone();
    await victim.send("/login/ann");
    expect(await victim.text("/")).toBe("ann: pie");
    expect(await thief.text("/")).toBe("nobody: ");
  });

  test("rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: a request under way brought back a session that had ended", async () => {
    await browser.send("/login/ann");
    const tab = browser.clone();
    const slow = tab.send("/addSlowly/pie");
    await site._halt.reached;
    await browser.send("/logout");
    site._halt.release();
    await slow;
    expect(await tab.text("/")).toBe("nobody: ");
    expect(await stored(hashId(tab.sessionId ?? ""))).toEqual({});
  });

  test("express-session, @fastify/session, hono-sessions, koa-session: of two keys set at the same time, one was lost", async () => {
    await browser.send("/choose/size/small");
    const slow = browser.send("/chooseSlowly/colour/red");
    await site._halt.reached;
    await browser.send("/choose/size/large");
    site._halt.release();
    await slow;
    expect(await browser.text("/choice")).toBe("red, large");
  });

  test("express-session #360: a redirect left before the session was stored", async () => {
    using _info = quiet("info");
    await browser.send("/add/pie");
    const { port = 0, url } = site.listen(0);
    const headers = { cookie: `session_id=${browser.sessionId}` };
    const [first, next] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    await Promise.all([once(first, "connect"), once(next, "connect")]);

    const saving = new Halt();
    watched.before = (method) => (isLook(method) ? undefined : saving.wait());
    first.write(head("GET /add/tea HTTP/1.1", headers));
    first.once("data", () => next.write(head("GET / HTTP/1.1", headers)));
    const redirected = Array.fromAsync(first);
    const shown = Array.fromAsync(next);
    await saving.reached;
    // While a whole page goes back and forth, the redirect could have left too.
    await fetch(new URL("/about", url));
    expect(first.bytesRead).toBe(0);
    saving.release();
    expect((await redirected).join("")).toStartWith("HTTP/1.1 302");
    expect((await shown).join("")).toEndWith("nobody: pie, tea");
  });

  test("express-session: the answer was 200 although the session was not stored", async () => {
    using _error = quiet("error");
    await browser.send("/choose/size/small");
    watched.before = (method) => {
      if (!isLook(method)) throw new Error("The disk is full.");
    };
    for (const client of [browser, new TestClient(site)]) {
      const response = await client.send("/choose/size/large");
      expect(response.status).toBe(503);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    watched.before = () => undefined;
    expect(await browser.text("/choice")).toBe("undefined, small");
  });

  test("hono-sessions: while the store was down, visitors were strangers and lost their cookies", async () => {
    using _error = quiet("error");
    await browser.send("/login/ann");
    watched.before = () => {
      throw new Error("The store is down.");
    };
    for (const path of ["/", "/add/pie", "/about"]) {
      const response = await browser.send(path);
      expect(response.status).toBe(503);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    expect(await new TestClient(site).text("/about")).toBe("about us");
    watched.before = () => undefined;
    expect(await browser.text("/")).toBe("ann: ");
  });

  test("@fastify/session, hono-sessions: every anonymous visit made a row, a cookie and a write", async () => {
    for (const path of ["/", "/about", "/hasCart", "/choice", "/visits", "/logout"]) {
      const response = await new TestClient(site).send(path);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    expect(watched.calls).toEqual([]);
  });

  test("@fastify/session CVE-2024-35220: each load reckoned the end anew, so that no session ended", async () => {
    await browser.send("/remember/ann");
    for (let load = 0; load < 3; load++) {
      clock.advance(3 * HOUR);
      // The second page waits for what the first has begun in the background.
      for (const _page of [1, 2]) expect(await browser.text("/")).toBe("ann: ");
    }
    clock.advance(4 * HOUR);
    expect(await browser.text("/")).toBe("nobody: ");
  });

  test.each(["/add/tea", "/login/bob"])(
    "tower-sessions 0.12 (#180, #188): a new session with an id that was taken opened the other's: %s",
    async (path) => {
      await browser.send("/login/ann");
      await browser.send("/add/pie");
      const other = new TestClient(site);
      if (path === "/login/bob") await other.send("/choose/size/small");
      using random = repeatOnce(browser.sessionId ?? "");
      await other.send(path);
      expect(await browser.text("/")).toBe("ann: pie");
      expect(await other.text("/")).toBe(path === "/add/tea" ? "nobody: tea" : "bob: ");
      expect(other.sessionId).not.toBe(browser.sessionId);
      expect(random).toHaveBeenCalledTimes(2);
    },
  );

  test("Rack CVE-2019-16782: the time of a look-up told how much of an id was guessed", async () => {
    await browser.send("/login/ann");
    const id = browser.sessionId ?? "";
    for (const right of [10, 20, 30, 40]) {
      const guess = new TestClient(site);
      guess.cookies.set("session_id", id.slice(0, right) + createId().slice(right));
      watched.calls.length = 0;
      expect(await guess.text("/")).toBe("nobody: ");
      const [[, key] = []] = watched.calls;
      // Two hashes have five characters in common once in a billion times.
      expect(commonStart(String(key), hashId(id))).toBeLessThan(5);
    }
    await browser.send("/add/pie");
    expect(Bun.inspect(watched.calls)).not.toContain(id);
  });

  test("Django CVE-2015-5143, CVE-2015-5963: unknown ids and anonymous logouts made rows", async () => {
    for (let visit = 0; visit < 20; visit++) {
      const stranger = new TestClient(site);
      const id = createId();
      stranger.cookies.set("session_id", id);
      for (const path of ["/", "/logout"]) {
        const response = await stranger.send(path);
        const isCleared = path === "/logout" ? [expect.stringContaining("Max-Age=0")] : [];
        expect(response.headers.getSetCookie()).toEqual(isCleared);
        stranger.cookies.set("session_id", id);
      }
      expect(await stored(hashId(id))).toEqual({});
    }
    expect(writes()).toEqual([]);
  });

  test("MicroPie: what a failed request had changed stayed changed", async () => {
    await browser.send("/add/pie");
    expect((await browser.send("/fail/mud")).status).toBe(409);
    expect(await browser.text("/")).toBe("nobody: pie");
  });

  test("MicroPie: of fifty increments at once, one survived", async () => {
    await browser.send("/visit");
    await Promise.all(Array.from({ length: 50 }, () => browser.send("/visit")));
    expect(await browser.text("/visits")).toBe("51");
  });
});

describe("seen elsewhere, and not here", () => {
  test("rack-session CVE-2025-46336, express-session, @fastify/session, hono-sessions, koa-session: another process brought back a session that had ended", async () => {
    using folder = new Folder();
    const DATABASE = folder.file("sessions.db");
    await using there = new ServedApp("listening.ts", { env: { DATABASE } });
    const here = new Site({ sessionBackend: new SqliteSessionBackend(DATABASE) });
    const browser = new TestClient(there);
    expect(await browser.text("/")).toBe("1");
    const slow = browser.send("/slow");
    await there.message("slow");
    await browser.clone(here).send("/logout");
    there.process.send("go on");
    await slow;
    using database = new Database(DATABASE, { readonly: true });
    expect(database.query("SELECT * FROM bunpie_sessions").all()).toEqual([]);
    expect(await browser.clone(here).text("/visits")).toBe("0");
    expect(await browser.clone().text("/")).toBe("1");
    await here.close();
  });

  test("Hono CVE-2026-39410: a no-break space before its name let an evil cookie pass for the session's", async () => {
    using _info = quiet("info");
    const site = new Site({ session: { cookie: { name: "__Host-id" } } });
    const [victim, thief] = [new TestClient(site), new TestClient(site)];
    await victim.send("/login/ann");
    await thief.send("/login/mallory");
    const good = `__Host-id=${victim.cookies.get("__Host-id")}`;
    const evil = `\u00a0__Host-id=${thief.cookies.get("__Host-id")}`;
    const { port = 0 } = site.listen(0);
    for (const encoding of ["latin1", "utf8"] as const) {
      for (const [cookie, shown] of [
        [`${evil}; ${good}`, "ann: "],
        [`${good}; ${evil}`, "ann: "],
        [evil, "nobody: "],
        [`a=1; ${evil}`, "nobody: "],
      ] as const) {
        const request = Buffer.from(head("GET / HTTP/1.1", { cookie }), encoding);
        expect(await exchange(port, request)).toEndWith(`\r\n\r\n${shown}`);
      }
    }
    await site.close();
  });

  test.each<[keyof CookieOptions, string]>([
    ["name", "userName=<script>alert(1)</script>; Max-Age=2592000; a"],
    ["name", "id; Domain=evil.example"],
    ["path", "/; Domain=evil.example"],
    ["path", "/\r\nSet-Cookie: session_id=evil"],
    ["domain", "example.com; Path=/evil"],
    ["sameSite", "lax; Domain=evil.example"],
    ["sameSite", "lax\nSet-Cookie: session_id=evil"],
  ])(
    "jshttp/cookie CVE-2024-47764, Hono CVE-2026-47675: a cookie's %s carried further attributes along: %j",
    (option, value) => {
      const options = { session: { cookie: { [option]: value } } } as AppOptions;
      expect(() => new Site(options)).toThrow(`The cookie's ${option}`);
    },
  );

  test("Flask CVE-2023-30861, Django CVE-2026-35192: a shared cache kept the cookie of a page that renewed it", async () => {
    const clock = new FakeClock();
    const site = new Site({ session: { now: clock.now, sweepInterval: 0 } });
    const cache = new SharedCache(site);
    const [ann, bob] = [new TestClient(cache), new TestClient(cache)];
    await ann.send("/remember/ann");
    clock.advance(HOUR);
    expect((await ann.send("/about")).headers.getSetCookie()).toHaveLength(1);
    expect((await bob.send("/about")).headers.getSetCookie()).toEqual([]);
    expect(await bob.text("/")).toBe("nobody: ");
    expect(cache.hits).toBe(0);
    // It does keep what is everybody's.
    expect(await ann.text("/about")).toBe("about us");
    expect(cache.hits).toBe(1);
    await site.close();
  });

  test("Flask CVE-2026-27205: a shared cache kept a page that had only asked for a key", async () => {
    const site = new Site();
    const cache = new SharedCache(site);
    const [ann, bob] = [new TestClient(cache), new TestClient(cache)];
    await ann.send("/add/pie");
    expect(await ann.text("/hasCart")).toBe("full");
    expect(await bob.text("/hasCart")).toBe("empty");
    expect(await ann.text("/hasCart")).toBe("full");
    // The page is private: a shared cache may not keep it at all.
    expect(cache.hits).toBe(0);
    await site.close();
  });

  test("React CVE-2025-55182, MicroPie: a name from the wire reached what is no page", async () => {
    using _info = quiet("info");
    const site = new Site();
    const { url } = site.listen(0);
    const names =
      "constructor __proto__ __proto__/constructor toString valueOf hasOwnProperty __defineGetter__ then " +
      "call apply bind prototype close listen fetch redirect/https:%2F%2Fevil.example sessions request " +
      "maxRequestBodySize _halt _halt/release";
    for (const name of names.split(" ")) {
      const { status } = await fetch(new URL(`/${name}`, url), { redirect: "manual" });
      expect([name, status]).toEqual([name, 404]);
    }
    expect(await (await fetch(url)).text()).toBe("nobody: ");
    await site.close();
  });

  test.each([
    ["a method", "POST", "/fill"],
    ["a method with a segment", "POST", "/put/pie"],
    ["a field's handler", "DELETE", "/cart"],
    ["a field's handler with a segment", "PUT", "/shelf/pie"],
    ["index with a segment", "POST", "/pie"],
    ["a pattern", "PATCH", "/shelves/3/pie"],
  ])(
    "React Router CVE-2026-22030: the origin was checked on one way to the handlers only: %s",
    async (_, method, path) => {
      const site = new Forms();
      const browser = new TestClient(site);
      await browser.send("/shelf/tea");
      const origin = "https://evil.example";
      for (const headers of [{ origin, "sec-fetch-site": "cross-site" }, { origin }]) {
        expect((await browser.send(path, { method, headers })).status).toBe(403);
        expect(await browser.text("/cart")).toBe("tea");
      }
      expect((await browser.send(path, { method })).status).toBeWithin(200, 205);
      expect(await browser.text("/cart")).not.toBe("tea");
      await site.close();
    },
  );

  test.each([
    ["one field", 'Content-Disposition: form-data; name="a"\r\n\r\n', "x".repeat(1_000)],
    ["small parts", "", 'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n--edge\r\n'],
  ])(
    "Werkzeug CVE-2023-25577, Starlette CVE-2024-47874: a form in parts without an end filled the memory: %s",
    async (_, start, more) => {
      let pulled = 0;
      const body = new ReadableStream<Uint8Array>({
        start: (stream) => stream.enqueue(Buffer.from(`--edge\r\n${start}`)),
        pull(stream) {
          stream.enqueue(Buffer.from(more));
          pulled += more.length;
          if (pulled > 16 * MB) stream.close();
        },
      });
      const site = new Site();
      const headers = { "content-type": "multipart/form-data; boundary=edge" };
      const response = await new TestClient(site).send("/fields", {
        method: "POST",
        body,
        headers,
      });
      expect(response.status).toBe(413);
      expect(pulled).toBeLessThan(1.1 * MB);
      await site.close();
    },
  );

  test.each(SWEPT_STORES)(
    "govuk-prototype-kit #2399: the sweeper removed sessions that were in use: %s",
    async (_, create) => {
      const clock = new FakeClock();
      const site = new Site({
        sessionBackend: create(clock.now),
        session: { now: clock.now, sweepInterval: 0 },
      });
      const everybody = Array.from({ length: 1_200 }, () => new TestClient(site));
      await Promise.all(everybody.map((client) => client.send("/add/pie")));
      clock.advance(TIMEOUT / 2);
      const active = everybody.filter((_client, index) => index % 20 === 0);
      // The second page waits for what the first has begun in the background.
      for (const _page of [1, 2]) await Promise.all(active.map((client) => client.text("/")));
      clock.advance(TIMEOUT / 2 + CLOCK_TOLERANCE);
      const newcomers = active.map(() => new TestClient(site));
      const live = [...active, ...newcomers];
      const swept = site.sessions.sweep();
      await Promise.all(live.map((client) => client.send("/add/tea")));
      expect(await swept).toBe(everybody.length - active.length);
      for (const client of active) expect(await client.text("/")).toBe("nobody: pie, tea");
      for (const client of newcomers) expect(await client.text("/")).toBe("nobody: tea");
      await site.close();
    },
  );

  test("MicroPie: values of the session were overridden from the query string and the form", async () => {
    const site = new Site();
    const browser = new TestClient(site);
    await browser.send("/add/pie");
    const fields = { cart: "mud", item: "mud", userId: "mallory" };
    const query = new URLSearchParams(fields);
    expect(await browser.text(`/?${query}`)).toBe("nobody: pie");
    expect((await browser.post(`/add/tea?${query}`, fields)).status).toBe(302);
    expect(await browser.text("/")).toBe("nobody: pie, tea");
    await site.close();
  });
});

/** A page of each kind that there is, each of which changes what is in the cart. */
class Forms extends App<{ cart: string[] }> {
  cart = {
    GET: () => this.request.session.cart?.join(", ") ?? "",
    DELETE: () => void delete this.request.session.cart,
  };
  shelf = {
    GET: (item: string) => this._put(item),
    PUT: (item: string) => this._put(item),
  };

  shelves = routes({
    "/:id/:item": { PATCH: (_id, item) => this._put(item) },
  });

  index(item: string): void {
    this._put(item);
  }

  put(item: string): void {
    this._put(item);
  }

  fill(): void {
    this._put("everything");
  }

  _put(item: string): void {
    const { session } = this.request;
    session.cart = [...(session.cart ?? []), item];
  }
}

/** A cache before an app. Keeps what it may, cookies and all, and gives it to whoever asks next. */
class SharedCache implements Fetcher {
  hits = 0;
  readonly #app: Fetcher;
  readonly #kept: { request: Request; response: Response; vary: readonly string[] }[] = [];

  constructor(app: Fetcher) {
    this.#app = app;
  }

  async fetch(request: Request): Promise<Response> {
    const found = this.#kept.find(
      (kept) =>
        kept.request.url === request.url &&
        kept.vary.every((name) => kept.request.headers.get(name) === request.headers.get(name)),
    );
    if (found !== undefined) {
      this.hits++;
      return found.response.clone() as Response;
    }
    const response = await this.#app.fetch(request);
    if (!/no-store|private/.test(response.headers.get("cache-control") ?? "")) {
      const vary = response.headers.get("vary")?.split(/\s*,\s*/) ?? [];
      this.#kept.push({ request, response: response.clone() as Response, vary });
    }
    return response;
  }
}
