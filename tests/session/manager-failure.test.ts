import { afterEach, beforeEach, describe, expect, jest, mock, spyOn, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { SessionDataError } from "../../src/session/errors.ts";
import { hashId } from "../../src/session/id.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { SessionStoreError } from "../../src/store/errors.ts";
import { quiet } from "../support/quiet.ts";
import { AsyncMapBackend, MapBackend } from "../support/stores/backends.ts";
import { begin, createRequest, setUpVisited } from "../support/stores/site.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import { pass } from "../support/timers.ts";
import type { Page } from "../support/visitor.ts";
import { Visitor } from "../support/visitor.ts";

const GONE = new Error("The disk is gone.");

const writeFunction: Page = (session) => void (session["run"] = () => 1);
const noteAndData: Page = (session) => [session.flash("note") ?? null, session["a"]];
const read: Page = (session) => session["a"];
const write: Page = (session) => (session["a"] = 2);
const logIn: Page = (session) => session.login("ann");
const destroy: Page = (session) => session.destroy();

let log: ReturnType<typeof quiet>;

beforeEach(() => {
  log = quiet("error");
});

afterEach(() => {
  jest.useRealTimers();
  mock.restore();
});

describe("a store that fails", () => {
  test("S7: is asked only once to delete a session, so that nobody waits twice", async () => {
    const { store, visitor } = await setUpVisited();
    store.break("delete");
    expect((await visitor.visit(destroy)).status).toBe(503);
    expect(store.calls.filter((call) => call === "delete")).toHaveLength(1);
  });

  test("S7: is asked again if the handler goes on after a save() that failed", async () => {
    const { store, visitor } = await setUpVisited();
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

  test("S7: causes an error that says what failed and has the store's error as its cause", async () => {
    const { store, sessions, visitor } = await setUpVisited();
    store.break("read");
    const opening = (): unknown => sessions.open(createRequest(visitor));
    expect(opening).toThrow(SessionStoreError);
    expect(opening).toThrow(
      expect.objectContaining({ message: "The session store failed to read.", cause: GONE }),
    );
  });

  test("B10: is asked once by a login beyond `maxPerUser`, which reports no session as ended", async () => {
    const { site } = await begin((now) => new TappedStore(now), logIn);
    await site.visitor().visit(logIn);
    site.backend.break("delete");
    site.events.length = 0;
    const visitor = new Visitor(site.another({ maxPerUser: 1 }));
    expect((await visitor.visit(logIn)).status).toBe(200);
    expect(site.events.map(({ type }) => type)).toEqual(["created", "failed"]);
    expect(await site.sessions.list("ann")).toHaveLength(3);
  });

  test("makes sweep() reject, and is reported", async () => {
    const { store, sessions, events } = await setUpVisited();
    store.break("sweep");
    await expect(sessions.sweep()).rejects.toThrow(SessionStoreError);
    expect(events).toEqual([{ type: "failed", operation: "sweep", error: GONE }]);
  });

  test.each([
    ["a read that a two-method backend fails to load", new MapBackend(), "load", read],
    ["a read that it fails to load, asynchronously", new AsyncMapBackend(), "load", read],
    ["a change that it fails to save", new MapBackend(), "save", write],
    ["a change that it fails to save, asynchronously", new AsyncMapBackend(), "save", write],
    ["a logout that it fails to save", new MapBackend(), "save", destroy],
    ["a logout that it fails to save, asynchronously", new AsyncMapBackend(), "save", destroy],
  ] as const)(
    "S7: answers 503 and leaves the session unchanged, here and in other processes: %s",
    async (_, backend, method, page) => {
      const visitor = new Visitor(new Sessions({ backend }));
      await visitor.visit((session) => (session["a"] = 1));
      spyOn(backend as SessionBackend, method).mockImplementationOnce(() => {
        throw GONE;
      });
      expect((await visitor.visit(page)).status).toBe(503);
      expect(await visitor.look()).toEqual({ a: 1 });
      expect(await visitor.clone(new Sessions({ backend })).look()).toEqual({ a: 1 });
      expect((await visitor.visit(page)).status).toBe(200);
    },
  );
});

describe("a store that does not answer", () => {
  test.each([
    ["2,000 ms by default", {}, 2_000],
    ["as long as `storeTimeout` says", { storeTimeout: 50 }, 50],
    ["longer than a timer can be", { storeTimeout: 2 ** 40 }, 2 ** 31 - 1],
  ])("S7: is waited for %s, and then the answer is 503", async (_, options, deadline) => {
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

  test("S7: causes no unhandled rejection when it fails late", async () => {
    const { store, visitor } = await setUpVisited({ storeTimeout: 2_000 });
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

describe("a two-method backend that does not answer", () => {
  test("S7: delays a session by at most `storeTimeout`, however many requests wait", async () => {
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

/** Puts facts into a visitor's record that no session of Bunpie's has. */
function spoil(store: TappedStore, visitor: Visitor, facts: object): void {
  const key = hashId(visitor.id);
  const record = store.live(key);
  if (record === undefined) throw new Error("There is no record.");
  store.inner.replace(key, { ...record, version: 2, ...facts }, record);
}

const SPOILT = Object.entries({
  data: ["{", "[]", "null", "", '{"save":1}', '{"meta":{}}', '{"$":1}', '{"a":1e999}', 5],
  flash: [5],
  version: ["2", 1.5, 2 ** 53],
  createdAt: ["soon"],
  touchedAt: [null],
  expiresAt: ["never", Infinity],
  userId: [5],
  authenticatedAt: ["soon"],
  remember: ["long", 0],
}).flatMap(([name, values]) => values.map((value) => ({ [name]: value })));

describe("a stored session that cannot be read", () => {
  test.each(SPOILT)(
    "S2: counts as no session, and causes an event and no error: %j",
    async (facts) => {
      const { store, visitor, events } = await setUpVisited();
      const key = hashId(visitor.id);
      spoil(store, visitor, facts);
      const spoilt = visitor.id;
      expect(await visitor.look()).toEqual({});
      expect(events).toMatchObject([{ type: "failed", operation: "decode" }]);
      expect(String(Bun.inspect(events))).toContain(key);
      await visitor.visit(write);
      expect(visitor.id).not.toBe(spoilt);
      expect(await visitor.look()).toEqual({ a: 2 });
    },
  );

  test("S2: has no flash messages if only those cannot be read", async () => {
    const { store, visitor } = await setUpVisited();
    spoil(store, visitor, { flash: "[" });
    expect(await visitor.ask(noteAndData)).toEqual([null, 1]);
  });

  test("S2: counts as no session also if it was damaged during a request", async () => {
    const { store, visitor, events } = await setUpVisited();
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
      "session.save is a reserved name",
    ],
  ] as [string, Page, string][])(
    "%s: causes an error, and nothing is stored",
    async (_, page, message) => {
      const { visitor, store } = await setUpVisited();
      const visit = visitor.visit(page);
      await expect(visit).rejects.toBeInstanceOf(SessionDataError);
      await expect(visit).rejects.toThrow(message);
      expect(store.calls).not.toContain("replace");
      expect(await visitor.look()).toEqual({ a: 1 });
    },
  );
});

describe("a session whose response has left", () => {
  test.each([
    ["a new session", false, (session) => (session["a"] = 1), "A new session needs a cookie"],
    ["a new id", true, (session) => session.login("ann"), "A new id needs a cookie"],
  ] as [string, boolean, Page, string][])(
    "refuses %s, because its cookie could no longer be set",
    async (_, isKnown, page, message) => {
      const { sessions, visitor } = await setUpVisited();
      const open = await sessions.open(createRequest(isKnown ? visitor : undefined));
      await sessions.commit(open, new Response(""));
      await page(open.session);
      await expect(open.session.save()).rejects.toThrow(message);
    },
  );
});
