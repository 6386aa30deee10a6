import { afterEach, describe, expect, expectTypeOf, jest, mock, spyOn, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { createId, hashId } from "../../src/session/id.ts";
import { Names } from "../../src/session/names.ts";
import type { SessionsOptions } from "../../src/session/options.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { CLOCK_TOLERANCE } from "../../src/store/sweeper.ts";
import { FakeClock } from "../support/clock.ts";
import { quiet } from "../support/quiet.ts";
import {
  BACKENDS,
  LiveObjectBackend,
  MapBackend,
  STORES,
  SWEPT_STORES,
} from "../support/stores/backends.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import { isLook, watch } from "../support/stores/watched-backend.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const TIMEOUT = 8 * HOUR;

const write = (session: Record<string, unknown>): void => {
  session["a"] = 1;
};
const read: Page = (session) => session["a"];
const logIn: Page = (session) => session.login("ann");
const remembered: Page = (session) => session.login("ann", { remember: 10 * 86_400 });
const rememberedForLong: Page = (session) => session.login("ann", { remember: 30 * 86_400 });

afterEach(() => {
  jest.useRealTimers();
  mock.restore();
});

/** A manager on a store that tells what it is asked, with a clock that stands still. */
function setUp(options: Partial<SessionsOptions> = {}) {
  const clock = new FakeClock();
  const store = new TappedStore(clock.now);
  const events: SessionEvent[] = [];
  const sessions = new Sessions({
    backend: store,
    now: clock.now,
    sweepInterval: 0,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { clock, store, events, sessions, visitor: new Visitor(sessions) };
}

/** The same, with a visitor whose session holds `{ a: 1 }`, and nothing noted so far. */
async function setUpVisited(options: Partial<SessionsOptions> = {}, page: Page = write) {
  const setup = setUp(options);
  await setup.visitor.visit(page);
  setup.store.calls.length = 0;
  setup.events.length = 0;
  return setup;
}

function requestWith(cookie: string): Request {
  return new Request("http://localhost/", { headers: { cookie } });
}

/** The second look waits for the touch that the first has left behind in the background. */
async function lookTwice(visitor: Visitor): Promise<unknown> {
  await visitor.look();
  return visitor.look();
}

function maxAgeOf(response: Response): number | undefined {
  const [line] = sessionCookies(response);
  return line === undefined ? undefined : Bun.Cookie.parse(line).maxAge;
}

/** Whether the visitor's cookie still opens a session. */
async function isAlive(visitor: Visitor): Promise<boolean> {
  const page = await visitor.clone().visit((session) => !session.meta.isNew);
  return (await page.json()) as boolean;
}

/** What the store said to the one who asked. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : "";
}

function cacheHeaders(response: Response): (string | null)[] {
  return [response.headers.get("vary"), response.headers.get("cache-control")];
}

describe("the life of a session, when its request ends", () => {
  test("no cookie, not touched: no store call, no cookie, no Vary", async () => {
    const { sessions, store } = setUp();
    const open = await sessions.open(new Request("http://localhost/"));
    const response = await sessions.commit(open, new Response("hello"));
    expect(store.calls).toEqual([]);
    expect(sessionCookies(response)).toEqual([]);
    expect(cacheHeaders(response)).toEqual([null, null]);
  });

  test("L10: new, no data: nothing is stored and no cookie is set, whatever was read or destroyed", async () => {
    const { visitor, store } = setUp();
    const pages: Page[] = [
      read,
      (session) => "a" in session,
      (session) => Object.keys(session),
      (session) => session.flash("note"),
      (session) => session.meta,
      (session) => session.regenerate(),
      (session) => session.destroy(),
      (session) => session.save(),
      (session) => {
        session["a"] = 1;
        delete session["a"];
      },
      (session) => {
        session["a"] = undefined;
      },
    ];
    for (const page of pages) expect(sessionCookies(await visitor.visit(page))).toEqual([]);
    expect(store.calls).toEqual([]);
  });

  test("new, data: created, and the cookie set; later requests find it", async () => {
    const { visitor, store, events } = setUp();
    const response = await visitor.visit(write);
    expect(store.calls).toEqual(["create"]);
    expect(sessionCookies(response)).toEqual([
      `session_id=${visitor.id}; Path=/; Secure; HttpOnly; SameSite=Lax`,
    ]);
    expect(events).toEqual([{ type: "created", handle: hashId(visitor.id), userId: null }]);
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test("C15: clean: nothing is stored and no cookie is sent", async () => {
    const { visitor, store } = await setUpVisited();
    const response = await visitor.visit((session) => {
      session["a"] = 2;
      session["a"] = 1;
    });
    expect(store.calls).toEqual(["read"]);
    expect(sessionCookies(response)).toEqual([]);
  });

  test("untouched: the look-up and nothing else; not even the data is decoded", async () => {
    const { visitor, store, sessions } = await setUpVisited();
    const parse = spyOn(JSON, "parse");
    const open = await sessions.open(requestWith(`session_id=${visitor.id}`));
    const response = await sessions.commit(open, new Response("hello"));
    expect(parse).not.toHaveBeenCalled();
    expect(store.calls).toEqual(["read"]);
    expect(cacheHeaders(response)).toEqual([null, null]);
  });

  test.each([
    ["a key", write, (session) => (session["b"] = 2), { a: 1, b: 2 }],
    [
      "a key's removal",
      (session) => Object.assign(session, { a: 1, b: 2 }),
      (session) => delete session["b"],
      { a: 1 },
    ],
    [
      "a change deep inside",
      (session) => (session["cart"] = { items: [1] }),
      (session) => session["cart"].items.push(2),
      { cart: { items: [1, 2] } },
    ],
    [
      "a key's removal by undefined",
      (session) => Object.assign(session, { a: 1, b: 2 }),
      (session) => (session["b"] = undefined),
      { a: 1 },
    ],
  ] as [string, Page, Page, object][])(
    "C15: dirty: %s is stored, and the cookie left alone",
    async (_, before, change, after) => {
      const { visitor, store } = await setUpVisited({}, before);
      const response = await visitor.visit(change);
      expect(store.calls).toEqual(["read", "replace"]);
      expect(sessionCookies(response)).toEqual([]);
      expect(await visitor.look()).toEqual(after);
    },
  );

  test("L1: regenerated: rotated, the cookie set, the data kept, the old id dead at once", async () => {
    const { visitor, store, events } = await setUpVisited();
    const thief = visitor.clone();
    const response = await visitor.visit((session) => session.regenerate());
    expect(store.calls).toEqual(["read", "rotate"]);
    expect(sessionCookies(response)).toHaveLength(1);
    expect(visitor.id).not.toBe(thief.id);
    expect(store.live(hashId(visitor.id))?.version).toBe(2);
    expect(await visitor.look()).toEqual({ a: 1 });
    expect(await thief.look()).toEqual({});
    expect(events[0]).toEqual({
      type: "rotated",
      handle: hashId(visitor.id),
      from: hashId(thief.id),
      userId: null,
    });
  });

  test("C9: destroyed: deleted, and the cookie cleared with the attributes it was set with", async () => {
    const cookie = { name: "__Secure-sid", domain: "example.com", path: "/shop" };
    const { visitor, store, events } = await setUpVisited({ cookie });
    const id = visitor.client.cookies.get(cookie.name) ?? "";
    const handles = [new Names(cookie.name, undefined).toKey(id)];
    const response = await visitor.visit((session) => session.destroy());
    expect(store.calls).toEqual(["read", "delete"]);
    expect(sessionCookies(response, cookie.name)).toEqual([
      "__Secure-sid=; Domain=example.com; Path=/shop; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]);
    expect(events).toEqual([{ type: "destroyed", handles, userId: null, count: 1 }]);
  });

  const failures: [string, Page][] = [
    ["throws", () => Promise.reject(new RangeError("the handler's"))],
    ["answers 500", () => new Response("", { status: 500 })],
    ["answers 503", () => new Response("", { status: 503 })],
  ];

  test.each(failures)("S8: a handler that %s leaves the session as it was", async (_, fail) => {
    const { visitor, store } = await setUpVisited();
    const visit = visitor.visit((session) => {
      session["a"] = 2;
      session.flash("note", "hello");
      session.login("ann");
      return fail(session);
    });
    await visit.then(
      (response) => expect(sessionCookies(response)).toEqual([]),
      (error) => expect(error).toEqual(new RangeError("the handler's")),
    );
    expect(store.calls).toEqual(["read"]);
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test.each(failures)(
    "L6: a handler that destroys the session and then %s has destroyed it",
    async (_, fail) => {
      const { visitor, store } = await setUpVisited();
      const thief = visitor.clone();
      const visit = visitor.visit((session) => {
        session.destroy();
        return fail(session);
      });
      await visit.then(
        (response) => expect(sessionCookies(response)[0]).toContain("Max-Age=0"),
        () => undefined,
      );
      expect(store.calls).toEqual(["read", "delete"]);
      expect(await thief.look()).toEqual({});
    },
  );

  test("a response with a status of 499 stores what one with 200 does", async () => {
    const { visitor } = await setUpVisited();
    await visitor.visit((session) => {
      session["a"] = 2;
      return new Response("", { status: 499 });
    });
    expect(await visitor.look()).toEqual({ a: 2 });
  });

  test("after destroy(), what is written in the same request begins a new session under a new id", async () => {
    const { visitor, store } = await setUpVisited();
    const thief = visitor.clone();
    const response = await visitor.visit((session) => {
      session.destroy();
      session.flash("note", "You have logged out.");
    });
    expect(store.calls).toEqual(["read", "delete", "create"]);
    expect(sessionCookies(response)).toHaveLength(1);
    expect(visitor.id).not.toBe(thief.id);
    expect(await thief.look()).toEqual({});
    expect(await visitor.look()).toEqual({});
    const note = await visitor.visit((session) => session.flash("note"));
    expect(await note.json()).toBe("You have logged out.");
  });

  test("committing once more stores nothing more", async () => {
    const { sessions, store, visitor } = await setUpVisited();
    const open = await sessions.open(requestWith(`session_id=${visitor.id}`));
    open.session["a"] = 2;
    await sessions.commit(open, new Response(""));
    const again = await sessions.commit(open, new Response(""));
    expect(store.calls).toEqual(["read", "replace"]);
    expect(sessionCookies(again)).toEqual([]);
  });

  test("gives no promise where the store gives none", () => {
    const { sessions } = setUp();
    const open = sessions.open(new Request("http://localhost/"));
    if (open instanceof Promise) throw new Error("open() gave a promise.");
    open.session["a"] = 1;
    expect(sessions.commit(open, new Response(""))).toBeInstanceOf(Response);
  });
});

describe.each(BACKENDS)("ids, on %s", (_, create) => {
  test.each([
    ["was never issued", () => createId()],
    ["was ended", (visitor: Visitor) => visitor.id],
  ])("I3: an id that %s is not adopted, and a new one is set", async (_name, idOf) => {
    const clock = new FakeClock();
    const backend = create(clock.now);
    const sessions = new Sessions({ backend, now: clock.now, sweepInterval: 0 });
    const former = new Visitor(sessions);
    await former.visit(write);
    const presented = idOf(former);
    await former.visit((session) => session.destroy());

    const visitor = new Visitor(sessions);
    visitor.client.cookies.set("session_id", presented);
    await visitor.visit((session) => (session["b"] = 1));
    expect(visitor.id).not.toBe(presented);
    expect((await backend.load(hashId(presented))) ?? {}).toEqual({});
    expect(await visitor.look()).toEqual({ b: 1 });
    expect(sessions.stats().rejected).toBe(1);
    await sessions.close();
  });
});

describe("ids", () => {
  test.each([
    ["too short", "A".repeat(42)],
    ["too long", "A".repeat(44)],
    ["empty", ""],
    ["with a NUL", `${"A".repeat(42)}\0`],
    ["a path", "../../etc/passwd"],
    ["a pattern", "*"],
    ["a key of Redis", "session:1"],
    ["__proto__", "__proto__"],
    ["16 KB", "A".repeat(16_384)],
    ["a second spelling", `${"A".repeat(42)}B`],
    ["quoted", `"${"A".repeat(43)}"`],
  ])("I4: an id that is malformed is not looked up: %s", async (_, value) => {
    const { store, events, sessions } = setUp();
    // Request refuses a NUL, but the parser must not rely on that.
    const headers = { get: () => `session_id=${value}` };
    const open = await sessions.open({ headers } as unknown as Request);
    expect(open.meta.isNew).toBe(true);
    expect(store.calls).toEqual([]);
    expect(events).toEqual([{ type: "rejected", reason: "malformed" }]);
  });

  test("B5: a cookie that is there twice with the same id is looked up once", async () => {
    const { visitor, store } = await setUpVisited();
    const cookie = `session_id=${visitor.id}; session_id=${visitor.id}`;
    expect(await visitor.clone().look({ headers: { cookie } })).toEqual({ a: 1 });
    expect(store.calls).toEqual(["read"]);
  });

  test("I5: an id anywhere but in the cookie is ignored", async () => {
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

  test("I7: what is stored, reported and answered holds no id, and a stored hash opens nothing", async () => {
    const log = spyOn(console, "error").mockImplementation(() => undefined);
    const backend = new MapBackend();
    const events: SessionEvent[] = [];
    const sessions = new Sessions({ backend, onEvent: (event) => events.push(event) });
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => session.login("ann", { remember: 60 }));
    const { id } = visitor;
    expect(backend.dump).toContain(hashId(id));
    expect(backend.dump).not.toContain(id);
    backend.load = () => {
      throw new Error("The disk is gone.");
    };
    const answer = await (await visitor.visit(read)).text();
    expect(Bun.inspect([events, log.mock.calls, answer])).not.toContain(id);

    const thief = new Visitor(new Sessions({ backend: new MapBackend() }));
    thief.client.cookies.set("session_id", hashId(id));
    expect(await thief.look()).toEqual({});
  });

  test.each(BACKENDS)(
    "I8: with a generator that repeats itself, nobody's session is opened: %s",
    async (_, create) => {
      const sessions = new Sessions({
        backend: create(Date.now),
        sweepInterval: 0,
        storeTimeout: 60_000,
      });
      spyOn(crypto, "getRandomValues").mockImplementation((array) => array);
      spyOn(console, "error").mockImplementation(() => undefined);
      const first = new Visitor(sessions);
      await first.visit(logIn);

      const second = new Visitor(sessions);
      expect((await second.visit(write)).status).toBe(503);
      expect(second.hasCookie).toBe(false);
      expect((await first.visit((session) => session.regenerate())).status).toBe(503);
      const facts = await first.visit((session) => session.meta.userId);
      expect(await facts.json()).toBe("ann");
      expect(sessions.stats()).toMatchObject({ created: 1, rotated: 0, failed: 2 });
      await sessions.close();
    },
  );
});

describe.each(BACKENDS)("the life of a session, on %s", (_, create) => {
  /** Two managers on one backend, as two processes have them, and a visitor of the first. */
  async function setUpTwo(page: Page) {
    const clock = new FakeClock();
    const backend = create(clock.now);
    const options = { backend, now: clock.now, sweepInterval: 0, storeTimeout: 60_000 };
    const [here, there] = [new Sessions(options), new Sessions(options)];
    const visitor = new Visitor(here);
    await visitor.visit(page);
    return { clock, here, there, visitor };
  }

  test("L1: login() changes the id, keeps the data, and the old id is dead in every process", async () => {
    const { visitor, there } = await setUpTwo(write);
    const thief = visitor.clone();
    await visitor.visit(logIn);
    expect(visitor.id).not.toBe(thief.id);
    expect(await thief.look()).toEqual({});
    expect(await thief.clone(there).look()).toEqual({});
    expect(await visitor.clone(there).look()).toEqual({ a: 1 });
  });

  test("login() as somebody else leaves nothing of the former user's, and ends their session", async () => {
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
    const page = await visitor.visit((session) => [
      session.meta.userId,
      { ...session },
      session.flash("notice") ?? null,
    ]);
    expect(await page.json()).toEqual(["bob", { seen: true }, null]);
    expect(await former.look()).toEqual({});
    expect(here.stats().destroyed).toBe(1);
  });

  test("login() as the same user again keeps the data", async () => {
    const { visitor } = await setUpTwo(write);
    await visitor.visit(logIn);
    await visitor.visit(logIn);
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test("L2: while login() runs, requests with the old id never see data from after it", async () => {
    const watched = watch<SessionBackend>(create(Date.now));
    const sessions = new Sessions({
      backend: watched.backend,
      sweepInterval: 0,
      storeTimeout: 60_000,
    });
    const visitor = new Visitor(sessions);
    await visitor.visit(write);
    const tab = visitor.clone();
    const looks: Promise<Response>[] = [];
    const lookAround = (): Promise<void> => {
      for (let look = 0; look < 100; look++) {
        looks.push(tab.clone().visit((session) => [session["secret"], session.meta.userId]));
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
    const seen = await Promise.all(looks.map(async (look) => (await look).json()));
    expect(seen.length).toBeGreaterThanOrEqual(200);
    expect(new Set(seen.map(String))).toEqual(new Set([String([null, null])]));
    await sessions.close();
  });

  test("L3: the idle timeout: alive at 8 h - 1 ms, dead at 8 h", async () => {
    const { visitor, clock } = await setUpTwo(write);
    const twin = visitor.clone();
    clock.advance(TIMEOUT - 1);
    expect(await visitor.look()).toEqual({ a: 1 });
    clock.advance(-TIMEOUT + 1);
    const { visitor: other, clock: later } = await setUpTwo(write);
    later.advance(TIMEOUT);
    expect(await other.look()).toEqual({});
    expect(twin.id).toBe(visitor.id);
  });

  test("L3: using it begins the timeout anew; load, load, dead at T", async () => {
    const { visitor, clock } = await setUpTwo(write);
    for (let use = 0; use < 3; use++) {
      clock.advance(TIMEOUT - 1);
      expect(await lookTwice(visitor)).toEqual({ a: 1 });
    }
    clock.advance(TIMEOUT);
    expect(await visitor.look()).toEqual({});
  });

  test("L4: the absolute lifetime ends it after 30 days, however busy it is", async () => {
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

  test("L4: login() begins the absolute lifetime anew, regenerate() does not", async () => {
    const { visitor, clock } = await setUpTwo(write);
    const createdAt = async (): Promise<unknown> =>
      (await visitor.visit((session) => session.meta.createdAt)).json();
    const begun = clock.now();
    clock.advance(HOUR);
    await visitor.visit((session) => session.regenerate());
    expect(await createdAt()).toBe(begun);
    await visitor.visit(logIn);
    expect(await createdAt()).toBe(begun + HOUR);
  });

  test("L6: after destroy() a replay of the cookie is anonymous in every process", async () => {
    const { visitor, there } = await setUpTwo(logIn);
    const thief = visitor.clone();
    await visitor.visit((session) => session.destroy());
    expect(visitor.hasCookie).toBe(false);
    for (const replay of [thief, thief.clone(there)]) {
      expect(await (await replay.visit((session) => session.meta)).json()).toMatchObject({
        isNew: true,
        userId: null,
      });
    }
  });

  test("S1: __proto__, constructor and prototype are keys like any other", async () => {
    const text = '{"__proto__":{"admin":true},"constructor":1,"prototype":[2],"toString":"3"}';
    const { visitor } = await setUpTwo((session) => {
      for (const [key, value] of Object.entries(JSON.parse(text))) session[key] = value;
    });
    const page = await visitor.visit(
      (session) => new Response(`${JSON.stringify(session)} ${"admin" in session}`),
    );
    expect(await page.text()).toBe(`${text} false`);
    expect(Object.prototype).not.toHaveProperty("admin");
  });

  test("S8: a handler that throws leaves the stored session as it was", async () => {
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
    "after %s of the idle timeout, a request that only reads asks for %p",
    async (_, passed, calls) => {
      const { visitor, store, clock } = await setUpVisited();
      clock.advance(passed);
      const response = await visitor.visit(read);
      expect(store.calls).toEqual(["read", ...calls]);
      expect(sessionCookies(response)).toEqual([]);
    },
  );

  test("counts from the last touch", async () => {
    const { visitor, store, clock } = await setUpVisited();
    for (const _ of [1, 2, 3]) {
      clock.advance(0.1 * TIMEOUT + 1);
      await visitor.visit(read);
      await visitor.visit(read);
    }
    expect(store.calls.filter((call) => call === "touch")).toHaveLength(3);
  });

  test("moves the end of a session that is written with that write", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    await visitor.visit((session) => (session["a"] = 2));
    expect(store.calls).toEqual(["read", "replace"]);
    const page = await visitor.visit((session) => session.meta.expiresAt);
    expect(await page.json()).toBe(clock.now() + TIMEOUT);
  });

  test("committing once more does not touch once more", async () => {
    const { sessions, visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    const open = await sessions.open(requestWith(`session_id=${visitor.id}`));
    await sessions.commit(open, new Response(""));
    await sessions.commit(open, new Response(""));
    expect(store.calls).toEqual(["read", "touch"]);
  });

  test("happens in the background: a page does not wait for it", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    const hold = store.hold("touch");
    expect(await visitor.look()).toEqual({ a: 1 });
    await hold.reached;
    hold.release();
  });

  test.each([
    ["is late", (store) => store.hold("touch").release],
    [
      "fails",
      (store) => {
        store.once("touch", () => Promise.reject(new Error("The disk is gone.")));
        return () => undefined;
      },
    ],
  ] as [string, (store: TappedStore) => () => void][])(
    "that %s lets no later write of its request run over another request's",
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

  test("never fails a page that only reads: the failure is an event", async () => {
    const { visitor, store, clock, events } = await setUpVisited();
    clock.advance(HOUR);
    store.break("touch");
    const response = await visitor.visit(read);
    expect(response.status).toBe(200);
    expect(await response.json()).toBe(1);
    expect(events).toEqual([
      { type: "failed", operation: "touch", error: new Error("The disk is gone.") },
    ]);
  });
});

describe("login({ remember })", () => {
  test("gives the session an idle timeout of its own, and a cookie that outlives the browser", async () => {
    const { visitor, clock } = setUp();
    expect(maxAgeOf(await visitor.visit(remembered))).toBe(10 * 86_400);
    clock.advance(10 * DAY - 1);
    const twin = visitor.clone();
    expect(await (await visitor.visit((session) => session.meta.userId)).json()).toBe("ann");
    clock.advance(10 * DAY);
    expect(await (await twin.visit((session) => session.meta.userId)).json()).toBeNull();
  });

  test("C15: the cookie is sent again when the session is touched, and only then", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    clock.advance(DAY);
    expect(sessionCookies(await visitor.visit(read))).toEqual([]);
    clock.advance(1);
    expect(maxAgeOf(await visitor.visit(read))).toBe(10 * 86_400);
    expect(sessionCookies(await visitor.visit(read))).toEqual([]);
  });

  test("the cookie is sent again when a write touches the session, though the clock goes on meanwhile", async () => {
    const clock = new FakeClock();
    const now = (): number => {
      clock.advance(1);
      return clock.now();
    };
    const sessions = new Sessions({ backend: new TappedStore(now), now, sweepInterval: 0 });
    const visitor = new Visitor(sessions);
    await visitor.visit(remembered);
    expect(sessionCookies(await visitor.visit(write))).toEqual([]);
    clock.advance(2 * DAY);
    const response = await visitor.visit((session) => (session["b"] = 1));
    expect(maxAgeOf(response)).toBe(10 * 86_400);
  });

  test("the cookie is sent again by a request that stored something on its way", async () => {
    const { visitor, store, clock } = await setUpVisited({}, remembered);
    clock.advance(2 * DAY);
    const response = await visitor.visit(async (session) => {
      await session.update(write);
    });
    expect(maxAgeOf(response)).toBe(10 * 86_400);
    expect(sessionCookies(await visitor.visit(write))).toEqual([]);
    expect(store.calls).toEqual(["read", "read", "replace", "touch", "read"]);
  });

  test("the cookie is not sent again where the store cannot confirm at the end that the session lives", async () => {
    using _error = quiet("error");
    const { visitor, store, clock } = await setUpVisited({}, remembered);
    clock.advance(2 * DAY);
    const response = await visitor.visit(async (session) => {
      await session.update(write);
      store.break("touch");
    });
    expect([response.status, sessionCookies(response)]).toEqual([200, []]);
  });

  test.each<[string, Page]>([
    ["reads", read],
    ["writes", write],
    ["has stored a change before", (session) => session.update(write)],
    [
      "has saved before",
      (session) => {
        session["a"] = 1;
        return session.save();
      },
    ],
  ])(
    "the cookie is not sent again where another request changed the id meanwhile: one that %s",
    async (_, page) => {
      const { visitor, clock } = await setUpVisited({}, remembered);
      clock.advance(2 * DAY);
      const tab = visitor.clone();
      const response = await visitor.visit(async (session) => {
        await page(session);
        await tab.visit(remembered);
      });
      expect(response.status).toBe(200);
      expect(sessionCookies(response)).toEqual([]);
      expect(await isAlive(tab)).toBe(true);
    },
  );

  test("the cookie is not sent again where the session's time ran out meanwhile", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    clock.advance(10 * DAY - 1);
    const response = await visitor.visit(() => clock.advance(1));
    expect(sessionCookies(response)).toEqual([]);
    clock.advance(-1);
    expect(await isAlive(visitor)).toBe(true);
  });

  test.each<[string, (store: TappedStore) => unknown]>([
    ["fails", (store) => store.break("touch")],
    ["does not answer", (store) => store.hold("touch")],
  ])("while the store %s, who only reads gets the page without a cookie", async (_, spoil) => {
    const { visitor, store, clock } = await setUpVisited({ storeTimeout: 20 }, remembered);
    clock.advance(2 * DAY);
    spoil(store);
    const response = await visitor.visit(() => "page");
    expect(response.status).toBe(200);
    expect(sessionCookies(response)).toEqual([]);
  });

  test("the cookie does not promise more than the absolute lifetime", async () => {
    const { visitor, clock } = await setUpVisited({}, remembered);
    for (const _ of [1, 2, 3]) {
      clock.advance(9 * DAY);
      await visitor.visit(read);
    }
    const response = await visitor.visit((session) => session.regenerate());
    expect(maxAgeOf(response)).toBe(3 * 86_400);
  });

  test("B2: regenerate() and another login() of the user leave it remembered", async () => {
    const { visitor } = await setUpVisited({}, remembered);
    expect(maxAgeOf(await visitor.visit((session) => session.regenerate()))).toBe(10 * 86_400);
    expect(maxAgeOf(await visitor.visit(logIn))).toBe(10 * 86_400);
    const response = await visitor.visit((session) => session.login("ann", { remember: 86_400 }));
    expect(maxAgeOf(response)).toBe(86_400);
  });

  test("login() of another user does not leave it remembered", async () => {
    const { visitor } = await setUpVisited({}, remembered);
    const response = await visitor.visit((session) => session.login("bob"));
    expect(maxAgeOf(response)).toBeUndefined();
  });

  test.each([0, -1, 1.5, NaN, Infinity, 31 * 86_400])("refuses %p", async (remember) => {
    const { visitor } = setUp();
    const visit = visitor.visit((session) => session.login("ann", { remember }));
    await expect(visit).rejects.toThrow(RangeError);
  });

  test("takes as much as the absolute lifetime", async () => {
    const { visitor } = setUp();
    expect(maxAgeOf(await visitor.visit(rememberedForLong))).toBe(30 * 86_400);
  });
});

describe("expiry", () => {
  test("L9: an expired session is rejected with the sweeper off, and its row stays for the sweeper", async () => {
    const { visitor, store, clock, events } = await setUpVisited();
    clock.advance(TIMEOUT);
    expect(await visitor.look()).toEqual({});
    expect(store.inner.size).toBe(1);
    expect(events).toEqual([{ type: "expired", handle: hashId(visitor.id) }]);
  });

  test("L4: a lifetime that was shortened holds for sessions that are there already", async () => {
    const { visitor, store, clock } = await setUpVisited();
    clock.advance(HOUR);
    const options = { backend: store, now: clock.now, lifetime: 3_600, sweepInterval: 0 };
    expect(await visitor.clone(new Sessions(options)).look()).toEqual({});
  });
});

describe("caching", () => {
  test.each([
    ["a page", () => new Response("hello")],
    ["a redirect", () => new Response(null, { status: 303, headers: { location: "/" } })],
    ["304", () => new Response(null, { status: 304 })],
    ["an error", () => new Response("", { status: 404 })],
    ["a stream", () => new Response(new ReadableStream({ start: (stream) => stream.close() }))],
  ])("K1, K3: %s that sets the cookie is kept out of caches, and varies", async (_, answer) => {
    const { visitor } = setUp();
    const response = await visitor.visit((session) => {
      session["a"] = 1;
      return answer();
    });
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
  });

  test("K3: a 500 that clears the cookie is kept out of caches, and varies", async () => {
    const { visitor } = await setUpVisited();
    const response = await visitor.visit((session) => {
      session.destroy();
      return new Response("", { status: 500 });
    });
    expect(cacheHeaders(response)).toEqual(["Cookie", "no-store"]);
  });

  test.each([
    ["reading", read],
    ["in", (session) => "a" in session],
    ["keys", (session) => Object.keys(session)],
    ["spreading", (session) => ({ ...session })],
    ["JSON", (session) => JSON.stringify(session)],
    ["destructuring", ({ a }) => a],
    ["flash", (session) => session.flash("note")],
    ["meta", (session) => session.meta],
    ["update", (session) => session.update(() => undefined)],
  ] as [string, Page][])(
    "K2: %s makes the response vary, and no more than that",
    async (_, touch) => {
      const { sessions, visitor } = await setUpVisited();
      const open = await sessions.open(requestWith(`session_id=${visitor.id}`));
      await touch(open.session);
      const response = await sessions.commit(open, new Response(""));
      expect(cacheHeaders(response)).toEqual(["Cookie", null]);
    },
  );
});

describe("wrap", () => {
  test("passes further arguments on, behind the session", async () => {
    const { sessions } = setUp();
    const handler = sessions.wrap(
      (request, session, ...rest: [number, string]) =>
        new Response([request.method, Object.keys(session).length, ...rest].join()),
    );
    const response = await handler(new Request("http://localhost/"), 7, "server");
    expect(await response.text()).toBe("GET,0,7,server");
  });

  test("serves as a route of Bun.serve", async () => {
    const { sessions } = setUp();
    await using server = Bun.serve({
      port: 0,
      routes: {
        "/": sessions.wrap((_request, session) => {
          session["visits"] = (session["visits"] ?? 0) + 1;
          return new Response(`You have visited ${session["visits"]} times.`);
        }),
      },
    });
    const first = await fetch(server.url);
    const [cookie = ""] = first.headers.getSetCookie().map((line) => line.split(";")[0] ?? "");
    const second = await fetch(server.url, { headers: { cookie } });
    expect(await second.text()).toBe("You have visited 2 times.");
  });

  test("leaves a route its parameters, and a handler its server, by their types too", async () => {
    const { sessions } = setUp();
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

  test("lets a stream that is still being sent write its session, by save()", async () => {
    const { sessions, visitor } = await setUpVisited();
    await using server = Bun.serve({
      port: 0,
      fetch: sessions.wrap(
        (_request, session) =>
          new Response(async function* () {
            yield "first";
            session["b"] = 2;
            yield (await session.save()) ? ", saved" : ", gone";
          }),
      ),
    });
    const headers = { cookie: `session_id=${visitor.id}` };
    expect(await (await fetch(server.url, { headers })).text()).toBe("first, saved");
    expect(await visitor.look()).toEqual({ a: 1, b: 2 });
  });

  test("C9: clears the cookie of a route that destroys its session and throws, once", async () => {
    const { sessions } = setUp();
    await using server = Bun.serve({
      port: 0,
      development: false,
      routes: {
        "/": sessions.wrap((_request, session) => {
          session["a"] = 1;
          return new Response();
        }),
        "/leave": sessions.wrap((_request, session) => {
          session.destroy();
          throw new Error("The page failed.");
        }),
        "/fail": sessions.wrap(() => {
          throw new Error("The page failed.");
        }),
      },
      error: () => new Response("Failed.", { status: 500 }),
    });
    const [line = ""] = (await fetch(server.url)).headers.getSetCookie();
    const headers = { cookie: line.split(";", 1).join() };
    const failed = await fetch(new URL("/fail", server.url), { headers });
    expect(failed.headers.getSetCookie()).toEqual([]);
    const left = await fetch(new URL("/leave", server.url), { headers });
    expect(left.status).toBe(500);
    expect(left.headers.getSetCookie()).toEqual([
      "session_id=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]);
  });
});

describe.each(STORES)("a user's sessions, on %s", (_, create) => {
  async function setUpUser() {
    const clock = new FakeClock();
    const sessions = new Sessions({
      backend: create(clock.now),
      now: clock.now,
      sweepInterval: 0,
      storeTimeout: 60_000,
    });
    const visitors = [new Visitor(sessions), new Visitor(sessions), new Visitor(sessions)] as const;
    for (const visitor of visitors) {
      clock.advance(SECOND);
      await visitor.visit(logIn);
    }
    const [stranger, anonymous] = [new Visitor(sessions), new Visitor(sessions)];
    await stranger.visit((session) => session.login("bob"));
    await anonymous.visit(write);
    return { clock, sessions, visitors, stranger, anonymous };
  }

  test("L7: list() gives the live ones, oldest first, and no other's", async () => {
    const { clock, sessions, visitors } = await setUpUser();
    const now = clock.now();
    const list = await sessions.list("ann");
    expect(list.map(({ handle }) => handle)).toEqual(visitors.map(({ id }) => hashId(id)));
    expect(list[2]).toEqual({
      handle: hashId(visitors[2].id),
      userId: "ann",
      createdAt: now,
      touchedAt: now,
      expiresAt: now + TIMEOUT,
      authenticatedAt: now,
      label: null,
      current: false,
    });
    clock.advance(TIMEOUT - SECOND);
    expect(await sessions.list("ann")).toHaveLength(1);
    expect(await sessions.list("nobody")).toEqual([]);
    await sessions.close();
  });

  test("L7: revoke() ends that one and no other", async () => {
    const { sessions, visitors, stranger, anonymous } = await setUpUser();
    await sessions.revoke(hashId(visitors[1].id));
    const all = [...visitors, stranger, anonymous];
    expect(await Promise.all(all.map(isAlive))).toEqual([true, false, true, true, true]);
    expect(await sessions.list("ann")).toHaveLength(2);
    expect(sessions.stats().destroyed).toBe(1);
    await sessions.close();
  });

  test("L7: revokeAll() ends all of the user's and no other's, and says how many", async () => {
    const { sessions, visitors, stranger, anonymous } = await setUpUser();
    expect(await sessions.revokeAll("ann")).toBe(3);
    const all = [...visitors, stranger, anonymous];
    expect(await Promise.all(all.map(isAlive))).toEqual([false, false, false, true, true]);
    expect(await sessions.revokeAll("ann")).toBe(0);
    expect(sessions.stats().destroyed).toBe(3);
    await sessions.close();
  });

  test("L7: revokeAll() leaves the session that it is told to leave alone", async () => {
    const { sessions, visitors } = await setUpUser();
    const page = await visitors[1].visit((session) =>
      sessions.revokeAll("ann", { except: session.meta.handle }),
    );
    expect(await page.json()).toBe(2);
    expect(await Promise.all(visitors.map(isAlive))).toEqual([false, true, false]);
    expect(await sessions.revokeAll("ann", { except: null })).toBe(1);
    await sessions.close();
  });
});

test("revokeAll() tells how many it ended, once, and nothing of a user without sessions", async () => {
  const { visitor, sessions, events } = await setUpVisited({}, logIn);
  await visitor.clone().visit(read);
  await sessions.revokeAll("ann");
  await sessions.revokeAll("ann");
  const handles = [hashId(visitor.id)];
  expect(events).toEqual([{ type: "destroyed", handles, userId: "ann", count: 1 }]);
});

describe("a user's sessions, on a backend of two methods", () => {
  test("list() and revokeAll() say that they need a SessionStore, revoke() does not", async () => {
    const sessions = new Sessions({ backend: new LiveObjectBackend() });
    const visitor = new Visitor(sessions);
    await visitor.visit(logIn);
    expect(await sessions.list("ann").then(() => "", causeOf)).toContain("Extend SessionStore");
    expect(await sessions.revokeAll("ann").then(() => "", causeOf)).toContain(
      "Extend SessionStore",
    );
    await sessions.revoke(hashId(visitor.id));
    expect(await visitor.look()).toEqual({});
  });
});

describe("sweep", () => {
  test.each(SWEPT_STORES)(
    "removes what has expired and nothing else, from %s",
    async (_, create) => {
      const clock = new FakeClock();
      const backend = create(clock.now);
      const sessions = new Sessions({
        backend,
        now: clock.now,
        sweepInterval: 0,
        storeTimeout: 60_000,
      });
      const [old, young] = [new Visitor(sessions), new Visitor(sessions)];
      await old.visit(write);
      clock.advance(CLOCK_TOLERANCE + SECOND);
      await young.visit(write);
      clock.advance(TIMEOUT - SECOND);
      expect(await sessions.sweep()).toBe(1);
      expect(await sessions.sweep()).toBe(0);
      expect(sessions.stats().swept).toBe(1);
      expect(await backend.read(hashId(old.id))).toBeUndefined();
      expect(await young.look()).toEqual({ a: 1 });
      await sessions.close();
    },
  );

  test.each(SWEPT_STORES)(
    "B22: leaves what a process whose clock is five minutes behind still serves, in %s",
    async (_, create) => {
      const clock = new FakeClock();
      const backend = create(clock.now);
      const fastNow = (): number => clock.now() + CLOCK_TOLERANCE;
      const sessions = new Sessions({ backend, now: clock.now, sweepInterval: 0 });
      const fast = new Sessions({ backend, now: fastNow, sweepInterval: 0 });
      const visitor = new Visitor(sessions);
      await visitor.visit(write);
      clock.advance(TIMEOUT - 1);
      expect(await fast.sweep()).toBe(0);
      expect(await visitor.look()).toEqual({ a: 1 });
      clock.advance(TIMEOUT);
      expect(await fast.sweep()).toBe(1);
      await sessions.close();
    },
  );

  test("goes in batches of 30, and lets others have a turn between them", async () => {
    const { sessions, store, clock, events } = setUp();
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
    expect(limits.mock.calls).toEqual([
      [30, before],
      [30, before],
      [30, before],
    ]);
    expect(await sessions.sweep()).toBe(0);
    expect(events).toEqual([{ type: "swept", count: 80 }]);
  });

  test("happens by itself every 60 s, until close()", async () => {
    jest.useFakeTimers();
    const store = new TappedStore();
    const sessions = new Sessions({ backend: store });
    jest.advanceTimersByTime(53 * SECOND);
    expect(store.calls).toEqual([]);
    jest.advanceTimersByTime(14 * SECOND);
    expect(store.calls).toEqual(["sweep"]);
    // The sweep ends, and with it begins the countdown to the next.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(jest.getTimerCount()).toBe(1);
    await sessions.close();
    jest.advanceTimersByTime(600 * SECOND);
    expect(store.calls).toEqual(["sweep", "close"]);
  });
});

/** Takes 18 bytes for {"a":"üüüüü"} and 13 for {"b":"12345"}. */
const write31Bytes: Page = (session) => {
  session["a"] = "ü".repeat(5);
  session.flash("b", "12345");
};

describe("new Sessions", () => {
  test("has the defaults: 8 h idle, 30 days absolute", async () => {
    const { visitor, clock } = await setUpVisited();
    const page = await visitor.visit((session) => session.meta.expiresAt);
    expect(await page.json()).toBe(clock.now() + 8 * HOUR);
    expect((await setUp().visitor.visit(rememberedForLong)).status).toBe(200);
  });

  test.each([
    ["takes 32 KiB of JSON", 32 * 1024, true],
    ["refuses a byte more", 32 * 1024 + 1, false],
  ])("S3: %s", async (_, bytes, fits) => {
    const { visitor } = await setUpVisited();
    const text = "x".repeat(bytes - '{"a":1,"b":""}'.length);
    const visit = visitor.visit((session) => (session["b"] = text));
    if (fits) await visit;
    else {
      await expect(visit).rejects.toThrow(
        `The session takes ${bytes} bytes of JSON, more than the 32768`,
      );
    }
    expect(await visitor.look()).toEqual(fits ? { a: 1, b: text } : { a: 1 });
  });

  test("S3: counts bytes, not characters, and flash messages too", async () => {
    const { visitor } = setUp({ maxBytes: 30 });
    const visit = visitor.visit(write31Bytes);
    await expect(visit).rejects.toThrow("takes 31 bytes");
    expect((await new Visitor(setUp({ maxBytes: 31 }).sessions).visit(write31Bytes)).status).toBe(
      200,
    );
  });

  test("S3: holds for update() too", async () => {
    const { visitor } = await setUpVisited({ maxBytes: 30 });
    const visit = visitor.visit((session) =>
      session.update((data) => (data["b"] = "x".repeat(30))),
    );
    await expect(visit).rejects.toThrow("more than the 30 that `maxBytes`");
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test.each(["timeout", "lifetime", "maxBytes", "storeTimeout", "sweepInterval"])(
    "refuses nonsense for `%s`, and takes its absence",
    (name) => {
      for (const value of [-1, NaN, Infinity, "60", null]) {
        const make = (): unknown => new Sessions({ backend: new MapBackend(), [name]: value });
        if (value === null) expect(make).not.toThrow();
        else expect(make).toThrow(`\`${name}\` is ${value}`);
      }
      const zero = (): unknown => new Sessions({ backend: new MapBackend(), [name]: 0 });
      if (name === "sweepInterval") expect(zero).not.toThrow();
      else expect(zero).toThrow(TypeError);
    },
  );

  test.each([undefined, null, {}, { load: () => undefined }, { save: () => undefined }])(
    "refuses %p as a backend, and says what one needs",
    (backend) => {
      const options = { backend } as unknown as SessionsOptions;
      expect(() => new Sessions(options)).toThrow("needs a load(sessionId) and a save(");
    },
  );

  test("refuses a cookie that browsers would not take", () => {
    expect(() => setUp({ cookie: { sameSite: "none", secure: false } })).toThrow(TypeError);
  });

  test("keeps time by Date.now unless it is told otherwise", async () => {
    const sessions = new Sessions({ backend: new MapBackend() });
    const before = Date.now();
    const visitor = new Visitor(sessions);
    await visitor.visit(write);
    const page = await visitor.visit((session) => session.meta.createdAt);
    expect(await page.json()).toBeWithin(before, Date.now() + 1);
    await sessions.close();
  });
});
