import { afterEach, describe, expect, expectTypeOf, jest, mock, spyOn, test } from "bun:test";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { Sessions } from "../../src/http/sessions.ts";
import { hashId } from "../../src/session/id.ts";
import { Names } from "../../src/session/names.ts";
import type { SessionsOptions } from "../../src/session/options.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { CLOCK_TOLERANCE } from "../../src/store/sweeper.ts";
import { quiet } from "../support/quiet.ts";
import {
  BACKENDS,
  LiveObjectBackend,
  MapBackend,
  STORES,
  SWEPT_STORES,
} from "../support/stores/backends.ts";
import {
  begin,
  closeSites,
  createRequest,
  setUpTapped,
  setUpVisited,
  Site,
} from "../support/stores/site.ts";
import type { Operation } from "../support/stores/tapped-store.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import { isLook, watch } from "../support/stores/watched-backend.ts";
import { settle } from "../support/timers.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const TIMEOUT = 8 * HOUR;

const write = (session: Record<string, unknown>): unknown => (session["a"] = 1);
const read: Page = (session) => session["a"];
const logIn: Page = (session) => session.login("ann");
const remembered: Page = (session) => session.login("ann", { remember: 10 * 86_400 });
const identity: Page = ({ meta }) => meta.userId;
const createdAt: Page = ({ meta }) => meta.createdAt;
const isThere: Page = ({ meta }) => !meta.isNew;
const setTwo: Page = (session) => Object.assign(session, { a: 1, b: 2 });
const setCart: Page = (session) => (session["cart"] = { items: [1] });
const facts: Page = (session) => [
  session.meta.userId,
  { ...session },
  session.flash("notice") ?? null,
];

afterEach(async () => {
  jest.useRealTimers();
  mock.restore();
  await closeSites();
});

/** The second look waits for the touch that the first has left behind in the background. */
async function lookTwice(visitor: Visitor): Promise<unknown> {
  await visitor.look();
  return visitor.look();
}

function readMaxAge(response: Response): number | undefined {
  const [line] = sessionCookies(response);
  return line === undefined ? undefined : Bun.Cookie.parse(line).maxAge;
}

/** What the store said to the one who asked. */
function readCause(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : "";
}

function cacheHeaders(response: Response): (string | null)[] {
  return [response.headers.get("vary"), response.headers.get("cache-control")];
}

/** All ways to look at a session. */
const LOOKS: readonly (readonly [string, Page])[] = [
  ["reading", read],
  ["in", (session) => "a" in session],
  ["keys", (session) => Object.keys(session)],
  ["spreading", (session) => ({ ...session })],
  ["JSON", (session) => JSON.stringify(session)],
  ["destructuring", ({ a }) => a],
  ["flash", (session) => session.flash("note")],
  ["meta", (session) => session.meta],
];

describe("a session at the end of its request", () => {
  test.each<[string, boolean, Operation[]]>([
    ["without a cookie: no store call", false, []],
    ["with one: only a look-up, and not even the data is decoded", true, ["read"]],
  ])("sets neither a cookie nor Vary if it was not accessed, %s", async (_, isKnown, calls) => {
    const { visitor, store, sessions } = await setUpVisited();
    const parse = spyOn(JSON, "parse");
    const open = await sessions.open(createRequest(isKnown ? visitor : undefined));
    const response = await sessions.commit(open, new Response("hello"));
    expect(parse).not.toHaveBeenCalled();
    expect(store.calls).toEqual(calls);
    expect(sessionCookies(response)).toEqual([]);
    expect(cacheHeaders(response)).toEqual([null, null]);
  });

  test.each([
    ...LOOKS,
    ["regenerate()", (session) => session.regenerate()],
    ["destroy()", (session) => session.destroy()],
    ["save()", (session) => session.save()],
    ["a key that is removed again", (session) => ((session["a"] = 1), delete session["a"])],
    ["undefined", (session) => (session["a"] = undefined)],
  ] as [string, Page][])(
    "L10: stores nothing and sets no cookie if it is new and empty: %s",
    async (_, page) => {
      const { visitor, store } = setUpTapped();
      expect(sessionCookies(await visitor.visit(page))).toEqual([]);
      expect(store.calls).toEqual([]);
    },
  );

  // What the handler did, and what that means for the store, the cookie and the next request.
  test.each([
    ["clean", write, (session) => ((session["a"] = 2), (session["a"] = 1)), [], { a: 1 }],
    ["a key", write, (session) => (session["b"] = 2), ["replace"], { a: 1, b: 2 }],
    ["a key's removal", setTwo, (session) => delete session["b"], ["replace"], { a: 1 }],
    [
      "a key that is set to undefined",
      setTwo,
      (session) => (session["b"] = undefined),
      ["replace"],
      { a: 1 },
    ],
    [
      "a change deep inside",
      setCart,
      (session) => session["cart"].items.push(2),
      ["replace"],
      { cart: { items: [1, 2] } },
    ],
  ] as [string, Page, Page, Operation[], object][])(
    "C15: is stored only if it has changed, and the cookie is not sent again: %s",
    async (_, before, page, calls, after) => {
      const { visitor, store } = await setUpVisited({}, before);
      const response = await visitor.visit(page);
      expect(store.calls).toEqual(["read", ...calls]);
      expect(sessionCookies(response)).toEqual([]);
      expect(await visitor.look()).toEqual(after);
    },
  );

  test("emits an event for each change", async () => {
    const cookie = { name: "__Secure-sid" };
    const { visitor, store, events } = setUpTapped({ cookie });
    const names = new Names(cookie.name, undefined);
    const handles: string[] = [];
    const pages: Page[] = [
      write,
      (session) => session.regenerate(),
      (session) => session.destroy(),
    ];
    for (const page of pages) {
      await visitor.visit(page);
      handles.push(names.toKey(visitor.client.cookies.get(cookie.name) ?? ""));
    }
    const [from = "", handle = ""] = handles;
    expect(events).toEqual([
      { type: "created", handle: from, userId: null },
      { type: "rotated", handle, from, userId: null },
      { type: "destroyed", handles: [handle], userId: null, count: 1 },
    ]);
    expect(store.calls).toEqual(["create", "read", "rotate", "read", "delete"]);
  });

  test.each([
    ["stores", 0, "replace", (session) => (session["a"] = 2)],
    ["touches", HOUR, "touch", () => undefined],
  ] as [string, number, "replace" | "touch", Page][])(
    "a second commit %s nothing more",
    async (_, passed, operation, page) => {
      const { sessions, store, visitor, clock } = await setUpVisited();
      clock.advance(passed);
      const open = await sessions.open(createRequest(visitor));
      await page(open.session);
      await sessions.commit(open, new Response(""));
      const again = await sessions.commit(open, new Response(""));
      expect(store.calls).toEqual(["read", operation]);
      expect(sessionCookies(again)).toEqual([]);
    },
  );
});

describe("ids", () => {
  test.each(BACKENDS)(
    "I3: an id whose session was ended is not adopted, on %s",
    async (_, create) => {
      const { site, visitor } = await begin(create, write);
      const ended = visitor.clone();
      const { id } = ended;
      await visitor.visit((session) => session.destroy());
      await ended.visit((session) => (session["b"] = 1));
      expect(ended.id).not.toBe(id);
      expect((await site.backend.load(hashId(id))) ?? {}).toEqual({});
      expect(await ended.look()).toEqual({ b: 1 });
      expect(site.sessions.stats().rejected).toBe(1);
    },
  );

  test("I5: an id outside the cookie is ignored", async () => {
    const { visitor, store, sessions } = await setUpVisited();
    const { id } = visitor;
    const request = new Request(`http://localhost/${id}?session_id=${id}`, {
      method: "POST",
      body: new URLSearchParams({ session_id: id }),
      headers: { authorization: `Bearer ${id}`, "x-session-id": id, cookie: `other=${id}` },
    });
    expect((await sessions.open(request)).meta.isNew).toBe(true);
    expect(store.calls).toEqual([]);
  });

  test("I7: what is stored, reported and answered contains no id, and a stored hash opens nothing", async () => {
    const log = quiet("error");
    const watched = watch(new InMemorySessionBackend());
    const site = new Site(() => watched.backend, { now: Date.now });
    const visitor = site.visitor();
    const ids: string[] = [];
    for (const page of [write, remembered, read]) {
      await visitor.visit(page);
      ids.push(visitor.id);
    }
    watched.before = () => {
      throw new Error("The disk is gone.");
    };
    const answer = await (await visitor.visit(read)).text();
    watched.before = () => undefined;
    for (const id of ids) {
      expect(JSON.stringify(watched.calls)).toContain(hashId(id));
      expect(Bun.inspect([watched.calls, site.events, log.mock.calls, answer])).not.toContain(id);
      const thief = site.visitor();
      thief.client.cookies.set("session_id", hashId(id));
      expect(await thief.look()).toEqual({});
    }
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test.each(BACKENDS)(
    "I8: a random source that repeats itself opens nobody's session: %s",
    async (_, create) => {
      const site = new Site(create);
      spyOn(crypto, "getRandomValues").mockImplementation((array) => array);
      using _error = quiet("error");
      const [first, second] = [site.visitor(), site.visitor()];
      await first.visit(logIn);
      expect((await second.visit(write)).status).toBe(503);
      expect(second.hasCookie).toBe(false);
      expect((await first.visit((session) => session.regenerate())).status).toBe(503);
      expect(await first.ask(identity)).toBe("ann");
      expect(site.sessions.stats()).toMatchObject({ created: 1, rotated: 0, failed: 2 });
    },
  );

  test.each(BACKENDS)(
    "I8: a new session whose id is taken gets the next id: %s",
    async (_, create) => {
      const site = new Site(create);
      const first = site.visitor();
      const random = spyOn(crypto, "getRandomValues").mockImplementationOnce((array) => array);
      await first.visit(logIn);
      for (const page of [write, logIn]) {
        const second = site.visitor();
        random.mockClear();
        random.mockImplementationOnce((array) => array);
        expect((await second.visit(page)).status).toBe(200);
        expect(random).toHaveBeenCalledTimes(2);
        expect(second.id).not.toBe(first.id);
      }
      expect(await first.ask(identity)).toBe("ann");
    },
  );
});

describe.each(BACKENDS)("the life of a session, on %s", (_, create) => {
  /** A visitor of a service, which another process serves as well. */
  async function setUpTwo(page: Page) {
    const { site, visitor } = await begin(create, page);
    return { clock: site.clock, here: site.sessions, there: site.another(), visitor };
  }

  test("L1: login() changes the id and keeps the data, and the old id is dead in every process", async () => {
    const { visitor, there } = await setUpTwo(write);
    const thief = visitor.clone();
    await visitor.visit(logIn);
    expect(visitor.id).not.toBe(thief.id);
    for (const replay of [thief, thief.clone(there)]) expect(await replay.look()).toEqual({});
    expect(await visitor.clone(there).look()).toEqual({ a: 1 });
  });

  test("login() by another user keeps nothing of the previous user's data, and ends their session", async () => {
    const { visitor, here } = await setUpTwo((session) => {
      session["cart"] = "ann's";
      session.flash("notice", "for ann");
      session.login("ann");
    });
    const former = visitor.clone();
    await visitor.visit((session) => {
      session.login("bob");
      session["seen"] = true;
    });
    expect(await visitor.ask(facts)).toEqual(["bob", { seen: true }, null]);
    expect(await former.look()).toEqual({});
    expect(here.stats().destroyed).toBe(1);
  });

  test("L2: while login() runs, requests with the old id never see data from after it", async () => {
    const watched = watch<SessionBackend>(create(Date.now));
    const visitor = new Site(() => watched.backend, { now: Date.now }).visitor();
    await visitor.visit(write);
    const tab = visitor.clone();
    const looks: Promise<unknown>[] = [];
    const lookAround = (): Promise<void> => {
      for (let look = 0; look < 100; look++) {
        looks.push(tab.clone().ask((session) => [session["secret"], session.meta.userId]));
      }
      return new Promise(setImmediate);
    };
    // While it writes for the first time, between that and what may come next, and at its end.
    watched.before = (method) => (isLook(method) ? undefined : lookAround());
    await visitor.visit((session) => {
      session.login("ann");
      session["secret"] = 42;
    });
    watched.before = () => undefined;
    await lookAround();
    const seen = await Promise.all(looks);
    expect(seen.length).toBeGreaterThanOrEqual(200);
    expect(new Set(seen.map(String))).toEqual(new Set([String([null, null])]));
  });

  test("L3: the session is alive after 8 h - 1 ms without use, and dead after 8 h", async () => {
    const { visitor, clock } = await setUpTwo(write);
    for (let use = 0; use < 3; use++) {
      clock.advance(TIMEOUT - 1);
      expect(await lookTwice(visitor)).toEqual({ a: 1 });
    }
    clock.advance(TIMEOUT);
    expect(await visitor.look()).toEqual({});
  });

  test("L4: the session ends after an absolute lifetime of 30 days, however busy it is", async () => {
    const { visitor, clock } = await setUpTwo(write);
    for (let day = 0; day < 30 * 4 - 1; day++) {
      clock.advance(DAY / 4);
      await lookTwice(visitor);
    }
    clock.advance(DAY / 4 - 1);
    expect(await visitor.look()).toEqual({ a: 1 });
    clock.advance(1);
    expect(await visitor.look()).toEqual({});
  });

  test("L4: login() restarts the absolute lifetime, regenerate() does not", async () => {
    const { visitor, clock } = await setUpTwo(write);
    const begun = clock.now();
    clock.advance(HOUR);
    await visitor.visit((session) => session.regenerate());
    expect(await visitor.ask(createdAt)).toBe(begun);
    await visitor.visit(logIn);
    expect(await visitor.ask(createdAt)).toBe(begun + HOUR);
  });

  test("L6: after destroy(), a replay of the cookie is anonymous in every process", async () => {
    const { visitor, there } = await setUpTwo(logIn);
    const thief = visitor.clone();
    await visitor.visit((session) => session.destroy());
    expect(visitor.hasCookie).toBe(false);
    for (const replay of [thief, thief.clone(there)]) {
      expect(await replay.ask(({ meta }) => [meta.isNew, meta.userId])).toEqual([true, null]);
    }
  });

  test("S8: a handler that throws leaves nested values unchanged", async () => {
    const { visitor } = await setUpTwo((session) => (session["list"] = [1]));
    const visit = visitor.visit((session) => {
      session["list"].push(2);
      throw new Error("the handler's");
    });
    await expect(visit).rejects.toThrow("the handler's");
    expect(await visitor.look()).toEqual({ list: [1] });
  });
});

describe("touching", () => {
  test.each([
    ["10 %", 0.1 * TIMEOUT, []],
    ["10 % and a millisecond", 0.1 * TIMEOUT + 1, ["touch"]],
  ] as const)(
    "after %s of the idle timeout, a request that only reads calls %p",
    async (_, passed, calls) => {
      const { visitor, store, clock } = await setUpVisited();
      clock.advance(passed);
      expect(sessionCookies(await visitor.visit(read))).toEqual([]);
      expect(store.calls).toEqual(["read", ...calls]);
    },
  );

  test("is part of the write if the session is written", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    await visitor.visit((session) => (session["a"] = 2));
    expect(store.calls).toEqual(["read", "replace"]);
    expect(await visitor.ask(({ meta }) => meta.expiresAt)).toBe(clock.now() + TIMEOUT);
  });

  test("happens in the background, without delaying the page", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    const hold = store.hold("touch");
    expect(await visitor.look()).toEqual({ a: 1 });
    await hold.reached;
    hold.release();
  });

  test.each([
    ["is late", (store) => store.hold("touch").release],
    ["fails", (store) => (store.break("touch"), () => store.mend())],
  ] as [string, (store: TappedStore) => () => void][])(
    "that %s does not let a later write of its request overwrite another request's",
    async (_, spoil) => {
      const { visitor, store, clock } = await setUpVisited();
      const tab = visitor.clone();
      clock.advance(HOUR);
      const mend = spoil(store);
      await visitor.visit(async (session) => {
        await session.save();
        await tab.visit((other) => (other["theirs"] = 1));
        session["mine"] = 1;
      });
      mend();
      expect(await visitor.look()).toEqual({ a: 1, theirs: 1, mine: 1 });
    },
  );

  test("never fails a page that only reads; the failure is an event", async () => {
    const { visitor, store, clock, events } = await setUpVisited();
    clock.advance(HOUR);
    store.break("touch");
    expect(await visitor.ask(read)).toBe(1);
    const error = new Error("The disk is gone.");
    expect(events).toEqual([{ type: "failed", operation: "touch", error }]);
  });
});

describe("login({ remember })", () => {
  test("sets an idle timeout for this session, and a cookie that outlives the browser", async () => {
    const { visitor, clock } = setUpTapped();
    expect(readMaxAge(await visitor.visit(remembered))).toBe(10 * 86_400);
    clock.advance(10 * DAY - 1);
    const twin = visitor.clone();
    expect(await visitor.ask(identity)).toBe("ann");
    clock.advance(10 * DAY);
    expect(await twin.ask(identity)).toBeNull();
  });

  test("C15: sends the cookie again when the session is touched, and only then", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    clock.advance(DAY);
    expect(sessionCookies(await visitor.visit(read))).toEqual([]);
    clock.advance(1);
    expect(readMaxAge(await visitor.visit(read))).toBe(10 * 86_400);
    expect(sessionCookies(await visitor.visit(read))).toEqual([]);
  });

  test("sends the cookie again when a write touches the session, even if time passes meanwhile", async () => {
    const site = new Site((now) => new TappedStore(now));
    const now = (): number => (site.clock.advance(1), site.clock.now());
    const visitor = new Visitor(site.another({ now }));
    await visitor.visit(remembered);
    expect(sessionCookies(await visitor.visit(write))).toEqual([]);
    site.clock.advance(2 * DAY);
    expect(readMaxAge(await visitor.visit((session) => (session["b"] = 1)))).toBe(10 * 86_400);
  });

  test("sends the cookie again if the request has stored something before its end", async () => {
    const { visitor, store, clock } = await setUpVisited({}, remembered);
    clock.advance(2 * DAY);
    const response = await visitor.visit((session) => session.update(write));
    expect(readMaxAge(response)).toBe(10 * 86_400);
    expect(sessionCookies(await visitor.visit(write))).toEqual([]);
    expect(store.calls).toEqual(["read", "read", "replace", "touch", "read"]);
  });

  test.each<[string, Page, (store: TappedStore) => unknown]>([
    ["fails", read, (store) => store.break("touch")],
    ["does not answer", read, (store) => store.hold("touch")],
    [
      "cannot confirm at the end that the session lives",
      (session) => session.update(write),
      (store) => store.break("touch"),
    ],
  ])("does not send the cookie again with the page if the store %s", async (_, page, spoil) => {
    using _error = quiet("error");
    const { visitor, store, clock } = await setUpVisited({ storeTimeout: 20 }, remembered);
    clock.advance(2 * DAY);
    const response = await visitor.visit(async (session) => {
      await page(session);
      spoil(store);
    });
    expect([response.status, sessionCookies(response)]).toEqual([200, []]);
  });

  test.each<[string, Page]>([
    ["reads", read],
    ["writes", write],
    ["has stored a change before", (session) => session.update(write)],
    ["has saved before", (session) => ((session["a"] = 1), session.save())],
  ])(
    "does not send the cookie again if another request changed the id meanwhile: one that %s",
    async (_, page) => {
      const { visitor, clock } = await setUpVisited({}, remembered);
      clock.advance(2 * DAY);
      const tab = visitor.clone();
      const response = await visitor.visit(async (session) => {
        await page(session);
        await tab.visit(remembered);
      });
      expect([response.status, sessionCookies(response)]).toEqual([200, []]);
      expect(await tab.ask(isThere)).toBe(true);
    },
  );

  test("does not send the cookie again if the session expired meanwhile", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    clock.advance(10 * DAY - 1);
    const response = await visitor.visit(() => clock.advance(1));
    expect(sessionCookies(response)).toEqual([]);
    clock.advance(-1);
    expect(await visitor.clone().ask(isThere)).toBe(true);
  });

  test("does not let the cookie outlive the absolute lifetime", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    for (const _ of [1, 2, 3]) {
      clock.advance(9 * DAY);
      await visitor.visit(read);
    }
    const response = await visitor.visit((session) => session.regenerate());
    expect(readMaxAge(response)).toBe(3 * 86_400);
  });

  test.each([
    ["regenerate()", (session) => session.regenerate(), 10 * 86_400],
    ["login() of the user", logIn, 10 * 86_400],
    ["login() with another time", (session) => session.login("ann", { remember: 60 }), 60],
    ["login() of another user", (session) => session.login("bob"), undefined],
  ] as [string, Page, number | undefined][])(
    "B2: is kept when its user renews the session, and by nobody else: %s",
    async (_, page, maxAge) => {
      const { visitor } = await setUpVisited({}, remembered);
      const response = await visitor.visit(page);
      expect([sessionCookies(response).length, readMaxAge(response)]).toEqual([1, maxAge]);
    },
  );

  test.each([0, -1, 1.5, NaN, Infinity, 31 * 86_400])("refuses %p", async (remember) => {
    const visit = setUpTapped().visitor.visit((session) => session.login("ann", { remember }));
    await expect(visit).rejects.toThrow(RangeError);
  });
});

describe("expiry", () => {
  test("L9: an expired session is rejected even if nothing sweeps, and its row remains", async () => {
    const { visitor, store, clock, events } = await setUpVisited();
    clock.advance(TIMEOUT);
    expect(await visitor.look()).toEqual({});
    expect(store.inner.size).toBe(1);
    expect(events).toEqual([{ type: "expired", handle: hashId(visitor.id) }]);
  });

  test("L4: a shortened lifetime applies to sessions that are already stored", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    const options = { backend: store, now: clock.now, lifetime: 3_600, sweepInterval: 0 };
    expect(await visitor.clone(new Sessions(options)).look()).toEqual({});
  });
});

describe("caching", () => {
  test.each([...LOOKS, ["update", (session) => session.update(() => undefined)]] as [
    string,
    Page,
  ][])(
    "K2: %s makes the response private and vary by the cookie, and no more",
    async (_, touch) => {
      const { sessions, visitor } = await setUpVisited();
      const open = await sessions.open(createRequest(visitor));
      await touch(open.session);
      const response = await sessions.commit(open, new Response(""));
      expect(cacheHeaders(response)).toEqual(["Cookie", "private"]);
    },
  );
});

describe("wrap", () => {
  test("preserves, in types too, a route's parameters and a handler's server", async () => {
    const { sessions } = setUpTapped();
    await using service = Bun.serve({
      port: 0,
      routes: {
        "/users/:id": sessions.wrap((request, _session, server) => {
          expectTypeOf(request.params.id).toEqualTypeOf<string>();
          expectTypeOf(server).toEqualTypeOf<Bun.Server<undefined>>();
          return Response.json({ ...request.params, port: server.port });
        }),
      },
      fetch: sessions.wrap((request, _session, server) => {
        expectTypeOf(server).toEqualTypeOf<Bun.Server<undefined>>();
        return Response.json({ url: request.url, port: server.port });
      }),
    });
    const { port, url } = service;
    expect(await (await fetch(new URL("/users/7", url))).json()).toEqual({ id: "7", port });
    expect(await (await fetch(url)).json()).toEqual({ url: url.href, port });
  });
});

describe.each(STORES)("a user's sessions, on %s", (_, create) => {
  /** Three sessions of Ann's, one of Bob's and one of nobody's. */
  async function setUpUser() {
    const site = new Site(create);
    const visitors = [1, 2, 3, 4, 5].map(() => site.visitor());
    const pages: Page[] = [logIn, logIn, logIn, (session) => session.login("bob"), write];
    for (const [index, visitor] of visitors.entries()) {
      await visitor.visit(pages[index] ?? read);
      site.clock.advance(SECOND);
    }
    return { site, visitors, handles: visitors.map(({ id }) => hashId(id)) };
  }

  test("L7: list() returns the live ones, oldest first, and no other user's", async () => {
    const { site, handles } = await setUpUser();
    const { clock, sessions } = site;
    const list = await sessions.list("ann");
    expect(list.map(({ handle }) => handle)).toEqual(handles.slice(0, 3));
    const at = clock.now() - 3 * SECOND;
    expect(list[2]).toEqual({
      handle: handles[2] ?? "",
      userId: "ann",
      createdAt: at,
      touchedAt: at,
      expiresAt: at + TIMEOUT,
      authenticatedAt: at,
      label: null,
      current: false,
    });
    clock.advance(TIMEOUT - 4 * SECOND);
    expect(await sessions.list("ann")).toHaveLength(1);
    expect(await sessions.list("nobody")).toEqual([]);
  });

  test.each([
    ["revoke()", (sessions, second) => sessions.revoke(second), [1]],
    ["revokeAll()", (sessions) => sessions.revokeAll("ann"), [0, 1, 2]],
    [
      "revokeAll() but for one",
      (sessions, second) => sessions.revokeAll("ann", { except: second }),
      [0, 2],
    ],
    [
      "revokeAll() but for none",
      (sessions) => sessions.revokeAll("ann", { except: null }),
      [0, 1, 2],
    ],
  ] as [string, (sessions: Sessions, second: string) => Promise<number | void>, number[]][])(
    "L7: %s ends those and no others, returns how many, and reports them once",
    async (__, revoke, ended) => {
      const { site, visitors, handles } = await setUpUser();
      site.events.length = 0;
      const count = await revoke(site.sessions, handles[1] ?? "");
      expect(count ?? 1).toBe(ended.length);
      expect((await revoke(site.sessions, handles[1] ?? "")) ?? 0).toBe(0);
      const alive = await Promise.all(visitors.map((visitor) => visitor.clone().ask(isThere)));
      expect(alive).toEqual([0, 1, 2, 3, 4].map((index) => !ended.includes(index)));
      expect(await site.sessions.list("ann")).toHaveLength(3 - ended.length);
      expect(site.sessions.stats().destroyed).toBe(ended.length);
      expect(site.of("destroyed").flatMap((event) => event.handles.toSorted())).toEqual(
        ended.map((index) => handles[index] ?? "").toSorted(),
      );
    },
  );
});

test("with a two-method backend, list() and revokeAll() say that they need a SessionStore, and revoke() works", async () => {
  const site = new Site((now) => new LiveObjectBackend(now));
  const [{ sessions }, visitor] = [site, site.visitor()];
  await visitor.visit(logIn);
  for (const ask of [sessions.list("ann"), sessions.revokeAll("ann")]) {
    expect(await ask.then(() => "", readCause)).toContain("Extend SessionStore");
  }
  await sessions.revoke(hashId(visitor.id));
  expect(await visitor.look()).toEqual({});
});

test("L7: revoke() ends a session that cannot be read", async () => {
  const site = new Site((now) => new InMemorySessionBackend({ now }));
  const [{ sessions, backend }, visitor] = [site, site.visitor()];
  await visitor.visit(logIn);
  const reads = spyOn(backend, "read").mockImplementation(() => {
    throw new Error("The row is damaged.");
  });
  await sessions.revoke(hashId(visitor.id));
  reads.mockRestore();
  expect(site.of("destroyed")).toHaveLength(1);
  expect(await visitor.look()).toEqual({});
});

describe("sweep", () => {
  test.each(SWEPT_STORES)(
    "B22: spares what a process whose clock is five minutes slow still serves, in %s",
    async (_, create) => {
      const site = new Site(create);
      const { clock } = site;
      const fast = site.another({ now: () => clock.now() + CLOCK_TOLERANCE });
      const visitor = site.visitor();
      await visitor.visit(write);
      clock.advance(TIMEOUT - 1);
      expect(await fast.sweep()).toBe(0);
      expect(await visitor.look()).toEqual({ a: 1 });
      clock.advance(TIMEOUT);
      expect(await fast.sweep()).toBe(1);
    },
  );

  test("works in batches of 30, with a turn for others between them", async () => {
    const { sessions, store, clock, events } = setUpTapped();
    for (let count = 0; count < 80; count++) await store.inner.save(`${count}`, { a: 1 }, 1);
    const before = clock.now() + SECOND;
    clock.advance(SECOND + CLOCK_TOLERANCE);
    const limits = spyOn(store, "sweep");
    let turns = 0;
    const others = setInterval(() => turns++, 0);
    setImmediate(() => turns++);
    expect(await sessions.sweep()).toBe(80);
    clearInterval(others);
    expect(turns).toBeGreaterThan(0);
    expect(limits.mock.calls).toEqual([1, 2, 3].map(() => [30, before]));
    expect(await sessions.sweep()).toBe(0);
    expect(events).toEqual([{ type: "swept", count: 80 }]);
  });

  test("ends at close(), without asking a closed store", async () => {
    const { sessions, store, clock } = setUpTapped();
    for (let count = 0; count < 80; count++) await store.inner.save(`${count}`, { a: 1 }, 1);
    clock.advance(SECOND + CLOCK_TOLERANCE);
    const hold = store.hold("sweep");
    const sweeping = sessions.sweep();
    await hold.reached;
    await sessions.close();
    hold.release();
    expect(await sweeping).toBe(30);
    expect(store.calls).toEqual(["sweep", "close"]);
  });

  test("runs every 60 s until close()", async () => {
    jest.useFakeTimers();
    const store = new TappedStore();
    const sessions = new Sessions({ backend: store });
    jest.advanceTimersByTime(53 * SECOND);
    expect(store.calls).toEqual([]);
    jest.advanceTimersByTime(14 * SECOND);
    expect(store.calls).toEqual(["sweep"]);
    // The sweep ends, and with it begins the countdown to the next.
    await settle();
    expect(jest.getTimerCount()).toBe(1);
    await sessions.close();
    jest.advanceTimersByTime(600 * SECOND);
    expect(store.calls).toEqual(["sweep", "close"]);
  });
});

/** What fills a session that holds `{ a: 1 }` up to so many bytes of JSON, under the key `b`. */
function filled(bytes: number): string {
  return "x".repeat(bytes - '{"a":1,"b":""}'.length);
}

/** Takes 18 bytes for {"a":"üüüüü"} and 13 for {"b":"12345"}. */
const write31Bytes: Page = (session) => {
  session["a"] = "ü".repeat(5);
  session.flash("b", "12345");
};

describe("new Sessions", () => {
  test.each<[string, Partial<SessionsOptions>, Page, number, number]>([
    [
      "32 KiB of JSON are accepted",
      {},
      (session) => (session["b"] = filled(32_768)),
      32_768,
      32_768,
    ],
    ["a byte more is refused", {}, (session) => (session["b"] = filled(32_769)), 32_769, 32_768],
    ["`maxBytes` includes flash messages", { maxBytes: 38 }, write31Bytes, 31, 38],
    ["bytes count, not characters", { maxBytes: 30 }, write31Bytes, 31, 30],
    [
      "update() has the same limit",
      { maxBytes: 30 },
      (session) => session.update((data) => (data["b"] = filled(31))),
      31,
      30,
    ],
  ])("S3: limits the data: %s", async (_, options, page, bytes, limit) => {
    const { visitor } = await setUpVisited(options);
    const visit = visitor.visit(page);
    if (bytes <= limit) expect((await visit).status).toBe(200);
    else {
      const message = `takes ${bytes} bytes of JSON, more than the ${limit} that \`maxBytes\``;
      await expect(visit).rejects.toThrow(message);
      expect(await visitor.look()).toEqual({ a: 1 });
    }
  });

  test.each(["timeout", "lifetime", "maxBytes", "storeTimeout", "sweepInterval"])(
    "refuses invalid values of `%s`, and accepts its absence",
    (name) => {
      const make = (value: unknown) => () =>
        new Sessions({ backend: new MapBackend(), [name]: value });
      for (const value of [-1, NaN, Infinity, "60"]) {
        expect(make(value)).toThrow(`\`${name}\` is ${value}`);
      }
      expect(make(null)).not.toThrow();
      if (name === "sweepInterval") expect(make(0)).not.toThrow();
      else expect(make(0)).toThrow(TypeError);
    },
  );

  test.each([undefined, null, {}, { load: () => undefined }, { save: () => undefined }])(
    "refuses %p as a backend, and says what one needs",
    (backend) => {
      const options = { backend } as unknown as SessionsOptions;
      expect(() => new Sessions(options)).toThrow("needs the methods load(sessionId) and save(");
    },
  );

  test("reads the time from Date.now by default", async () => {
    const visitor = new Visitor(new Sessions({ backend: new MapBackend(), sweepInterval: 0 }));
    const before = Date.now();
    await visitor.visit(write);
    expect(await visitor.ask(({ meta }) => meta.createdAt)).toBeWithin(before, Date.now() + 1);
  });
});
