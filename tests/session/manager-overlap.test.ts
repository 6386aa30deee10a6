import { afterEach, describe, expect, test } from "bun:test";

import { hashId } from "../../src/session/id.ts";
import { AsyncMapBackend, BACKENDS } from "../support/stores/backends.ts";
import { begin, closeSites, overlap, setUpTapped, Site } from "../support/stores/site.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies } from "../support/visitor.ts";

const write: Page = (session) => (session["a"] = 1);
const writeAnother: Page = (session) => (session["b"] = 1);
const writeSecret: Page = (session) => (session["secret"] = 1);
const logIn: Page = (session) => session.login("ann");
const destroy: Page = (session) => session.destroy();
const increment = (data: Record<string, unknown>): void => {
  data["count"] = Number(data["count"]) + 1;
};

const count: Page = (session) => session.update(increment);
const saveAnother: Page = (session) => ((session["b"] = 1), session.save());
const writeAnew: Page = (session) => (session.destroy(), write(session));

function countAs(key: string): Page {
  return (session) => ((session[key] = 1), count(session));
}

/** Whose session it is, what it holds, and its flash message. */
const facts: Page = (session) => [
  session.meta.userId,
  { ...session },
  session.flash("note") ?? null,
];
const NOTHING = [null, {}, null];

afterEach(closeSites);

interface Overlap {
  /** What the session is like before. */
  readonly first: Page;
  /** A request of one tab, in the middle of which … */
  readonly slow: Page;
  /** … another tab has this one. */
  readonly during: Page;
  /** What the slow page returns, and the next one of its tab sees. */
  readonly answer?: unknown;
  readonly after: unknown[];
  readonly cookies?: number;
  readonly stats?: object;
}

const OVERLAPS: Record<string, Overlap> = {
  "one that only reads never puts back what another has changed": {
    first: write,
    slow: (session) => session["a"],
    during: (session) => (session["a"] = 2),
    answer: 1,
    after: [null, { a: 2 }, null],
  },
  "one that removes a key and one that adds a flash message lose neither": {
    first: (session) => Object.assign(session, { a: 1, b: 1 }),
    slow: (session) => delete session["a"],
    during: (session) => session.flash("note", "hello"),
    answer: true,
    after: [null, { b: 1 }, "hello"],
  },
  "L6: a write that ends after destroy() does not bring the session back, and says so": {
    first: logIn,
    slow: (session) => void (session["a"] = 1),
    during: destroy,
    after: NOTHING,
    stats: { dropped: 1, created: 1, destroyed: 1 },
  },
  "a request that ends after a login does not take the new cookie away": {
    first: write,
    slow: (session) => void (session["a"] = 2),
    during: logIn,
    after: NOTHING,
    stats: { dropped: 1 },
  },
  "a login keeps what another request has stored meanwhile": {
    first: write,
    slow: (session) => ((session["b"] = 1), session.login("ann")),
    during: (session) => (session["c"] = 1),
    after: ["ann", { a: 1, b: 1, c: 1 }, null],
    cookies: 1,
  },
  "a login whose session was destroyed meanwhile begins one of its own, with nothing from the old":
    {
      first: writeSecret,
      slow: async (session) => {
        session["b"] = 1;
        session.login("ann");
        await session.save();
        session["c"] = 1;
      },
      during: destroy,
      after: ["ann", { b: 1, c: 1 }, null],
      cookies: 1,
    },
  "a login after update() has found the session gone begins one of its own": {
    first: writeSecret,
    slow: async (session) => {
      const isDone = await session.update((data) => (data["n"] = 1));
      session.login("ann");
      return isDone;
    },
    during: destroy,
    answer: false,
    after: ["ann", {}, null],
    cookies: 1,
  },
  "a login before update() begins its own session if the old one is gone, and update() changes that":
    {
      first: writeSecret,
      slow: async (session) => {
        session["b"] = 1;
        session.login("ann");
        const isDone = await session.update((data) => (data["n"] = 1));
        session["c"] = 1;
        return isDone;
      },
      during: destroy,
      answer: true,
      after: ["ann", { b: 1, n: 1, c: 1 }, null],
      cookies: 1,
    },
  "destroy() after update() has found the session gone: a flash begins a new one": {
    first: writeSecret,
    slow: async (session) => {
      await session.update((data) => (data["n"] = 1));
      session.destroy();
      session.flash("note", "Goodbye.");
    },
    during: destroy,
    after: [null, {}, "Goodbye."],
    cookies: 1,
  },
  "regenerate() of a session that was destroyed meanwhile does not bring it back": {
    first: logIn,
    slow: (session) => session.regenerate(),
    during: destroy,
    after: NOTHING,
    stats: { dropped: 1, rotated: 0 },
  },
};

describe.each(BACKENDS)("requests that overlap, on %s", (_, create) => {
  test.each(Object.entries(OVERLAPS))("%s", async (__, { first, slow, during, ...expected }) => {
    const { site, visitor } = await begin(create, first);
    const { tab, response } = await overlap(visitor, slow, during);
    expect(await response.json()).toEqual(expected.answer ?? null);
    expect(sessionCookies(response)).toHaveLength(expected.cookies ?? 0);
    expect(site.sessions.stats()).toMatchObject(expected.stats ?? {});
    expect(await tab.ask(facts)).toEqual(expected.after);
  });

  test("fifty that change fifty keys at once, and count by update(), lose no change", async () => {
    const visitor = new Site(create).visitor();
    await visitor.visit((session) => (session["count"] = 0));
    const keys = Array.from({ length: 50 }, (_key, index) => `key${index}`);
    await Promise.all(keys.map((key) => visitor.visit(countAs(key))));
    const all = Object.fromEntries(keys.map((key) => [key, 1]));
    expect(await visitor.look()).toEqual({ count: 50, ...all });
  });
});

async function setUpCounter() {
  const { store, visitor } = setUpTapped();
  await visitor.visit((session) => (session["count"] = 0));
  return { store, visitor };
}

describe("a session that many requests write", () => {
  test("is updated in turns: twenty calls of update() need twenty writes", async () => {
    const { store, visitor } = await setUpCounter();
    await Promise.all(Array.from({ length: 20 }, () => visitor.visit(count)));
    expect(store.calls.filter((call) => call === "replace")).toHaveLength(20);
    expect(await visitor.look()).toEqual({ count: 20 });
  });

  test("still accepts a login", async () => {
    const { store, visitor } = await setUpCounter();
    const key = hashId(visitor.id);
    let others = 0;
    const interfere = (): void => {
      const record = store.live(key);
      if (record === undefined || others === 10) return;
      others++;
      const next = { ...record, data: `{"count":${others}}`, version: record.version + 1 };
      store.inner.replace(key, next, record);
      store.once("rotate", interfere);
    };
    store.once("rotate", interfere);
    expect((await visitor.visit(logIn)).status).toBe(200);
    expect(await visitor.look()).toEqual({ count: 10 });
  });
});

describe("what one request asks for twice, without waiting", () => {
  test.each([
    ["a new session", () => undefined, write, { created: 1, rotated: 0 }],
    ["a login", () => undefined, logIn, { created: 1, rotated: 0 }],
    ["a new id", write, logIn, { created: 1, rotated: 1 }],
  ] as [string, Page, Page, object][])("is done once: %s", async (_, first, page, stats) => {
    const site = new Site(() => new AsyncMapBackend(), { now: Date.now });
    const visitor = site.visitor();
    await visitor.visit(first);
    await visitor.visit((session) => {
      page(session);
      void session.save();
    });
    expect(site.sessions.stats()).toMatchObject({ ...stats, dropped: 0 });
    expect(await visitor.ask(({ meta }) => meta.isNew)).toBe(false);
  });

  test.each([
    ["a session", writeAnother],
    ["a new id", (session) => session.regenerate()],
    ["a login", logIn],
  ] as [string, Page][])(
    "L6: destroy() while %s is being saved leaves nothing",
    async (_, page) => {
      const site = new Site(() => new AsyncMapBackend(), { now: Date.now });
      for (const first of [() => undefined, logIn, write] as Page[]) {
        const visitor = site.visitor();
        await visitor.visit(first);
        const response = await visitor.visit(async (session) => {
          await page(session);
          void session.save();
          session.destroy();
          session.flash("note", "Goodbye.");
          expect(session.meta.userId).toBeNull();
        });
        expect(sessionCookies(response)).toHaveLength(1);
        expect(await visitor.ask(facts)).toEqual([null, {}, "Goodbye."]);
      }
    },
  );

  test.each([
    ["a new session", "create", () => undefined, write],
    ["a session", "replace", (session) => (session["a"] = 0), write],
    ["a new id", "rotate", write, (session) => session.regenerate()],
  ] as [string, "create" | "replace" | "rotate", Page, Page][])(
    "login() while %s is being saved is recorded",
    async (_, operation, ...pages) => {
      const [first, page] = pages;
      const { store, visitor } = setUpTapped();
      await visitor.visit(first);
      const hold = store.hold(operation);
      await visitor.visit(async (session) => {
        await page(session);
        void session.save();
        await hold.reached;
        session.login("ann");
        hold.release();
      });
      expect(await visitor.ask(facts)).toEqual(["ann", { a: 1 }, null]);
    },
  );

  test.each([
    ["destroy()", destroy, NOTHING],
    ["another user's login()", (session) => session.login("ben"), ["ben", {}, null]],
  ] as [string, Page, unknown[]][])(
    "L6: update() and save() that %s overtakes change nothing of what follows, and say so",
    async (_, page, after) => {
      const { visitor } = await begin(() => new AsyncMapBackend(), logIn, { now: Date.now });
      const answer = await visitor.ask((session) => {
        const done = [session.update((data) => (data["secret"] = 1)), session.save()];
        page(session);
        return Promise.all(done);
      });
      expect(answer).toEqual([false, false]);
      expect(await visitor.ask(facts)).toEqual(after);
    },
  );

  test("the commit at the end tries once more after a save() that failed", async () => {
    const { store, visitor } = await setUpCounter();
    store.once("replace", () => Promise.reject(new Error("The disk is gone.")));
    const response = await visitor.visit((session) => {
      session["count"] = 1;
      session.save().catch(() => undefined);
    });
    expect(response.status).toBe(200);
    expect(await visitor.look()).toEqual({ count: 1 });
  });
});

/** A visit whose handler leaves `work` behind, to be done once the store is asked for `operation`. */
async function leave(operation: "create" | "delete" | "rotate", page: Page, work: Page) {
  const { store, visitor } = await setUpCounter();
  if (operation === "create") visitor.client.cookies.clear();
  const hold = store.hold(operation);
  let left: unknown;
  const response = await visitor.visit((session) => {
    page(session);
    left = hold.reached.then(() => {
      const done = work(session);
      hold.release();
      return done;
    });
  });
  return { store, visitor, response, done: await left };
}

describe("work that continues after its handler has returned, while the session is being stored", () => {
  test("save() stores into the session that the response hands out", async () => {
    const { store, visitor, done } = await leave("create", write, saveAnother);
    expect(done).toBe(true);
    expect(store.calls.filter((call) => call === "create")).toHaveLength(2);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test("save() after destroy() begins one session, not two", async () => {
    const { store, visitor } = await leave("delete", writeAnew, saveAnother);
    expect(store.inner.size).toBe(1);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test.each([
    ["a session", "create", write],
    ["a login", "rotate", logIn],
  ] as const satisfies readonly (readonly [string, string, Page])[])(
    "L6: destroy() leaves nothing of %s",
    async (_, operation, page) => {
      const { store, visitor, response } = await leave(operation, page, destroy);
      expect(response.status).toBe(200);
      expect(visitor.hasCookie).toBe(false);
      // Beside the counter's session, or the note that its rotation has left.
      expect(store.inner.size).toBe(1);
      expect(await visitor.look()).toEqual({});
    },
  );
});
