import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { hashId } from "../../src/session/id.ts";
import type { SessionBackend, SessionData } from "../../src/store/backend.ts";
import { LoadSaveStore } from "../../src/store/load-save-store.ts";
import type { ForwardingNote, SessionRecord } from "../../src/store/record.ts";
import { NEW_RECORD } from "../../src/store/record.ts";
import { FakeClock } from "../support/clock.ts";
import { quiet } from "../support/quiet.ts";
import { AsyncMapBackend, MapBackend, PAIRS } from "../support/stores/backends.ts";
import { Visitor } from "../support/visitor.ts";

const MINUTE = 60_000;

function record(clock: FakeClock, changes: Partial<SessionRecord> = {}): SessionRecord {
  const now = clock.now();
  const times = { createdAt: now, touchedAt: now, expiresAt: now + 10 * MINUTE };
  return { ...NEW_RECORD, ...times, data: '{"a":1}', ...changes };
}

/** The note under an id that was rotated just now. */
function makeNote(clock: FakeClock): ForwardingNote {
  return { supersededBy: "new", expiresAt: clock.now() + 30_000 };
}

describe.each(PAIRS)("LoadSaveStore, on %s", (_, create) => {
  function setUp() {
    const clock = new FakeClock();
    const backend = create(clock.now);
    const store = new LoadSaveStore(backend, clock.now);
    const rotate = async () => {
      const [old, next] = [record(clock), record(clock, { version: 2 })];
      await store.create("old", old);
      expect(await store.rotate("old", "new", next, old)).toBe(true);
      return { old, next };
    };
    return { clock, backend, store, rotate, note: makeNote(clock) };
  }

  test("returns every fact of a record", async () => {
    const { clock, store } = setUp();
    const times = { authenticatedAt: 1, remember: 60 };
    const facts = { ...times, userId: "ann", flash: '{"n":1}', label: "Ann's phone", version: 7 };
    expect(await store.create("id", record(clock, facts))).toBe(true);
    expect(await store.read("id")).toEqual(record(clock, facts));
  });

  test("returns undefined for an id that was never saved", async () => {
    expect(await setUp().store.read("id")).toBeUndefined();
  });

  test("creates only where there is none, or where the old one has expired", async () => {
    const { clock, store } = setUp();
    await store.create("id", record(clock));
    expect(await store.create("id", record(clock, { data: '{"b":1}' }))).toBe(false);
    expect(await store.read("id")).toEqual(record(clock));
    clock.advance(10 * MINUTE);
    expect(await store.create("id", record(clock, { data: '{"b":1}' }))).toBe(true);
  });

  test("replaces the version that was named and no other", async () => {
    const { clock, store } = setUp();
    const old = record(clock);
    await store.create("id", old);
    const next = record(clock, { data: '{"b":1}', version: 2 });
    expect(await store.replace("id", next, next)).toBe(false);
    expect(await store.replace("other", next, old)).toBe(false);
    expect(await store.replace("id", next, old)).toBe(true);
    expect(await store.replace("id", next, old)).toBe(false);
    clock.advance(10 * MINUTE);
    expect(await store.replace("id", next, next)).toBe(false);
  });

  test("lets one of many replacements of one version through", async () => {
    const { clock, store } = setUp();
    const old = record(clock);
    await store.create("id", old);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => store.replace("id", record(clock, { version: 2 }), old)),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
  });

  test("rotates to an id that is free, from the version that was named", async () => {
    const { clock, store } = setUp();
    const old = record(clock);
    await store.create("old", old);
    await store.create("taken", old);
    const next = record(clock, { data: '{"b":1}', version: 2 });
    expect(await store.rotate("old", "new", next, next)).toBe(false);
    expect(await store.rotate("old", "taken", next, old)).toBe(false);
    expect(await store.rotate("old", "old", next, old)).toBe(false);
    expect(await store.read("old")).toEqual(old);
    expect(await store.rotate("old", "new", next, old)).toBe(true);
    expect(await store.read("new")).toEqual(next);
  });

  test("leaves a note under the old id, and no session with the backend", async () => {
    const { store, rotate, note, backend } = setUp();
    await rotate();
    expect(await store.read("old")).toEqual(note);
    expect((await backend.load("old")) ?? {}).toEqual({});
  });

  test("opens nothing under a note, and creates nothing in its place", async () => {
    const { clock, store, rotate, note } = setUp();
    const { old, next } = await rotate();
    const later = record(clock, { version: 3 });
    const answers = [
      await store.create("old", old),
      await store.replace("old", later, old),
      await store.replace("old", later, next),
      await store.rotate("old", "other", later, old),
      await store.rotate("new", "old", later, next),
      await store.touch("old", clock.now() + MINUTE),
    ];
    expect(answers).toEqual([false, false, false, false, false, false]);
    expect(await store.load("old")).toEqual({});
    expect(await store.read("old")).toEqual(note);
  });

  test("B3: keeps a note for 30 seconds, and its id ended after that", async () => {
    const { clock, store, rotate, note, backend } = setUp();
    await rotate();
    await backend.save("old", { late: 1 }, 60 * 60);
    clock.advance(29_999);
    expect(await store.read("old")).toEqual(note);
    clock.advance(1);
    expect(await store.read("old")).toBeUndefined();
    expect(await store.delete("old")).toBeUndefined();
    expect(await store.create("old", record(clock))).toBe(true);
    expect(await store.read("old")).toEqual(record(clock));
  });

  test("B3: deletes a note, and returns the id that it names, once", async () => {
    const { store, rotate } = setUp();
    await rotate();
    expect(await store.delete("old")).toBe("new");
    expect(await store.read("old")).toBeUndefined();
    expect(await store.delete("old")).toBeUndefined();
    expect(await store.delete("new")).toBeUndefined();
    expect(await store.read("new")).toBeUndefined();
  });

  test("follows a session that is rotated while it is deleted", async () => {
    const { clock, store } = setUp();
    const old = record(clock);
    await store.create("old", old);
    const answers = [
      store.rotate("old", "new", record(clock, { version: 2 }), old),
      store.delete("old"),
    ];
    expect(await Promise.all(answers)).toEqual([true, "new"]);
  });

  test("touches what is there, and raises its version", async () => {
    const { clock, store } = setUp();
    await store.create("id", record(clock));
    clock.advance(MINUTE);
    const expiresAt = clock.now() + 10 * MINUTE;
    expect(await store.touch("id", expiresAt)).toBe(true);
    expect(await store.read("id")).toMatchObject({ touchedAt: clock.now(), expiresAt, version: 2 });
    expect(await store.touch("other", expiresAt)).toBe(false);
    clock.advance(10 * MINUTE);
    expect(await store.touch("id", expiresAt + MINUTE)).toBe(false);
  });

  test("L6: keeps a destroyed session destroyed, even where something else saves it again", async () => {
    const { clock, store, backend } = setUp();
    await store.create("id", record(clock));
    await store.delete("id");
    expect(await store.replace("id", record(clock, { version: 2 }), record(clock))).toBe(false);
    expect(await store.touch("id", clock.now() + MINUTE)).toBe(false);
    await backend.save("id", { a: 1 }, 60 * 60);
    expect(await store.read("id")).toBeUndefined();
    clock.advance(60 * MINUTE - 1);
    expect(await store.read("id")).toBeUndefined();
  });

  test("deletes what is not there without an error", async () => {
    expect(await setUp().store.delete("id")).toBeUndefined();
  });
});

describe("LoadSaveStore", () => {
  test("answers at once, without a promise, where its backend does", () => {
    const clock = new FakeClock();
    const store = new LoadSaveStore(new MapBackend(clock.now), clock.now);
    expect(store.create("id", record(clock))).toBe(true);
    expect(store.rotate("id", "new", record(clock, { version: 2 }), record(clock))).toBe(true);
    expect(store.read("new")).toEqual(record(clock, { version: 2 }));
    expect(store.read("id")).toEqual(makeNote(clock));
  });

  test("keeps the facts under `$` in the data, for as long as the session lives", () => {
    const clock = new FakeClock();
    const backend = new MapBackend(clock.now);
    const save = spyOn(backend, "save");
    const { data: _, ...facts } = record(clock);
    new LoadSaveStore(backend, clock.now).create(
      "id",
      record(clock, { expiresAt: clock.now() + 1 }),
    );
    const $ = { ...facts, expiresAt: clock.now() + 1 };
    expect(save.mock.calls).toEqual([["id", { a: 1, $ }, 1]]);
  });

  test("deletes by saving nothing, for no time", () => {
    const backend = { load: mock(), save: mock() };
    new LoadSaveStore(backend).delete("id");
    expect(backend.save.mock.calls).toEqual([["id", {}, 0]]);
  });

  test.each([
    ["a note", true],
    ["a destroyed session", false],
  ])("leaves %s as it was where a delete fails", (_, isRotated) => {
    const clock = new FakeClock();
    const backend = new MapBackend(clock.now);
    const store = new LoadSaveStore(backend, clock.now);
    const old = record(clock);
    store.create("old", old);
    if (isRotated) store.rotate("old", "new", record(clock, { version: 2 }), old);
    else store.delete("old");
    const save = spyOn(backend, "save").mockImplementationOnce(() => {
      throw new Error("The disk is full.");
    });
    expect(() => store.delete("old")).toThrow("The disk is full.");
    save.mockRestore();
    backend.save("old", { late: 1 }, 60);
    expect(store.read("old")).toEqual(isRotated ? makeNote(clock) : undefined);
  });

  test.each([{}, null, undefined])("takes %p for no session", (data) => {
    const backend = { load: () => data, save: () => undefined };
    expect(new LoadSaveStore(backend).read("id")).toBeUndefined();
  });

  test("does to one session one thing after the other, and does not make others wait", async () => {
    const calls: string[] = [];
    const first = Promise.withResolvers<SessionData>();
    const backend: SessionBackend = {
      load: (id) => {
        calls.push(`load ${id}`);
        return calls.length === 1 ? first.promise : {};
      },
      save: (id) => void calls.push(`save ${id}`),
    };
    const clock = new FakeClock();
    const store = new LoadSaveStore(backend, clock.now);
    const creating = store.create("a", record(clock));
    const deleting = store.delete("a");
    store.create("b", record(clock));
    expect(calls).toEqual(["load a", "load b", "save b"]);
    first.resolve({});
    await Promise.all([creating, deleting]);
    expect(calls.slice(3)).toEqual(["save a", "save a"]);
  });

  test("sweeps nothing: its backend expires sessions by itself", () => {
    expect(new LoadSaveStore(new MapBackend()).sweep()).toBe(0);
  });

  test.each([
    ["list", (store: LoadSaveStore) => store.list()],
    ["deleteAll", (store: LoadSaveStore) => store.deleteAll()],
  ])("%s says that it needs a SessionStore", (_, ask) => {
    expect(() => ask(new LoadSaveStore(new MapBackend()))).toThrow("Extend SessionStore");
  });
});

describe("a session that something else than Bunpie has saved", () => {
  test("is served, and becomes one of Bunpie's with its first touch", async () => {
    const clock = new FakeClock();
    const backend = new MapBackend(clock.now);
    const visitor = new Visitor(new Sessions({ backend, now: clock.now }));
    const id = "A".repeat(43);
    backend.save(hashId(id), { a: 1 }, 60 * 60);
    visitor.client.cookies.set("session_id", id);
    expect(await visitor.look()).toEqual({ a: 1 });
    expect(backend.load(hashId(id))).toMatchObject({ a: 1, $: { createdAt: clock.now() } });
    await visitor.visit((session) => (session["b"] = 1));
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  test("S2: facts that are no facts do no harm", async () => {
    const backend = new MapBackend();
    const visitor = new Visitor(new Sessions({ backend }));
    const id = "A".repeat(43);
    for (const facts of ["text", 1, null, [], { expiresAt: null }]) {
      backend.save(hashId(id), { a: 1, $: facts }, 60);
      visitor.client.cookies.set("session_id", id);
      expect((await visitor.visit((session) => session["a"])).status).toBe(200);
    }
  });
});

describe("what a two-method backend returns that is no session", () => {
  const ring: SessionData = {};
  ring["self"] = ring;
  const now = Date.now();
  const times = { createdAt: now, touchedAt: now, expiresAt: now + MINUTE };
  const facts = { ...NEW_RECORD, ...times };

  test.each([
    ["a text", '{"a":1}'],
    ["an empty text", ""],
    ["a list", [1]],
    ["a number", 5],
    ["a function", () => 1],
    ["a BigInt in the data", { a: 1n }],
    ["a cycle", ring],
    ["a key of the session's own names", { save: 1 }],
    ["facts that are none", { a: 1, $: 5 }],
    ["no facts at all", { a: 1, $: {} }],
    ["facts of which one is missing", { a: 1, $: { ...facts, expiresAt: undefined } }],
    ["facts of which one is damaged", { a: 1, $: { ...facts, version: "1" } }],
  ])("S2: is no session, and an event: %s", async (_, loaded) => {
    const load = (): SessionData => loaded as unknown as SessionData;
    const events: SessionEvent[] = [];
    const onEvent = (event: SessionEvent): void => void events.push(event);
    const sessions = new Sessions({ backend: { load, save: () => undefined }, onEvent });
    const visitor = new Visitor(sessions);
    visitor.client.cookies.set("session_id", "A".repeat(43));
    expect(await visitor.look()).toEqual({});
    expect(events).toMatchObject([{ type: "failed", operation: "decode" }]);
  });

  test("is a session where the backend drops what is null", async () => {
    const backend = new MapBackend();
    spyOn(backend, "load").mockReturnValue({ a: 1, $: { version: 1, ...times } });
    const visitor = new Visitor(new Sessions({ backend }));
    visitor.client.cookies.set("session_id", "A".repeat(43));
    expect(await visitor.look()).toEqual({ a: 1 });
  });
});

async function setUpLate() {
  const backend = new AsyncMapBackend();
  const events: string[] = [];
  const onEvent = ({ type }: SessionEvent): void => void events.push(type);
  const sessions = new Sessions({ backend, storeTimeout: 500, sweepInterval: 0, onEvent });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => (session["a"] = 1));
  const { promise, resolve: answer } = Promise.withResolvers<void>();
  /** The next load returns what is there now, but only when it is told to answer. */
  const delayNextLoad = (): void => {
    const loaded = backend.load(hashId(visitor.id));
    spyOn(backend, "load").mockImplementationOnce(() => promise.then(() => loaded));
  };
  return { backend, visitor, events, delayNextLoad, answer };
}

describe("a two-method backend that answers when nobody waits any more", () => {
  let log: ReturnType<typeof quiet>;

  beforeEach(() => {
    log = quiet("error");
  });

  afterEach(() => {
    log[Symbol.dispose]();
  });

  test("S7: changes nothing that was acknowledged since", async () => {
    const { visitor, events, delayNextLoad, answer } = await setUpLate();
    const late = await visitor.visit((session) => {
      session["late"] = 1;
      delayNextLoad();
    });
    expect(late.status).toBe(503);
    await visitor.visit((session) => (session["a"] = 2));
    answer();
    await Bun.sleep(1);
    expect(await visitor.look()).toEqual({ a: 2 });
    expect(events).toEqual(["created", "failed", "updated"]);
  });

  test("L6: does not bring back what was destroyed since, not even in another process", async () => {
    const { backend, visitor, delayNextLoad, answer } = await setUpLate();
    const elsewhere = visitor.clone(new Sessions({ backend, sweepInterval: 0 }));
    await visitor.visit((session) => {
      session["late"] = 1;
      delayNextLoad();
    });
    await visitor.visit((session) => session.destroy());
    answer();
    await Bun.sleep(1);
    expect(await elsewhere.look()).toEqual({});
  });
});
