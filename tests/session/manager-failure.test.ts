import { afterEach, beforeEach, describe, expect, jest, mock, spyOn, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { SessionDataError } from "../../src/session/errors.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { hashId } from "../../src/session/id.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { SessionStoreError } from "../../src/store/errors.ts";
import { AsyncMapBackend, MapBackend } from "../support/stores/backends.ts";
import type { Operation } from "../support/stores/tapped-store.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

const GONE = new Error("The disk is gone.");

const writeFunction: Page = (session) => {
  session["run"] = () => 1;
};

const read: Page = (session) => session["a"];
const write: Page = (session) => {
  session["a"] = 2;
};

let log: ReturnType<typeof spyOn<Console, "error">>;

beforeEach(() => {
  log = spyOn(console, "error").mockImplementation(() => undefined);
});

afterEach(() => {
  jest.useRealTimers();
  mock.restore();
});

async function setUp() {
  const store = new TappedStore();
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const sessions = new Sessions({ backend: store, sweepInterval: 0, onEvent });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => (session["a"] = 1));
  events.length = 0;
  return { store, sessions, visitor, events };
}

function requestWith(cookie: string): Request {
  return new Request("http://localhost/", { headers: { cookie } });
}

/** Waits until timers that are due have run, and what they set off. */
async function pass(milliseconds: number): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  jest.advanceTimersByTime(milliseconds);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe("a store that fails", () => {
  test("S7: on load: 503, the cookie left alone, the handler not called, never an anonymous page", async () => {
    const { store, visitor, events } = await setUp();
    store.break("read");
    const handler = mock(read);
    const response = await visitor.visit(handler);
    expect(response.status).toBe(503);
    expect(handler).not.toHaveBeenCalled();
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await response.text()).not.toContain("disk");
    expect(events).toEqual([{ type: "failed", operation: "read", error: GONE }]);
    expect(log).toHaveBeenCalledTimes(1);
    store.mend();
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  const commits: [Operation, Page][] = [
    ["replace", write],
    ["rotate", (session) => session.regenerate()],
    ["rotate", (session) => session.login("ann")],
    ["delete", (session) => session.destroy()],
    ["replace", (session) => session.update((data) => (data["a"] = 2))],
    [
      "replace",
      (session) => {
        session["a"] = 2;
        return session.save();
      },
    ],
  ];

  test.each(commits)(
    "S7: on commit, at %s: 503, no Set-Cookie, the session as it was",
    async (operation, page) => {
      const { store, visitor, events } = await setUp();
      store.break(operation);
      const response = await visitor.visit(page);
      expect(response.status).toBe(503);
      expect(sessionCookies(response)).toEqual([]);
      expect(events[0]).toEqual({ type: "failed", operation, error: GONE });
      store.mend();
      expect(await visitor.look()).toEqual({ a: 1 });
    },
  );

  test("S7: is asked to delete a session once, so that nobody waits for it twice", async () => {
    const { store, visitor } = await setUp();
    store.break("delete");
    expect((await visitor.visit((session) => session.destroy())).status).toBe(503);
    expect(store.calls.filter((call) => call === "delete")).toHaveLength(1);
  });

  test("S7: is asked again where the handler went on after a save() that failed", async () => {
    const { store, visitor } = await setUp();
    store.break("delete");
    const response = await visitor.visit(async (session) => {
      session.destroy();
      await (session.save() as Promise<boolean>).catch(() => undefined);
      store.mend();
    });
    expect(response.status).toBe(200);
    expect(visitor.hasCookie).toBe(false);
    expect(store.inner.size).toBe(0);
  });

  test("S7: at create: 503 and no Set-Cookie", async () => {
    const { store, sessions } = await setUp();
    store.break("create");
    const visitor = new Visitor(sessions);
    expect((await visitor.visit(write)).status).toBe(503);
    expect(visitor.hasCookie).toBe(false);
  });

  test("S7: a page that brings no cookie and writes no session goes on working", async () => {
    const { store, sessions } = await setUp();
    for (const operation of ["read", "create", "replace"] as const) store.break(operation);
    expect((await new Visitor(sessions).visit(read)).status).toBe(200);
  });

  test("S7: the error says what failed, with the store's own as its cause", async () => {
    const { store, sessions, visitor } = await setUp();
    store.break("read");
    const opening = (): unknown => sessions.open(requestWith(`session_id=${visitor.id}`));
    expect(opening).toThrow(SessionStoreError);
    expect(opening).toThrow(
      expect.objectContaining({ message: "The session store failed to read.", cause: GONE }),
    );
  });

  test("after save() has given out a new id, a 503 carries the cookie: the old id is dead", async () => {
    const { store, visitor } = await setUp();
    const response = await visitor.visit(async (session) => {
      session.login("ann");
      await session.save();
      store.break("replace");
      session["a"] = 2;
    });
    expect(response.status).toBe(503);
    store.mend();
    const page = await visitor.visit((session) => [session.meta.userId, session["a"]]);
    expect(await page.json()).toEqual(["ann", 1]);
  });

  test("a sweep that fails rejects, and reports it", async () => {
    const { store, sessions, events } = await setUp();
    store.break("sweep");
    await expect(sessions.sweep()).rejects.toThrow(SessionStoreError);
    expect(events).toEqual([{ type: "failed", operation: "sweep", error: GONE }]);
  });

  test.each([
    ["load", { load: () => Promise.reject(GONE), save: () => undefined }],
    [
      "load",
      {
        load: () => {
          throw GONE;
        },
        save: () => undefined,
      },
    ],
  ] as [string, SessionBackend][])(
    "S7: a %s of a two-method backend that fails is a 503",
    async (_, backend) => {
      const sessions = new Sessions({ backend });
      const visitor = new Visitor(sessions);
      visitor.client.cookies.set("session_id", "A".repeat(43));
      expect((await visitor.visit(read)).status).toBe(503);
      expect(visitor.hasCookie).toBe(true);
    },
  );

  test.each([new MapBackend(), new AsyncMapBackend()])(
    "S7: a save of a two-method backend that fails is a 503, and the next one is fine",
    async (backend) => {
      const sessions = new Sessions({ backend });
      const visitor = new Visitor(sessions);
      await visitor.visit((session) => (session["a"] = 1));
      const failing = spyOn(backend, "save").mockImplementationOnce(() => {
        throw GONE;
      });
      expect((await visitor.visit(write)).status).toBe(503);
      expect(failing).toHaveBeenCalledTimes(1);
      expect(await visitor.look()).toEqual({ a: 1 });
      expect((await visitor.visit(write)).status).toBe(200);
    },
  );
});

describe("a logout that a two-method backend fails to store", () => {
  test.each([new MapBackend(), new AsyncMapBackend()])(
    "S7: is a 503, and the session is as it was, here and elsewhere",
    async (backend) => {
      const visitor = new Visitor(new Sessions({ backend }));
      await visitor.visit((session) => (session["a"] = 1));
      spyOn(backend, "save").mockImplementationOnce(() => {
        throw GONE;
      });
      const response = await visitor.visit((session) => session.destroy());
      expect(response.status).toBe(503);
      expect(await visitor.look()).toEqual({ a: 1 });
      expect(await visitor.clone(new Sessions({ backend })).look()).toEqual({ a: 1 });
    },
  );
});

describe("a store that does not answer", () => {
  test.each([
    ["2,000 ms by default", {}, 2_000],
    ["as long as `storeTimeout` says", { storeTimeout: 50 }, 50],
    ["longer than a timer can be", { storeTimeout: 2 ** 40 }, 2 ** 31 - 1],
  ])("S7: is waited for %s, and then it is a 503", async (_, options, deadline) => {
    const store = new TappedStore();
    const sessions = new Sessions({ backend: store, sweepInterval: 0, ...options });
    const visitor = new Visitor(sessions);
    await visitor.visit(write);
    jest.useFakeTimers();
    store.hold("read");
    let status: number | undefined;
    void visitor.visit(read).then((response) => (status = response.status));
    await pass(deadline - 1);
    expect(status).toBeUndefined();
    await pass(1);
    expect(status).toBe(503);
    const [[error] = []] = log.mock.calls;
    expect((error as SessionStoreError).cause).toEqual(
      new Error(`No answer after ${deadline} ms.`),
    );
  });

  test("S7: a late failure is nobody's unhandled rejection", async () => {
    const { store, visitor } = await setUp();
    jest.useFakeTimers();
    const late = Promise.withResolvers<void>();
    store.once("read", () => late.promise);
    const visit = visitor.visit(read);
    await pass(2_000);
    expect((await visit).status).toBe(503);
    late.reject(GONE);
    await pass(0);
    expect(await visitor.look()).toEqual({ a: 1 });
  });
});

describe("a backend of two methods that does not answer", () => {
  test("S7: holds a session up for `storeTimeout`, however many requests it leaves waiting", async () => {
    const backend = new AsyncMapBackend();
    const sessions = new Sessions({ backend, sweepInterval: 0 });
    const visitor = new Visitor(sessions);
    await visitor.visit(write);
    jest.useFakeTimers();
    const load = spyOn(backend, "load").mockImplementation(() => new Promise(() => undefined));
    const hung = [read, write, read, write].map((page) => visitor.visit(page));
    await pass(2_000);
    for (const { status } of await Promise.all(hung)) expect(status).toBe(503);
    jest.useRealTimers();
    load.mockRestore();
    expect(await visitor.look()).toEqual({ a: 2 });
  });
});

describe("a session that keeps changing under a write", () => {
  test("S7: is tried for `storeTimeout`, and then it is a 503", async () => {
    const { store, visitor } = await setUp();
    let now = 0;
    spyOn(performance, "now").mockImplementation(() => (now += 300));
    spyOn(store.inner, "replace").mockReturnValue(false);
    expect((await visitor.visit(write)).status).toBe(503);
    expect(store.calls.filter((call) => call === "replace").length).toBeWithin(3, 9);
  });
});

/** Puts facts into a visitor's record that no session of Bunpie's has. */
function spoil(store: TappedStore, visitor: Visitor, facts: object): void {
  const key = hashId(visitor.id);
  const record = store.live(key);
  if (record === undefined) throw new Error("There is no record.");
  store.inner.replace(key, { ...record, version: 2, ...facts }, record);
}

describe("a stored session that cannot be read", () => {
  test.each([
    ...["{", "[]", "null", "", '{"save":1}', '{"meta":{}}', '{"$":1}', '{"a":1e999}'].map(
      (data) => ({ data }),
    ),
    { data: 5 },
    { flash: 5 },
    { version: "2" },
    { version: 1.5 },
    { version: 2 ** 53 },
    { createdAt: "soon" },
    { touchedAt: null },
    { expiresAt: "never" },
    { expiresAt: Infinity },
    { userId: 5 },
    { authenticatedAt: "soon" },
    { remember: "long" },
    { remember: 0 },
  ])("S2: is no session, and an event, never an error: %j", async (facts) => {
    const { store, visitor, events } = await setUp();
    const key = hashId(visitor.id);
    spoil(store, visitor, facts);
    const spoilt = visitor.id;
    expect(await visitor.look()).toEqual({});
    expect(events).toMatchObject([{ type: "failed", operation: "decode" }]);
    expect(String(Bun.inspect(events))).toContain(key);
    await visitor.visit(write);
    expect(visitor.id).not.toBe(spoilt);
    expect(await visitor.look()).toEqual({ a: 2 });
  });

  test("S2: flash messages that cannot be read are none", async () => {
    const { store, visitor } = await setUp();
    spoil(store, visitor, { flash: "[" });
    const page = await visitor.visit((session) => [session.flash("note") ?? null, session["a"]]);
    expect(await page.json()).toEqual([null, 1]);
  });

  test("S2: is no session either if it was spoilt while a request was under way", async () => {
    const { store, visitor, events } = await setUp();
    await visitor.visit((session) => {
      spoil(store, visitor, { expiresAt: "never" });
      session["a"] = 2;
    });
    expect(events).toMatchObject([{ type: "dropped" }]);
  });
});

describe("a session that cannot be stored", () => {
  test.each([
    ["S4: a function", writeFunction, "session.run is a function"],
    ["S4: a flash message", (session) => session.flash("n", 1n), "session.flash.n is a bigint"],
    [
      "S4: in update()",
      (session) => session.update((data) => (data["x"] = NaN)),
      "session.x is NaN",
    ],
    ["the reserved key", (session) => (session["$"] = 1), "session.$ is reserved"],
    [
      "the reserved key in update()",
      (session) => session.update((data) => (data["$"] = 1)),
      "session.$ is reserved",
    ],
    [
      "one of the session's own names in update()",
      (session) => session.update((data) => (data["save"] = 1)),
      "session.save belongs to the session",
    ],
  ] as [string, Page, string][])(
    "%s is an error, and nothing is stored",
    async (_, page, message) => {
      const { visitor, store } = await setUp();
      await expect(visitor.visit(page)).rejects.toThrow(message);
      expect(store.calls).not.toContain("replace");
      expect(await visitor.look()).toEqual({ a: 1 });
    },
  );

  test("S4: the error is a SessionDataError with status 500", async () => {
    const { visitor } = await setUp();
    const visit = visitor.visit(writeFunction);
    await expect(visit).rejects.toBeInstanceOf(SessionDataError);
    await expect(visit).rejects.toMatchObject({ status: 500 });
  });
});

describe("a response that has left", () => {
  test.each([
    ["a new session", "", (session) => (session["a"] = 1), "A new session needs a cookie"],
    ["a new id", "cookie", (session) => session.login("ann"), "A new id needs a cookie"],
  ] as [string, string, Page, string][])(
    "%s is refused: its cookie could not be set any more",
    async (_, cookie, page, message) => {
      const { sessions, visitor } = await setUp();
      const request = requestWith(cookie && `session_id=${visitor.id}`);
      const open = await sessions.open(request);
      await sessions.commit(open, new Response(""));
      await page(open.session);
      await expect(open.session.save()).rejects.toThrow(message);
    },
  );

  test("a session that is there can be written, by save() and update()", async () => {
    const { sessions, visitor } = await setUp();
    const open = await sessions.open(requestWith(`session_id=${visitor.id}`));
    await sessions.commit(open, new Response(""));
    open.session["b"] = 1;
    expect(await open.session.save()).toBe(true);
    expect(await open.session.update((data) => (data["c"] = 1))).toBe(true);
    expect(await visitor.look()).toEqual({ a: 1, b: 1, c: 1 });
  });
});
