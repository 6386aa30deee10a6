import { describe, expect, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { hashId } from "../../src/session/id.ts";
import { FakeClock } from "../support/clock.ts";
import { AsyncMapBackend, BACKENDS, STORES } from "../support/stores/backends.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

const logIn: Page = (session) => session.login("ann");
const increment = (data: Record<string, unknown>): void => {
  data["count"] = Number(data["count"]) + 1;
};

/** A page that waits in its middle until it is let go. */
function slowly(page: Page) {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const slow: Page = async (session) => {
    begun.resolve();
    await released.promise;
    return page(session);
  };
  return { page: slow, begun: begun.promise, release: released.resolve };
}

/** Runs `during` while a request of another tab stands in the middle of its handler. */
async function overlap(visitor: Visitor, slow: Page, during: Page) {
  const { page, begun, release } = slowly(slow);
  const tab = visitor.clone();
  const pending = tab.visit(page);
  await begun;
  await visitor.visit(during);
  release();
  return { tab, response: await pending };
}

describe.each(BACKENDS)("requests that overlap, on %s", (_, create) => {
  async function setUp(first: Page) {
    const clock = new FakeClock();
    const sessions = new Sessions({
      backend: create(clock.now),
      now: clock.now,
      sweepInterval: 0,
      storeTimeout: 60_000,
    });
    const visitor = new Visitor(sessions);
    await visitor.visit(first);
    return { sessions, visitor };
  }

  test("two that change two keys lose neither change", async () => {
    const { visitor, sessions } = await setUp((session) => (session["start"] = 0));
    await overlap(
      visitor,
      (session) => (session["slow"] = 1),
      (session) => (session["fast"] = 1),
    );
    expect(await visitor.look()).toEqual({ start: 0, slow: 1, fast: 1 });
    expect(sessions.stats()).toMatchObject({ merged: 1, dropped: 0 });
  });

  test("fifty that change fifty keys at once lose no change", async () => {
    const { visitor } = await setUp((session) => (session["start"] = 0));
    const keys = Array.from({ length: 50 }, (_key, index) => `key${index}`);
    await Promise.all(keys.map((key) => visitor.visit((session) => (session[key] = 1))));
    const all = Object.fromEntries(keys.map((key) => [key, 1]));
    expect(await visitor.look()).toEqual({ start: 0, ...all });
  });

  test("one that only reads never puts back what another has changed", async () => {
    const { visitor } = await setUp((session) => (session["a"] = 1));
    await overlap(
      visitor,
      (session) => session["a"],
      (session) => (session["a"] = 2),
    );
    expect(await visitor.look()).toEqual({ a: 2 });
  });

  test("one that removes a key and one that adds a flash message lose neither", async () => {
    const { visitor } = await setUp((session) => Object.assign(session, { a: 1, b: 1 }));
    await overlap(
      visitor,
      (session) => delete session["a"],
      (session) => session.flash("note", "hello"),
    );
    expect(await visitor.look()).toEqual({ b: 1 });
    expect(await (await visitor.visit((session) => session.flash("note"))).json()).toBe("hello");
  });

  test("fifty update() of one counter count to fifty", async () => {
    const { visitor } = await setUp((session) => (session["count"] = 0));
    await Promise.all(
      Array.from({ length: 50 }, () =>
        visitor.visit((session) => session.update((data) => data["count"]++)),
      ),
    );
    expect(await visitor.look()).toEqual({ count: 50 });
  });

  test("L6: a write that ends after destroy() does not bring the session back, and says so", async () => {
    const { visitor, sessions } = await setUp(logIn);
    const { response, tab } = await overlap(
      visitor,
      (session) => (session["a"] = 1),
      (session) => session.destroy(),
    );
    expect(sessionCookies(response)).toEqual([]);
    expect(await tab.look()).toEqual({});
    expect(await (await tab.visit((session) => session.meta.userId)).json()).toBeNull();
    expect(sessions.stats()).toMatchObject({ dropped: 1, created: 1, destroyed: 1 });
  });

  test.each([
    ["save()", (session) => session.save()],
    ["update()", (session) => session.update(() => undefined)],
  ] as [string, Page][])(
    "L6: %s gives false once the session was destroyed",
    async (_name, ask) => {
      const { visitor } = await setUp(logIn);
      const { response, tab } = await overlap(
        visitor,
        (session) => {
          session["a"] = 1;
          return ask(session);
        },
        (session) => session.destroy(),
      );
      expect(await response.json()).toBe(false);
      expect(await tab.look()).toEqual({});
    },
  );

  test("a request that ends after a login does not take the new cookie away", async () => {
    const { visitor, sessions } = await setUp((session) => (session["a"] = 1));
    const { response } = await overlap(visitor, (session) => (session["a"] = 2), logIn);
    expect(sessionCookies(response)).toEqual([]);
    expect(sessions.stats().dropped).toBe(1);
    const page = await visitor.visit((session) => [session.meta.userId, session["a"]]);
    expect(await page.json()).toEqual(["ann", 1]);
  });

  test("a login takes along what another request has stored meanwhile", async () => {
    const { visitor } = await setUp((session) => (session["a"] = 1));
    const { tab } = await overlap(
      visitor,
      (session) => {
        session["b"] = 1;
        session.login("ann");
      },
      (session) => (session["c"] = 1),
    );
    expect(await tab.look()).toEqual({ a: 1, b: 1, c: 1 });
    expect(await visitor.look()).toEqual({});
  });

  test("a login whose session was destroyed meanwhile begins one of its own, with nothing from the old", async () => {
    const { visitor } = await setUp((session) => (session["secret"] = 1));
    const { tab } = await overlap(
      visitor,
      async (session) => {
        session["b"] = 1;
        session.login("ann");
        await session.save();
        session["c"] = 1;
        return { ...session };
      },
      (session) => session.destroy(),
    );
    const page = await tab.visit((session) => [session.meta.userId, { ...session }]);
    expect(await page.json()).toEqual(["ann", { b: 1, c: 1 }]);
  });

  test("a login after update() has found the session gone begins one of its own", async () => {
    const { visitor } = await setUp((session) => (session["secret"] = 1));
    const { tab } = await overlap(
      visitor,
      async (session) => {
        expect(await session.update((data) => (data["n"] = 1))).toBe(false);
        session.login("ann");
      },
      (session) => session.destroy(),
    );
    const page = await tab.visit((session) => [session.meta.userId, { ...session }]);
    expect(await page.json()).toEqual(["ann", {}]);
  });

  test("a login before update() begins one of its own where the session is gone, and that is updated", async () => {
    const { visitor } = await setUp((session) => (session["secret"] = 1));
    const { tab } = await overlap(
      visitor,
      async (session) => {
        session["b"] = 1;
        session.login("ann");
        expect(await session.update((data) => (data["n"] = 1))).toBe(true);
        session["c"] = 1;
      },
      (session) => session.destroy(),
    );
    const page = await tab.visit((session) => [session.meta.userId, { ...session }]);
    expect(await page.json()).toEqual(["ann", { b: 1, n: 1, c: 1 }]);
  });

  test("destroy() after update() has found the session gone: a flash begins a new one", async () => {
    const { visitor } = await setUp((session) => (session["secret"] = 1));
    const { tab } = await overlap(
      visitor,
      async (session) => {
        await session.update((data) => (data["n"] = 1));
        session.destroy();
        session.flash("note", "Goodbye.");
      },
      (session) => session.destroy(),
    );
    const page = await tab.visit((session) => [session.flash("note"), { ...session }]);
    expect(await page.json()).toEqual(["Goodbye.", {}]);
  });

  test("regenerate() of a session that was destroyed meanwhile does not bring it back", async () => {
    const { visitor, sessions } = await setUp(logIn);
    const { response, tab } = await overlap(
      visitor,
      (session) => session.regenerate(),
      (session) => session.destroy(),
    );
    expect(sessionCookies(response)).toEqual([]);
    expect(await tab.look()).toEqual({});
    expect(sessions.stats()).toMatchObject({ dropped: 1, rotated: 0 });
  });
});

test.each(STORES)(
  "L7: a write that ends after revokeAll() does not bring the session back: %s",
  async (_, create) => {
    const sessions = new Sessions({
      backend: create(Date.now),
      sweepInterval: 0,
      storeTimeout: 60_000,
    });
    const visitor = new Visitor(sessions);
    await visitor.visit(logIn);
    await visitor.visit(async (session) => {
      session["a"] = 1;
      await sessions.revokeAll("ann");
    });
    expect(await visitor.look()).toEqual({});
    expect(await sessions.list("ann")).toEqual([]);
    await sessions.close();
  },
);

describe("a write that the store is slow about", () => {
  test("L6: destroy() meanwhile: the session stays destroyed once the write is through", async () => {
    const store = new TappedStore();
    const sessions = new Sessions({ backend: store, sweepInterval: 0 });
    const visitor = new Visitor(sessions);
    await visitor.visit(logIn);
    const tab = visitor.clone();
    const hold = store.hold("replace");
    const writing = visitor.visit((session) => (session["a"] = 1));
    await hold.reached;
    await tab.visit((session) => session.destroy());
    hold.release();
    await writing;
    expect(await visitor.look()).toEqual({});
    expect(store.inner.size).toBe(0);
  });

  test("the same, on a backend of two methods that knows nothing of versions", async () => {
    const backend = new AsyncMapBackend();
    const sessions = new Sessions({ backend });
    const visitor = new Visitor(sessions);
    await visitor.visit(logIn);
    const tab = visitor.clone();
    const saved = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const save = backend.save.bind(backend);
    backend.save = async (...args) => {
      backend.save = save;
      saved.resolve();
      await released.promise;
      await save(...args);
    };
    const writing = visitor.visit((session) => (session["a"] = 1));
    await saved.promise;
    const destroying = tab.visit((session) => session.destroy());
    released.resolve();
    await Promise.all([writing, destroying]);
    expect(await visitor.look()).toEqual({});
    expect(await backend.load(hashId(visitor.id))).toBeUndefined();
  });
});

async function setUpCounter() {
  const store = new TappedStore();
  const visitor = new Visitor(new Sessions({ backend: store, sweepInterval: 0 }));
  await visitor.visit((session) => (session["count"] = 0));
  return { store, visitor };
}

describe("a session that many write", () => {
  test("is updated in turns: twenty update() need twenty writes", async () => {
    const { store, visitor } = await setUpCounter();
    await Promise.all(
      Array.from({ length: 20 }, () => visitor.visit((session) => session.update(increment))),
    );
    expect(store.calls.filter((call) => call === "replace")).toHaveLength(20);
    expect(await visitor.look()).toEqual({ count: 20 });
  });

  test("can be logged into all the same", async () => {
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
    ["a new session", (session) => (session["a"] = 1), { created: 1, rotated: 0 }],
    ["a login", logIn, { created: 1, rotated: 0 }],
  ] as [string, Page, object][])("%s: is done once", async (_, page, stats) => {
    const sessions = new Sessions({ backend: new AsyncMapBackend() });
    const visitor = new Visitor(sessions);
    await visitor.visit(async (session) => {
      await page(session);
      void session.save();
    });
    expect(sessions.stats()).toMatchObject({ ...stats, dropped: 0 });
    expect(visitor.hasCookie).toBe(true);
  });

  test("a new id: is given once, and the visitor keeps the session", async () => {
    const sessions = new Sessions({ backend: new AsyncMapBackend() });
    const visitor = new Visitor(sessions);
    await visitor.visit((session) => (session["a"] = 1));
    await visitor.visit((session) => {
      session.login("ann");
      void session.save();
    });
    expect(sessions.stats()).toMatchObject({ rotated: 1, dropped: 0 });
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test.each([
    ["a session", (session) => (session["b"] = 1)],
    ["a new id", (session) => session.regenerate()],
    ["a login", logIn],
  ] as [string, Page][])(
    "L6: destroy() while %s is being saved: nothing of it is left",
    async (_, page) => {
      const sessions = new Sessions({ backend: new AsyncMapBackend() });
      for (const first of [() => undefined, logIn, (session) => (session["a"] = 1)] as Page[]) {
        const visitor = new Visitor(sessions);
        await visitor.visit(first);
        const events: string[] = [];
        const response = await visitor.visit(async (session) => {
          await page(session);
          void session.save();
          session.destroy();
          session.flash("note", "Goodbye.");
          events.push(String(session.meta.userId));
        });
        expect(events).toEqual(["null"]);
        expect(sessionCookies(response)).toHaveLength(1);
        const look = await visitor.visit((session) => [
          session.meta.userId,
          { ...session },
          session.flash("note"),
        ]);
        expect(await look.json()).toEqual([null, {}, "Goodbye."]);
      }
    },
  );

  test.each([
    ["a new session", "create", () => undefined, (session) => (session["a"] = 1)],
    ["a session", "replace", (session) => (session["a"] = 0), (session) => (session["a"] = 1)],
    ["a new id", "rotate", (session) => (session["a"] = 1), (session) => session.regenerate()],
  ] as [string, "create" | "replace" | "rotate", Page, Page][])(
    "login() while %s is being saved is recorded",
    async (_, operation, ...pages) => {
      const [first, page] = pages;
      const store = new TappedStore();
      const visitor = new Visitor(new Sessions({ backend: store, sweepInterval: 0 }));
      await visitor.visit(first);
      const hold = store.hold(operation);
      await visitor.visit(async (session) => {
        await page(session);
        void session.save();
        await hold.reached;
        session.login("ann");
        hold.release();
      });
      const look = await visitor.visit((session) => [session.meta.userId, { ...session }]);
      expect(await look.json()).toEqual(["ann", { a: 1 }]);
    },
  );

  test("a save() that fails: the commit at the end tries once more", async () => {
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
  const visit = visitor.visit((session) => {
    page(session);
    left = hold.reached.then(() => {
      const done = work(session);
      hold.release();
      return done;
    });
  });
  const response = await visit;
  return { store, visitor, response, done: await left };
}

describe("work that goes on after its handler has returned, while the session is being stored", () => {
  test("a save() is stored in the session that the response hands out", async () => {
    const { store, visitor, done } = await leave(
      "create",
      (session) => (session["a"] = 1),
      (session) => {
        session["b"] = 1;
        return session.save();
      },
    );
    expect(done).toBe(true);
    expect(store.calls.filter((call) => call === "create")).toHaveLength(2);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test("a save() after destroy() begins one session, not two", async () => {
    const { store, visitor } = await leave(
      "delete",
      (session) => {
        session.destroy();
        session["a"] = 1;
      },
      (session) => {
        session["b"] = 1;
        return session.save();
      },
    );
    expect(store.inner.size).toBe(1);
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test.each([
    ["a session", "create", (session) => (session["a"] = 1)],
    ["a login", "rotate", logIn],
  ] as const satisfies readonly (readonly [string, string, Page])[])(
    "L6: destroy() leaves nothing of %s",
    async (_, operation, page) => {
      const { store, visitor, response } = await leave(operation, page, (session) =>
        session.destroy(),
      );
      expect(response.status).toBe(200);
      expect(visitor.hasCookie).toBe(false);
      // Beside the counter's session, or the note that its rotation has left.
      expect(store.inner.size).toBe(1);
      expect(await visitor.look()).toEqual({});
    },
  );
});
