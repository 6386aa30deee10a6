import { describe, expect, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { hashId } from "../../src/session/id.ts";
import type { Session } from "../../src/session/session.ts";
import { FakeClock } from "../support/clock.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page } from "../support/visitor.ts";
import { Visitor } from "../support/visitor.ts";

const NAMES = ["regenerate", "login", "destroy", "flash", "update", "save", "meta"] as const;

const identity: Page = ({ meta }) => [meta.userId, meta.authenticatedAt];
const readMeta: Page = (session) => session.meta;
const takeNote: Page = (session) => session.flash("note");

function setUp() {
  const clock = new FakeClock();
  const store = new TappedStore(clock.now);
  const sessions = new Sessions({ backend: store, now: clock.now, sweepInterval: 0 });
  return { clock, store, sessions, visitor: new Visitor(sessions) };
}

/** The session of a request without a cookie, and the request's end. */
async function openNew() {
  const { sessions } = setUp();
  const open = await sessions.open(new Request("http://localhost/"));
  return { open, session: open.session };
}

describe("the dictionary", () => {
  test("is empty when it is new: nothing is inherited", async () => {
    const { session } = await openNew();
    expect(Object.keys(session)).toEqual([]);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"]) {
      expect(name in session).toBe(false);
      expect(session[name]).toBeUndefined();
    }
  });

  test("reads, writes, deletes, spreads and lists like any object", async () => {
    const { session } = await openNew();
    session["a"] = 1;
    session["b"] = 2;
    delete session["a"];
    expect("a" in session).toBe(false);
    expect({ ...session } as Record<string, unknown>).toEqual({ b: 2 });
    expect(Object.entries(session)).toEqual([["b", 2]]);
    expect(JSON.stringify(session)).toBe('{"b":2}');
    expect(Bun.inspect(session)).toContain("b: 2");
  });

  test("is one object, however often it is asked for", async () => {
    const { open, session } = await openNew();
    expect(open.session).toBe(session);
  });

  test.each(NAMES)("refuses to have `%s` overwritten, and says so", async (name) => {
    const { session } = await openNew();
    const untyped: Record<string, unknown> = session;
    const before = session[name];
    expect(() => (untyped[name] = 1)).toThrow(
      `session.${name} belongs to the session. Store your value under another key.`,
    );
    expect(() => Object.assign(session, { [name]: 1 })).toThrow(TypeError);
    expect(session[name]).toEqual(before);
    expect(name in session).toBe(true);
    expect(Object.keys(session)).toEqual([]);
  });

  test("is typed by its data, every key of which may be missing", () => {
    type Shop = Session<{ visits: number }>;
    const count = ({ visits }: Shop): number | undefined => visits;
    // @ts-expect-error -- a number is no text
    const name = ({ visits }: Shop): string | undefined => visits;
    // @ts-expect-error -- data cannot be called like one of the session's own names
    type Taken = Session<{ save: number }>;
    const taken: Taken | undefined = undefined;
    expect([typeof count, typeof name, taken]).toEqual(["function", "function", undefined]);
  });
});

describe("login", () => {
  test("records whose session it is, and since when, at once and for good", async () => {
    const { visitor, clock } = setUp();
    const page = await visitor.visit((session) => {
      session.login("ann");
      return identity(session);
    });
    const at = clock.now();
    expect(await page.json()).toEqual(["ann", at]);
    clock.advance(60_000);
    expect(await (await visitor.visit(identity)).json()).toEqual(["ann", at]);
  });

  test("stores a session that holds nothing else", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => session.login("ann"));
    expect(store.calls.filter((call) => call !== "list")).toEqual(["create"]);
    expect(await visitor.look()).toEqual({});
  });

  test("changes the user of a session that has one", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => session.login("ann"));
    await visitor.visit((session) => session.login("bob"));
    expect(await (await visitor.visit(({ meta }) => meta.userId)).json()).toBe("bob");
  });

  test.each(["", 7, null, undefined, {}])("refuses %p as a user's id", async (userId) => {
    const { session } = await openNew();
    expect(() => session.login(userId as string)).toThrow(TypeError);
    expect(() => session.login(userId as string)).toThrow("such as String(user.id)");
    expect(session.meta.userId).toBeNull();
  });

  test("is forgotten by a destroy() behind it, and not by one before it", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => {
      session.login("ann");
      session.destroy();
    });
    expect(store.calls).toEqual([]);
    await visitor.visit((session) => {
      session.destroy();
      session.login("ann");
    });
    expect(await (await visitor.visit(({ meta }) => meta.userId)).json()).toBe("ann");
  });
});

describe("destroy", () => {
  test("empties the dictionary that the handler holds", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => Object.assign(session, { a: 1, list: [1] }));
    const page = await visitor.visit((session) => {
      session.flash("note", "gone with it");
      session.destroy();
      return [{ ...session }, session.meta.isNew, session.flash("note") ?? null];
    });
    expect(await page.json()).toEqual([{}, true, null]);
  });

  test("ends a session that save() has just begun", async () => {
    const { visitor, store } = setUp();
    await visitor.visit(async (session) => {
      session["a"] = 1;
      await session.save();
      session.destroy();
    });
    expect(store.calls).toEqual(["create", "delete"]);
    expect(store.inner.size).toBe(0);
    expect(visitor.hasCookie).toBe(false);
  });
});

describe("flash", () => {
  test("leaves a message for the next request that takes it, once", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => session.flash("note", { text: "Saved." }));
    expect(await visitor.look()).toEqual({});
    expect(await (await visitor.visit(takeNote)).json()).toEqual({ text: "Saved." });
    expect(await (await visitor.visit(takeNote)).json()).toBeNull();
  });

  test("can be taken by the request that left it, and then nothing is stored", async () => {
    const { visitor, store } = setUp();
    const page = await visitor.visit((session) => {
      session.flash("note", 1);
      return session.flash("note");
    });
    expect(await page.json()).toBe(1);
    expect(store.calls).toEqual([]);
  });

  test("survives requests that do not take it, changes to the data, and a new id", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => session.flash("note", 1));
    await visitor.visit((session) => (session["a"] = 1));
    await visitor.visit((session) => session.update((data) => (data["b"] = 1)));
    await visitor.visit((session) => session.regenerate());
    expect(await (await visitor.visit((session) => session.flash("note"))).json()).toBe(1);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test("knows __proto__ and toString as names like any other", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => {
      expect(session.flash("toString")).toBeUndefined();
      session.flash("__proto__", { admin: true });
    });
    const page = await visitor.visit((session) => session.flash("__proto__"));
    expect(await page.json()).toEqual({ admin: true });
    expect(Object.prototype).not.toHaveProperty("admin");
  });
});

describe("update", () => {
  test("changes what is stored at once, and what the handler holds", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => (session["count"] = 1));
    const page = await visitor.visit(async (session) => {
      session["mine"] = 1;
      const done = await session.update((data) => data["count"]++);
      return [done, await visitor.clone().look(), { ...session }];
    });
    expect(await page.json()).toEqual([true, { count: 2 }, { mine: 1, count: 2 }]);
    expect(await visitor.look()).toEqual({ mine: 1, count: 2 });
  });

  test("begins a session where there is none", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => session.update((data) => (data["count"] = 1)));
    expect(await visitor.look()).toEqual({ count: 1 });
  });

  test("gives false in a request whose session ended, and stores nothing more", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => session.login("ann"));
    const page = await visitor.visit(async (session) => {
      await visitor.clone().visit((same) => same.destroy());
      const first = await session.update((data) => (data["a"] = 1));
      const second = await session.update((data) => (data["a"] = 1));
      session["b"] = 1;
      return [first, second, await session.save()];
    });
    expect(await page.json()).toEqual([false, false, false]);
    expect(store.inner.size).toBe(0);
  });

  test.each([false, true])(
    "refuses a function that is asynchronous; session stored: %p",
    async (stored) => {
      const { visitor } = setUp();
      if (stored) await visitor.visit((session) => (session["a"] = 1));
      const visit = visitor.visit((session) => session.update(() => Promise.resolve()));
      await expect(visit).rejects.toThrow("needs a synchronous function");
    },
  );

  test("passes on what the function throws, and stores nothing", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => (session["a"] = 1));
    const visit = visitor.visit((session) =>
      session.update((data) => {
        data["a"] = 2;
        throw new RangeError("the function's");
      }),
    );
    await expect(visit).rejects.toThrow(new RangeError("the function's"));
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test("S1: gives the function a dictionary in which __proto__ is a key", async () => {
    const { visitor } = setUp();
    await visitor.visit((session) => (session["a"] = 1));
    await visitor.visit((session) => session.update((data) => (data["__proto__"] = { b: 1 })));
    const page = await visitor.visit((session) => new Response(JSON.stringify(session)));
    expect(await page.text()).toBe('{"a":1,"__proto__":{"b":1}}');
  });
});

describe("save", () => {
  test("stores at once, and the commit at the end stores only what came after", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => (session["a"] = 1));
    store.calls.length = 0;
    const page = await visitor.visit(async (session) => {
      session["b"] = 1;
      return [await session.save(), await visitor.clone().look()];
    });
    expect(await page.json()).toEqual([true, { a: 1, b: 1 }]);
    expect(store.calls).toEqual(["read", "replace", "read"]);
  });

  test("keeps what was written while it was under way for the commit", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => (session["a"] = 1));
    const hold = store.hold("replace");
    await visitor.visit(async (session) => {
      session["b"] = 1;
      const saving = session.save();
      await hold.reached;
      session["c"] = 1;
      hold.release();
      await saving;
    });
    expect(await visitor.look()).toEqual({ a: 1, b: 1, c: 1 });
  });

  test("carries out a destroy() and begins the session that follows it", async () => {
    const { visitor, store } = setUp();
    await visitor.visit((session) => (session["a"] = 1));
    store.calls.length = 0;
    await visitor.visit(async (session) => {
      session.destroy();
      session["b"] = 1;
      expect(await session.save()).toBe(true);
    });
    expect(store.calls).toEqual(["read", "delete", "create"]);
    expect(await visitor.look()).toEqual({ b: 1 });
  });
});

describe("meta", () => {
  test("of a new session says so, and nothing else", async () => {
    const { visitor } = setUp();
    expect(await (await visitor.visit(readMeta)).json()).toEqual({
      isNew: true,
      lapsed: false,
      handle: null,
      createdAt: null,
      expiresAt: null,
      userId: null,
      authenticatedAt: null,
    });
  });

  test("of a stored session holds its facts, in Unix milliseconds", async () => {
    const { visitor, clock } = setUp();
    const now = clock.now();
    await visitor.visit((session) => session.login("ann"));
    clock.advance(1_000);
    expect(await (await visitor.visit(readMeta)).json()).toEqual({
      isNew: false,
      lapsed: false,
      handle: hashId(visitor.id),
      createdAt: now,
      expiresAt: now + 28_800_000,
      userId: "ann",
      authenticatedAt: now,
    });
  });
});
