import { describe, expect, test } from "bun:test";

import { hashId } from "../../src/session/id.ts";
import type { Session } from "../../src/session/session.ts";
import { SessionStoreError } from "../../src/store/errors.ts";
import { createRequest, setUpTapped, setUpVisited } from "../support/stores/site.ts";
import type { Page } from "../support/visitor.ts";

const NAMES = ["regenerate", "login", "destroy", "flash", "update", "save", "meta"] as const;

const readMeta: Page = (session) => session.meta;
const takeNote: Page = (session) => session.flash("note");

const textAndAdmin: Page = (session) => [JSON.stringify(session), "admin" in session];
const logIn: Page = (session) => session.login("ann");
const whose: Page = ({ meta }) => meta.userId;

function fail(): never {
  throw new RangeError("the function's");
}

/** The session of a request without a cookie, and the request's end. */
async function openNew() {
  const open = await setUpTapped().sessions.open(createRequest());
  return { open, session: open.session };
}

describe("the dictionary", () => {
  test("is empty if the session is new, and inherits nothing", async () => {
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

  test("is the same object on every access", async () => {
    const { open, session } = await openNew();
    expect(open.session).toBe(session);
  });

  test("S1: accepts __proto__, constructor and prototype like any other key", async () => {
    const text = '{"__proto__":{"admin":true},"constructor":1,"prototype":[2],"toString":"3"}';
    const { visitor } = setUpTapped();
    await visitor.visit((session) => {
      for (const [key, value] of Object.entries(JSON.parse(text))) session[key] = value;
    });
    expect(await visitor.ask(textAndAdmin)).toEqual([text, false]);
    expect(Object.prototype).not.toHaveProperty("admin");
  });

  test.each(NAMES)("does not let `%s` be overwritten, and says so", async (name) => {
    const { session } = await openNew();
    const untyped: Record<string, unknown> = session;
    const before = session[name];
    expect(() => (untyped[name] = 1)).toThrow(
      `session.${name} is a reserved name. Store your value under another key.`,
    );
    expect(() => Object.assign(session, { [name]: 1 })).toThrow(TypeError);
    expect(session[name]).toEqual(before);
    expect(name in session).toBe(true);
    expect(Object.keys(session)).toEqual([]);
  });

  test("has the type of its data, in which every key may be missing", () => {
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
  test.each(["", 7, null, undefined, {}])("refuses %p as a user's id", async (userId) => {
    const { session } = await openNew();
    expect(() => session.login(userId as string)).toThrow(TypeError);
    expect(() => session.login(userId as string)).toThrow("such as String(user.id)");
    expect(session.meta.userId).toBeNull();
  });

  test("is undone by a destroy() after it, and not by one before it", async () => {
    const { visitor, store } = setUpTapped();
    await visitor.visit((session) => (session.login("ann"), session.destroy()));
    expect(store.calls).toEqual([]);
    await visitor.visit((session) => (session.destroy(), session.login("ann")));
    expect(await visitor.ask(whose)).toBe("ann");
  });
});

describe("destroy", () => {
  test("empties the dictionary that the handler holds", async () => {
    const { visitor } = setUpTapped();
    await visitor.visit((session) => Object.assign(session, { a: 1, list: [1] }));
    const seen = await visitor.ask((session) => {
      session.flash("note", "gone with it");
      session.destroy();
      return [{ ...session }, session.meta.isNew, session.flash("note") ?? null];
    });
    expect(seen).toEqual([{}, true, null]);
  });
});

describe("flash", () => {
  test("can be taken by the request that left it, and nothing is stored then", async () => {
    const { visitor, store } = setUpTapped();
    expect(await visitor.ask((session) => (session.flash("note", 1), takeNote(session)))).toBe(1);
    expect(store.calls).toEqual([]);
  });

  test("survives requests that do not take it, changes of the data, and a new id", async () => {
    const { visitor } = setUpTapped();
    await visitor.visit((session) => session.flash("note", 1));
    await visitor.visit((session) => (session["a"] = 1));
    await visitor.visit((session) => session.update((data) => (data["b"] = 1)));
    await visitor.visit((session) => session.regenerate());
    expect(await visitor.ask(takeNote)).toBe(1);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test("accepts __proto__ and toString like any other name", async () => {
    const { visitor } = setUpTapped();
    await visitor.visit((session) => {
      expect(session.flash("toString")).toBeUndefined();
      session.flash("__proto__", { admin: true });
    });
    expect(await visitor.ask((session) => session.flash("__proto__"))).toEqual({ admin: true });
    expect(Object.prototype).not.toHaveProperty("admin");
  });
});

describe("update", () => {
  test("changes at once what is stored and what the handler holds", async () => {
    const { visitor } = setUpTapped();
    await visitor.visit((session) => (session["count"] = 1));
    const seen = await visitor.ask(async (session) => {
      session["mine"] = 1;
      const done = await session.update((data) => data["count"]++);
      return [done, await visitor.clone().look(), { ...session }];
    });
    expect(seen).toEqual([true, { count: 2 }, { mine: 1, count: 2 }]);
    expect(await visitor.look()).toEqual({ mine: 1, count: 2 });
  });

  test("begins a session if there is none", async () => {
    const { visitor } = setUpTapped();
    await visitor.visit((session) => session.update((data) => (data["count"] = 1)));
    expect(await visitor.look()).toEqual({ count: 1 });
  });

  test.each([false, true])(
    "refuses an asynchronous function; session stored: %p",
    async (stored) => {
      const { visitor } = setUpTapped();
      if (stored) await visitor.visit((session) => (session["a"] = 1));
      const visit = visitor.visit((session) => session.update(() => Promise.resolve()));
      await expect(visit).rejects.toThrow("needs a synchronous function");
    },
  );

  test.each([false, true])(
    "refuses a function that returns new data instead of changing the old; session stored: %p",
    async (stored) => {
      const { visitor } = setUpTapped();
      if (stored) await visitor.visit((session) => (session["a"] = 1));
      const visit = visitor.visit((session) => session.update((data) => ({ ...data, b: 1 })));
      await expect(visit).rejects.toThrow("Change the data that it receives");
    },
  );

  test("accepts a function that returns a part of the data, changed or not", async () => {
    const { visitor } = setUpTapped();
    for (let visit = 0; visit < 2; visit++) {
      const isStored = await visitor.ask((session) =>
        session.update((data) => ((data["a"] ??= {}).b ??= { c: 1 })),
      );
      expect(isStored).toBe(true);
    }
    expect(await visitor.look()).toEqual({ a: { b: { c: 1 } } });
  });

  test("throws what the function throws, and stores nothing", async () => {
    const { visitor } = await setUpVisited();
    const visit = visitor.visit((session) =>
      session.update((data) => {
        data["a"] = 2;
        throw new RangeError("the function's");
      }),
    );
    await expect(visit).rejects.toThrow(new RangeError("the function's"));
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test.each([
    ["throws", (data) => ((data["a"] = 2), data["list"].push(2), fail())],
    ["puts in what JSON cannot represent", (data) => Object.assign(data, { a: 2, b: 1n })],
    ["puts in a reserved name", (data) => Object.assign(data, { a: 2, save: 1 })],
    ["puts in more than `maxBytes`", (data) => Object.assign(data, { a: "x".repeat(40_000) })],
  ] as [string, Parameters<Session["update"]>[0]][])(
    "changes nothing if the function %s, whether the session is stored or not",
    async (_, change) => {
      for (const isStored of [true, false]) {
        const { visitor } = setUpTapped();
        await visitor.visit(async (session) => {
          Object.assign(session, { a: 1, list: [1] });
          if (isStored) await session.save();
          await expect(session.update(change)).rejects.toThrow();
        });
        expect(await visitor.look()).toEqual({ a: 1, list: [1] });
      }
    },
  );

  test.each([
    ["create", false],
    ["replace", true],
  ] as const)("changes nothing if the store fails to %s", async (operation, isStored) => {
    const { visitor, store } = setUpTapped();
    await visitor.visit(async (session) => {
      Object.assign(session, { a: 1, list: [1] });
      if (isStored) await session.save();
      store.once(operation, fail);
      const updating = session.update((data) => {
        Object.assign(data, { a: 2, b: 2 });
        data["list"].push(2);
      });
      session["c"] = 3;
      await expect(updating).rejects.toThrow(SessionStoreError);
    });
    expect(await visitor.look()).toEqual({ a: 1, list: [1], c: 3 });
  });

  test.each([false, true])(
    "keeps what its function does to the session itself; session stored: %p",
    async (isStored) => {
      const { visitor } = setUpTapped();
      if (isStored) await visitor.visit((session) => (session["n"] = 0));
      await visitor.visit((session) =>
        session.update((data) => {
          session["a"] = 1;
          session.flash("note", "hello");
          data["n"] = 1;
        }),
      );
      expect(await visitor.look()).toEqual({ a: 1, n: 1 });
      expect(await visitor.ask(takeNote)).toBe("hello");
    },
  );

  test("S1: passes the function a dictionary in which __proto__ is a key", async () => {
    const { visitor } = await setUpVisited();
    await visitor.visit((session) => session.update((data) => (data["__proto__"] = { b: 1 })));
    const page = await visitor.visit((session) => new Response(JSON.stringify(session)));
    expect(await page.text()).toBe('{"a":1,"__proto__":{"b":1}}');
  });
});

describe("save", () => {
  test("stores at once, and the commit at the end stores only later changes", async () => {
    const { visitor, store } = await setUpVisited();
    const seen = await visitor.ask(async (session) => {
      session["b"] = 1;
      return [await session.save(), await visitor.clone().look()];
    });
    expect(seen).toEqual([true, { a: 1, b: 1 }]);
    expect(store.calls).toEqual(["read", "replace", "read"]);
  });

  test("leaves what is written while it runs to the commit", async () => {
    const { visitor, store } = await setUpVisited();
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
    const { visitor, store } = await setUpVisited();
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
  test("of a new session says that it is new, and nothing else", async () => {
    const { visitor } = setUpTapped();
    expect(await visitor.ask(readMeta)).toEqual({
      isNew: true,
      lapsed: false,
      handle: null,
      createdAt: null,
      expiresAt: null,
      userId: null,
      authenticatedAt: null,
    });
  });

  test("of a stored session has its times in Unix milliseconds", async () => {
    const { visitor, clock } = setUpTapped();
    const now = clock.now();
    await visitor.visit(logIn);
    clock.advance(1_000);
    expect(await visitor.ask(readMeta)).toEqual({
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
