import { afterAll, afterEach, beforeAll, describe, expect, test as plainTest } from "bun:test";

import type { Session, SessionEvent, SessionsOptions } from "bunpie";

import { createId, hashId } from "../../src/session/id.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { Gate } from "../support/stores/site.ts";
import type { Operation } from "../support/stores/tapped-store.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import { sessionCookies } from "../support/visitor.ts";
import { APP_DOORS, selectTests, staleExceptions } from "./app-doors.ts";
import type { Answer, Integration, Listener, Page } from "./integrations.ts";
import { INTEGRATIONS, Refusal } from "./integrations.ts";

const CLEARED = { value: "", path: "/", maxAge: 0, secure: true, httpOnly: true, sameSite: "lax" };
const GONE = new Error("The disk is gone.");
const SENTENCE = "Sessions are unavailable. Please try again.";

/** Writes to the session, and answers this. */
function writeAnd(answer: Answer): Page {
  return (session) => ((session["a"] = 1), answer);
}

const write = writeAnd("written");
const look: Page = (session) => Response.json({ ...session });
const take: Page = (session) => Response.json(session.flash("notice") ?? null);
/** Puts what JSON cannot represent into a session. */
function run(session: Record<string, unknown>): void {
  session["run"] = () => 1;
}

function failLater(): Promise<never> {
  return new Promise((_pass, reject) => setImmediate(reject, GONE));
}

function regenerateAndFail(session: Session): Response {
  session.regenerate();
  return Response.error();
}

function writeAndAnswer(status: 404 | 500): Page {
  return (session) => ((session["a"] = status), { status });
}

/** The pages of one integration, asked as a function or over HTTP. */
class Site {
  readonly store = new TappedStore();
  readonly events: SessionEvent[] = [];
  readonly #pages: Page[] = [];
  readonly #fetch: (request: Request) => Response | Promise<Response>;
  readonly #listener: Listener | undefined;

  constructor({ create }: Integration, way: string, more: Partial<SessionsOptions> = {}) {
    const onEvent = (event: SessionEvent): void => void this.events.push(event);
    const options = { backend: this.store, sweepInterval: 0, onEvent, ...more };
    const { fetch: call = notFound, listen } = create(options, this.#pages);
    this.#listener = way === "over HTTP" ? listen() : undefined;
    this.#fetch = this.#listener === undefined ? call : (request) => this.#send(request);
  }

  /** A browser that has not been here before. */
  client(): TestClient {
    return new TestClient({ fetch: (request) => this.#fetch(request) });
  }

  /** One turn of HTTP, to a page that is made up on the spot. */
  visit(client: TestClient, page: Page, init?: RequestInit): Promise<Response> {
    return client.send(`/${this.#pages.push(page) - 1}`, init);
  }

  /** What the session holds, as the next request sees it. */
  async look(client: TestClient): Promise<unknown> {
    return (await this.visit(client, look)).json();
  }

  /** A browser whose session holds `{ a: 1 }`, with nothing noted so far. */
  async visited(): Promise<TestClient> {
    const client = this.client();
    await this.visit(client, write);
    this.store.calls.length = 0;
    this.events.length = 0;
    return client;
  }

  async close(): Promise<void> {
    await this.#listener?.stop(true);
  }

  #send(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const url = new URL(pathname, this.#listener?.url).href;
    return fetch(new Request(url, request), { redirect: "manual" });
  }
}

function notFound(): Response {
  throw new Error("This integration is no function.");
}

/** The one line for the session's cookie, in parts. */
function readCookie(response: Response): Bun.Cookie {
  const [line = "", ...others] = sessionCookies(response);
  expect(others).toEqual([]);
  return Bun.Cookie.parse(line);
}

/** App shows errors in several forms, so that they vary by `Accept` too. */
function cacheHeaders(response: Response): (string | null)[] {
  const vary = response.headers.get("vary");
  const own = response.status < 400 ? vary : (vary?.replace(/^Accept, |, Accept$/, "") ?? null);
  return [own, response.headers.get("cache-control")];
}

/** Those that are no functions. */
const SERVED = new Set(["wrap in routes", "App, a socket"]);

const SITES = [...INTEGRATIONS, ...APP_DOORS]
  .flatMap((integration) => [
    { integration, name: integration.name, way: "as a function" },
    { integration, name: integration.name, way: "over HTTP" },
  ])
  .filter(({ name, way }) => way === "over HTTP" || !SERVED.has(name));

describe.each(SITES)("$name, $way", ({ integration, way }) => {
  const test = selectTests(integration);
  let site: Site;

  beforeAll(() => {
    using _info = quiet("info");
    site = new Site(integration, way);
  });

  afterEach(() => {
    site.store.mend();
  });

  afterAll(() => site.close());

  test("L10: nothing is stored for a visitor who only reads, and no cookie is set", async () => {
    site.store.calls.length = 0;
    const response = await site.visit(site.client(), look);
    expect(await response.json()).toEqual({});
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(cacheHeaders(response)).toEqual(["Cookie", "private"]);
    expect(site.store.calls).toEqual([]);
  });

  test("C1, K1: the first change begins a session, with a cookie, and is kept out of caches", async () => {
    const client = site.client();
    const response = await site.visit(client, write);
    expect([response.status, await response.text()]).toEqual([200, "written"]);
    expect(readCookie(response)).toMatchObject({
      ...CLEARED,
      maxAge: undefined,
      value: client.sessionId,
    });
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("C15: reading stores nothing and sets no cookie", async () => {
    const client = await site.visited();
    const response = await site.visit(client, look);
    expect(await response.json()).toEqual({ a: 1 });
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(cacheHeaders(response)).toEqual(["Cookie", "private"]);
    expect(site.store.calls).toEqual(["read"]);
  });

  test.each([
    ["login()", (session) => session.login("ann")],
    ["regenerate()", (session) => session.regenerate()],
  ] as [string, Page][])("L1: %s sets a new id, and the old one is dead", async (_, page) => {
    const client = await site.visited();
    const thief = client.clone();
    const response = await site.visit(client, page);
    expect(readCookie(response).value).not.toBe(thief.sessionId ?? "");
    expect(await site.look(client)).toEqual({ a: 1 });
    expect(await site.look(thief)).toEqual({});
  });

  test("a flash message survives a redirect, and is shown once", async () => {
    const client = site.client();
    const sent = await site.visit(client, (session) => {
      session.flash("notice", "Saved.");
      return { redirect: "/" };
    });
    expect([sent.status, sent.headers.get("location")]).toEqual([303, "/"]);
    expect(cacheHeaders(sent)).toEqual(["Cookie", "no-store"]);
    expect(await (await site.visit(client, take)).json()).toBe("Saved.");
    expect(await (await site.visit(client, take)).json()).toBeNull();
  });

  test("L6, C9: destroy() ends the session, and clears the cookie with the attributes it was set with", async () => {
    const client = await site.visited();
    const thief = client.clone();
    const response = await site.visit(client, (session) => session.destroy());
    expect(readCookie(response)).toMatchObject(CLEARED);
    expect(client.sessionId).toBeUndefined();
    expect(await site.look(thief)).toEqual({});
  });

  test("S8: a handler that throws leaves the session unchanged", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    const response = await site.visit(client, (session) => {
      session["a"] = 2;
      session.login("ann");
      throw new Error("The page failed.");
    });
    expect(response.status).toBe(500);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S8: a handler that throws begins no session", async () => {
    using _error = quiet("error");
    site.store.calls.length = 0;
    const response = await site.visit(site.client(), (session) => {
      session["a"] = 1;
      throw new Error("The page failed.");
    });
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(site.store.calls).toEqual([]);
  });

  if (integration.refuses) {
    test("S8: a handler that throws an error with its own status leaves the session unchanged", async () => {
      const client = await site.visited();
      const response = await site.visit(client, (session) => {
        session["a"] = 2;
        throw new Refusal();
      });
      expect(response.status).toBe(409);
      expect(await site.look(client)).toEqual({ a: 1 });
    });
  }

  test("S8: a response of 500 stores nothing, and one of 404 stores like any other", async () => {
    const client = await site.visited();
    expect((await site.visit(client, writeAndAnswer(500))).status).toBe(500);
    expect(await site.look(client)).toEqual({ a: 1 });
    expect((await site.visit(client, writeAndAnswer(404))).status).toBe(404);
    expect(await site.look(client)).toEqual({ a: 404 });
  });

  test.each([
    ["throws", true],
    ["answers 500", false],
  ])("L6: a handler that %s after destroy() has ended the session", async (_, isThrown) => {
    using _error = quiet("error");
    const client = await site.visited();
    const thief = client.clone();
    const response = await site.visit(client, (session) => {
      session.destroy();
      if (isThrown) throw new Error("The page failed.");
      return { status: 500 };
    });
    expect(response.status).toBe(500);
    if (!isThrown || integration.clearsAfterError) {
      expect(readCookie(response)).toMatchObject(CLEARED);
    }
    if (!isThrown) expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
    expect(await site.look(thief)).toEqual({});
  });

  test("a Response keeps its status, headers and body", async () => {
    const client = site.client();
    const response = await site.visit(client, (session) => {
      session["a"] = 1;
      const headers = new Headers({ "x-own": "yes", vary: "Accept" });
      headers.append("set-cookie", "b=2; Path=/");
      return new Response("made", { status: 201, headers });
    });
    expect([response.status, await response.text()]).toEqual([201, "made"]);
    expect(response.headers.get("x-own")).toBe("yes");
    expect(cacheHeaders(response)).toEqual(["Accept, Cookie", "no-store"]);
    expect(response.headers.getSetCookie()[0]).toBe("b=2; Path=/");
    expect(readCookie(response).value).toBe(client.sessionId ?? "");
  });

  test("a Response that was fetched from elsewhere is passed on, with the cookie", async () => {
    await using elsewhere = Bun.serve({ port: 0, fetch: () => new Response("elsewhere") });
    const client = site.client();
    const page: Page = (session) => ((session["a"] = 1), fetch(elsewhere.url));
    const response = await site.visit(client, page);
    expect(await response.text()).toBe("elsewhere");
    expect(readCookie(response).value).toBe(client.sessionId ?? "");
  });

  test("a Response without a body that is sent to many visitors keeps nobody's cookie", async () => {
    const constant = new Response(null, { status: 304 });
    const [one, other] = [site.client(), site.client()];
    for (const client of [one, other]) {
      const response = await site.visit(client, writeAnd(constant));
      expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
    }
    expect(one.sessionId).not.toBe(other.sessionId);
    const response = await site.visit(site.client(), () => constant);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("a Response with a body that is sent again is a 500, which stores and sets nothing", async () => {
    using _error = quiet("error");
    const constant = new Response("");
    expect((await site.visit(site.client(), writeAnd(constant))).status).toBe(200);
    const client = await site.visited();
    const response = await site.visit(client, (session) => ((session["a"] = 2), constant));
    expect(response.status).toBe(500);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S10: a Response.error(), which cannot be sent, is a 500, which stores and sets nothing", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    const response = await site.visit(client, regenerateAndFail);
    expect(response.status).toBe(500);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test.each([201, 204, 205, 301, 303, 304, 308, 401, 410, 503])(
    "K3: a Response of status %d that is sent to many visitors stays as the app has made it",
    async (status) => {
      const constant = new Response(null, { status, headers: { location: "/" } });
      for (const _visitor of ["one", "another"]) {
        const response = await site.visit(site.client(), () => constant);
        expect(cacheHeaders(response)).toEqual(["Cookie", "private"]);
        expect(response.headers.get("location")).toBe("/");
      }
      await site.visit(site.client(), writeAnd(constant));
      // One door's middleware sets this header itself.
      constant.headers.delete("x-middleware");
      expect([...constant.headers]).toEqual([["location", "/"]]);
    },
  );

  test("a stream can store its session by save() while it is being sent", async () => {
    const client = await site.visited();
    const response = await site.visit(client, (session) => ({
      stream: (async function* () {
        yield "first, ";
        session["a"] = 2;
        yield (await session.save()) ? "saved" : "gone";
      })(),
    }));
    expect(await response.text()).toBe("first, saved");
    expect(await site.look(client)).toEqual({ a: 2 });
  });

  test("a stream arrives complete, and the session is stored before it begins", async () => {
    const client = site.client();
    const response = await site.visit(client, writeAnd({ stream: ["one, ", "two, ", "three"] }));
    expect(readCookie(response).value).toBe(client.sessionId ?? "");
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
    expect(await site.look(client)).toEqual({ a: 1 });
    expect(await response.text()).toBe("one, two, three");
  });

  test("K3: HEAD answers as GET does, without the body", async () => {
    const client = site.client();
    const response = await site.visit(client, write, { method: "HEAD" });
    expect(response.status).toBe(200);
    // Bun's server leaves the body out where a function has not.
    if (way === "over HTTP") expect(await response.text()).toBe("");
    expect(readCookie(response).value).toBe(client.sessionId ?? "");
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
  });

  test("C7: the app's own cookies are sent beside the session's, each on its own line", async () => {
    const response = await site.visit(site.client(), writeAnd({ cookies: ["b", "c"] }));
    const names = response.headers.getSetCookie().map((line) => Bun.Cookie.parse(line).name);
    expect(names.toSorted()).toEqual(["b", "c", "session_id"]);
  });

  test("two concurrent requests keep both changes", async () => {
    const client = await site.visited();
    const gate = new Gate();
    const slow = site.visit(client, async (session) => {
      session["b"] = 1;
      await gate.pass();
    });
    await gate.reached;
    await site.visit(client, (session) => void (session["c"] = 1));
    gate.open();
    await slow;
    expect(await site.look(client)).toEqual({ a: 1, b: 1, c: 1 });
  });

  test("I3: an id that was never issued is not adopted", async () => {
    const client = site.client();
    const forged = createId();
    client.cookies.set("session_id", forged);
    await site.visit(client, write);
    expect(client.sessionId).not.toBe(forged);
    client.cookies.set("session_id", forged);
    expect(await site.look(client)).toEqual({});
  });

  test.each(["short", "../../etc/passwd", `${"A".repeat(42)}!`])(
    "I4: %s is no id, and the store is not asked",
    async (id) => {
      const client = site.client();
      site.store.calls.length = 0;
      site.events.length = 0;
      client.cookies.set("session_id", id);
      expect(await site.look(client)).toEqual({});
      expect(site.store.calls).toEqual([]);
      expect(site.events).toEqual([{ type: "rejected", reason: "malformed" }]);
    },
  );

  test.each([
    [
      "C10: a cookie whose name only looks like the session's is not read",
      (id: string) => `\u00a0session_id=${id}`,
      {},
    ],
    [
      "B5: of several cookies, the one that opens a session counts",
      (id: string) => `session_id=${createId()}; session_id=${id}`,
      { a: 1 },
    ],
  ])("%s", async (_, cookieWith, held) => {
    const cookie = cookieWith((await site.visited()).sessionId ?? "");
    const response = await site.visit(site.client(), look, { headers: { cookie } });
    expect(await response.json()).toEqual(held);
  });

  test("S7: a store that fails on load causes a 503, leaves the cookie alone, and calls no handler", async () => {
    using error = quiet("error");
    const client = await site.visited();
    const before = client.sessionId;
    site.store.break("read");
    let calls = 0;
    const response = await site.visit(client, () => `called ${++calls}`);
    expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(cacheHeaders(response)).toEqual(["Cookie", null]);
    expect(calls).toBe(0);
    expect(error).toHaveBeenCalledTimes(1);
    expect(site.events).toEqual([{ type: "failed", operation: "read", error: GONE }]);
    site.store.mend();
    expect(client.sessionId).toBe(before);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S7: a visitor without a cookie is served while the store is down", async () => {
    site.store.break("read");
    expect(await site.look(site.client())).toEqual({});
  });

  const commits: [Operation, string, (session: Session) => unknown][] = [
    ["replace", "a change", (session) => (session["a"] = 2)],
    ["replace", "save()", (session) => ((session["a"] = 2), session.save())],
    ["replace", "update()", (session) => session.update((data) => (data["a"] = 2))],
    ["rotate", "regenerate()", (session) => session.regenerate()],
    ["rotate", "login()", (session) => session.login("ann")],
    ["delete", "destroy()", (session) => session.destroy()],
  ];

  test.each(commits)(
    "S7: a store that fails to %s, for %s, causes a 503, and the session is unchanged",
    async (operation, _, act) => {
      using error = quiet("error");
      const client = await site.visited();
      site.store.break(operation);
      const response = await site.visit(client, async (session) => String(await act(session)));
      expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(cacheHeaders(response)).toEqual(["Cookie", "private"]);
      expect(Bun.inspect(error.mock.calls)).toContain("The disk is gone.");
      expect(site.events[0]).toEqual({ type: "failed", operation, error: GONE });
      site.store.mend();
      expect(await site.look(client)).toEqual({ a: 1 });
    },
  );

  test("S7: a failing save() without await does not end the process, and the commit tries again", async () => {
    const client = await site.visited();
    site.store.once("replace", failLater);
    const response = await site.visit(client, (session) => {
      session["a"] = 2;
      void session.save();
    });
    expect(response.status).toBeLessThan(300);
    expect(site.events[0]).toEqual({ type: "failed", operation: "replace", error: GONE });
    expect(await site.look(client)).toEqual({ a: 2 });
  });

  test("S7: a failing update() without await does not end the process, and causes a 503", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    site.store.once("replace", failLater);
    const response = await site.visit(client, (session) => {
      void session.update((stored) => void (stored["a"] = 2));
    });
    expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
    expect(site.events[0]).toEqual({ type: "failed", operation: "replace", error: GONE });
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S7: an update() without await that has failed when the handler returns causes a 503", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    site.store.once("replace", failLater);
    const response = await site.visit(client, async (session) => {
      void session.update((stored) => void (stored["a"] = 2));
      await Bun.sleep(1);
    });
    expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S7: an update() without await is stored before the response is sent", async () => {
    const client = await site.visited();
    site.store.once("replace", () => Bun.sleep(0));
    const response = await site.visit(client, (session) => {
      void session.update((stored) => void (stored["a"] = 2));
    });
    expect(response.status).toBeLessThan(300);
    expect(site.store.live(hashId(client.sessionId ?? ""))?.data).toBe('{"a":2}');
  });

  test("S7: a session that could not be stored has no cookie, and no response claims success", async () => {
    using _error = quiet("error");
    site.store.once("create", failLater);
    const client = site.client();
    const response = await site.visit(client, writeAnd({ redirect: "/welcome" }));
    expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
    expect(response.headers.get("location")).toBeNull();
    expect(client.sessionId).toBeUndefined();
  });

  test("S7: after save() has changed the id, a 503 carries the cookie, because the old id is dead", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    const response = await site.visit(client, async (session) => {
      session.login("ann");
      await session.save();
      site.store.break("replace");
      session["a"] = 2;
    });
    expect(response.status).toBe(503);
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
    site.store.mend();
    const whose = await site.visit(client, ({ meta }) => String(meta.userId));
    expect(await whose.text()).toBe("ann");
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test("S4: what JSON cannot represent causes a 500, and nothing is stored", async () => {
    using error = quiet("error");
    const client = await site.visited();
    const response = await site.visit(client, (session) => void (session["run"] = () => 1));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("function");
    expect(response.headers.getSetCookie()).toEqual([]);
    if (integration.refuses)
      expect(Bun.inspect(error.mock.calls)).toContain("session.run is a function");
    expect(await site.look(client)).toEqual({ a: 1 });
  });

  test.each([
    ["an update()", (session) => void session.update(run)],
    ["an update() that has failed", (session) => (void session.update(run), Bun.sleep(1))],
    ["a save()", (session) => (run(session), void session.save())],
    ["a save() that has failed", (session) => (run(session), void session.save(), Bun.sleep(1))],
  ] as [string, Page][])(
    "S4: %s without await, of what JSON cannot represent, causes a 500 and does not end the process",
    async (_, page) => {
      using _error = quiet("error");
      for (const client of [site.client(), await site.visited()]) {
        const before = await site.look(client);
        const response = await site.visit(client, page);
        expect(response.status).toBe(500);
        expect(response.headers.getSetCookie()).toEqual([]);
        expect(await site.look(client)).toEqual(before);
      }
    },
  );

  test("S4: an update() of what JSON cannot represent fails no response if its error is caught", async () => {
    const client = await site.visited();
    const response = await site.visit(client, async (session) => {
      await session.update(run).catch(() => undefined);
      session["a"] = 2;
    });
    expect(response.status).toBeLessThan(300);
    expect(await site.look(client)).toEqual({ a: 2 });
  });
});

const TRUSTED = "https://admin.example.com";
const FOREIGN = "https://evil.example";
const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

describe.each(SITES)("cross-site pages, $name, $way", ({ integration, way }) => {
  const test = selectTests(integration);
  let site: Site;
  let calls = 0;

  const page: Page = (session) => {
    calls++;
    session["a"] = 1;
    return "written";
  };

  /** How the page answers, and how often its handler ran. */
  async function ask(method: string, headers: Record<string, string>): Promise<unknown[]> {
    calls = 0;
    const { status } = await site.visit(site.client(), page, { method, headers });
    return [status, calls];
  }

  beforeAll(() => {
    using _info = quiet("info");
    site = new Site(integration, way, { trustedOrigins: [TRUSTED] });
  });

  afterAll(() => site.close());

  test.each([
    ["a cross-site Sec-Fetch-Site", { "sec-fetch-site": "cross-site" }],
    ["a foreign Origin", { origin: FOREIGN }],
  ])("X2: a write with %s is refused before the handler", async (_, headers) => {
    site.events.length = 0;
    expect(await ask("POST", headers)).toEqual([403, 0]);
    expect(site.events).toEqual([]);
  });

  test.each([
    ["neither of these headers", {}],
    ["a trusted Origin", { origin: TRUSTED, "sec-fetch-site": "cross-site" }],
  ])("X2: a write with %s is accepted", async (_, headers) => {
    expect(await ask("POST", headers)).toEqual([200, 1]);
  });

  test("X2: a page is shown to a visitor who follows a link from another site", async () => {
    expect(await ask("GET", { "sec-fetch-site": "cross-site" })).toEqual([200, 1]);
  });

  test.each([
    ["a foreign Origin", { origin: FOREIGN }],
    ["a cross-site Sec-Fetch-Site", { "sec-fetch-site": "cross-site" }],
  ])("X3: a WebSocket handshake with %s is refused before the handler", async (_, headers) => {
    // Bun's fetch does not send these headers over a network.
    if (way === "over HTTP") return;
    expect(await ask("GET", { ...HANDSHAKE, ...headers })).toEqual([403, 0]);
  });

  test("answers a trusted origin's preflight, and never runs the handler for it", async () => {
    calls = 0;
    const headers = {
      origin: TRUSTED,
      "access-control-request-method": "PUT",
      "access-control-request-headers": "content-type",
    };
    const response = await site.visit(site.client(), page, { method: "OPTIONS", headers });
    expect([response.status, calls]).toEqual([204, 0]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "access-control-allow-origin": TRUSTED,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "PUT",
      "access-control-allow-headers": "content-type",
      vary: expect.stringContaining("Origin"),
    });
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("answers no other origin's preflight", async () => {
    const headers = { origin: FOREIGN, "access-control-request-method": "PUT" };
    const response = await site.visit(site.client(), page, { method: "OPTIONS", headers });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("access-control-allow-methods")).toBeNull();
  });

  test("lets a trusted origin's page read the response, which varies by the origin", async () => {
    const trusted = await site.visit(site.client(), look, { headers: { origin: TRUSTED } });
    expect(trusted.headers.get("access-control-allow-origin")).toBe(TRUSTED);
    expect(trusted.headers.get("access-control-allow-credentials")).toBe("true");
    const other = await site.visit(site.client(), look, { headers: { origin: FOREIGN } });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    for (const { headers } of [trusted, other]) {
      expect(headers.get("vary")?.split(", ").toSorted()).toEqual(["Cookie", "Origin"]);
    }
  });

  test("lets a trusted origin's page read that the store is down", async () => {
    using _error = quiet("error");
    const client = await site.visited();
    site.store.break("read");
    const response = await site.visit(client, look, { headers: { origin: TRUSTED } });
    site.store.mend();
    expect([response.status, await response.text()]).toEqual([503, SENTENCE]);
    expect(response.headers.get("access-control-allow-origin")).toBe(TRUSTED);
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
  });
});

describe.each(SITES)("a cross-site API, $name, $way", ({ integration, way }) => {
  const test = selectTests(integration);
  test('`crossOrigin: "allow"` lets their writes in', async () => {
    using _info = quiet("info");
    const site = new Site(integration, way, { crossOrigin: "allow" });
    const headers = { "sec-fetch-site": "cross-site", origin: FOREIGN };
    const { status } = await site.visit(site.client(), look, { method: "POST", headers });
    await site.close();
    expect(status).toBe(200);
  });
});

plainTest("every scenario that a door leaves out is there", () => {
  expect(staleExceptions()).toEqual([]);
});
