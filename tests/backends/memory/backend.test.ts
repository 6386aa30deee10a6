import { describe, expect, test } from "bun:test";

import { InMemorySessionBackend } from "../../../src/backends/memory/backend.ts";
import { countBytes } from "../../../src/backends/memory/bytes.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";
import { FakeClock } from "../../support/clock.ts";

testSessionBackend("InMemorySessionBackend", (now) => new InMemorySessionBackend({ now }));

const signedIn = makeRecord({ userId: "Ann" });

/** Which of the ids are still there. */
function heldBy(store: InMemorySessionBackend, ...ids: string[]): string[] {
  return ids.filter((id) => store.read(id) !== undefined);
}

/** What Ann's list says, in its order. */
function handlesIn(store: InMemorySessionBackend, limit = 10): string[] {
  return store.list("Ann", limit).map(({ handle }) => handle);
}

describe("InMemorySessionBackend", () => {
  test.each([0, -1, 1.5, Number.NaN, Infinity])("refuses %p as a limit", (limit) => {
    expect(() => new InMemorySessionBackend({ maxSessions: limit })).toThrow(
      `\`maxSessions\` is ${limit}; it has to be a whole number above 0. Leave it out for 100000.`,
    );
    expect(() => new InMemorySessionBackend({ maxBytes: limit })).toThrow(
      `\`maxBytes\` is ${limit}; it has to be a whole number above 0. Leave it out for 268435456.`,
    );
  });

  test("says that it is synchronous", () => {
    expect(new InMemorySessionBackend().isSynchronous).toBe(true);
  });

  test("holds 100,000 sessions by default", () => {
    const store = new InMemorySessionBackend();
    const record = makeRecord();
    for (let index = 0; index < 100_100; index++) store.create(String(index), record);
    expect(store.size).toBe(100_000);
    expect(heldBy(store, "99", "100")).toEqual(["100"]);
  });

  describe("when it is full", () => {
    test("evicts an expired session first, even a user's that expired a millisecond ago", () => {
      const clock = new FakeClock();
      const store = new InMemorySessionBackend({ maxSessions: 3, now: clock.now });
      const until = (ms: number, userId: string | null = null) =>
        makeRecord({ userId, expiresAt: clock.now() + ms });
      store.create("used longest ago", until(9000));
      store.create("ends first", until(1001, "Ann"));
      store.create("used last", until(9000));
      clock.advance(1001);
      store.create("new", until(9000));
      expect(store.size).toBe(3);
      expect(heldBy(store, "used longest ago", "ends first", "used last", "new")).toEqual([
        "used longest ago",
        "used last",
        "new",
      ]);
    });

    test.each([
      ["read", (store: InMemorySessionBackend) => store.read("first")],
      [
        "replaced",
        (store: InMemorySessionBackend) => store.replace("first", makeRecord(), makeRecord()),
      ],
      ["touched", (store: InMemorySessionBackend) => store.touch("first", Date.now() + 60_000)],
    ])("evicts the least recently used anonymous session, not one just %s", (_, use) => {
      const store = new InMemorySessionBackend({ maxSessions: 3 });
      store.create("signed in", signedIn);
      store.create("first", makeRecord());
      store.create("second", makeRecord());
      use(store);
      store.create("third", makeRecord());
      expect(heldBy(store, "signed in", "first", "second", "third")).toEqual([
        "signed in",
        "first",
        "third",
      ]);
    });

    test("evicts no signed-in session, and says what to do", () => {
      const store = new InMemorySessionBackend({ maxSessions: 2 });
      store.create("one", signedIn);
      store.create("before the login", makeRecord());
      store.rotate(
        "before the login",
        "two",
        makeRecord({ userId: "Ben", version: 2 }),
        makeRecord(),
      );
      expect(() => store.create("new", makeRecord())).toThrow(
        "All 2 sessions in memory belong to logged-in users and are never evicted. Raise `maxSessions`, " +
          "or use a backend on disk such as SqliteSessionBackend.",
      );
      expect(heldBy(store, "one", "two", "new")).toEqual(["one", "two"]);
    });

    test("still changes, rotates and removes what it holds", () => {
      const store = new InMemorySessionBackend({ maxSessions: 1 });
      store.create("old", signedIn);
      expect(store.replace("old", { ...signedIn, version: 2 }, signedIn)).toBe(true);
      const next = { ...signedIn, version: 3 };
      expect(store.rotate("old", "new", next, { ...next, version: 2 })).toBe(true);
      expect(heldBy(store, "old", "new")).toEqual(["new"]);
      store.delete("new");
      expect(store.create("another", makeRecord())).toBe(true);
    });
  });

  describe("when its bytes are used up", () => {
    const BIG = makeRecord({ data: JSON.stringify({ text: "x".repeat(10_000) }) });
    const BIG_SIGNED_IN = { ...BIG, userId: "Ann" };
    const NEEDED = countBytes("big", BIG);

    /** Room for seven records like {@link BIG}. */
    const LIMIT = { maxBytes: 100_000 };

    test("evicts the least recently used anonymous sessions, as many as necessary", () => {
      const store = new InMemorySessionBackend(LIMIT);
      store.create("signed in", signedIn);
      for (let index = 0; index < 300; index++) store.create(String(index), makeRecord());
      const { size } = store;
      const oldest = 300 - (size - 1);
      store.read(String(oldest));
      store.create("big", BIG);
      expect(store.bytes).toBeWithin(100_000 - NEEDED, 100_001);
      expect(store.size).toBeWithin(size - 40, size);
      const [used, next] = [String(oldest), String(oldest + 1)];
      expect(heldBy(store, "signed in", used, next, "299", "big")).toEqual([
        "signed in",
        used,
        "299",
        "big",
      ]);
    });

    test("evicts expired sessions first, signed-in ones too", () => {
      const clock = new FakeClock();
      const store = new InMemorySessionBackend({ ...LIMIT, now: clock.now });
      store.create("anonymous", makeRecord({ expiresAt: clock.now() + 5_000 }));
      for (let index = 0; index < 7; index++) {
        store.create(`big ${index}`, { ...BIG_SIGNED_IN, expiresAt: clock.now() + 1_000 });
      }
      clock.advance(1_000);
      store.create("big", { ...BIG, expiresAt: clock.now() + 5_000 });
      expect(store.size).toBe(8);
      expect(heldBy(store, "anonymous", "big 0", "big 1", "big")).toEqual([
        "anonymous",
        "big 1",
        "big",
      ]);
    });

    test("evicts others, and not the session itself, when one grows", () => {
      const store = new InMemorySessionBackend(LIMIT);
      store.create("growing", makeRecord());
      for (let index = 0; index < 7; index++) store.create(`big ${index}`, BIG);
      expect(store.replace("growing", { ...BIG, version: 2 }, makeRecord())).toBe(true);
      expect(heldBy(store, "growing", "big 0", "big 1")).toEqual(["growing", "big 1"]);
      store.create("moving", makeRecord());
      expect(store.rotate("moving", "moved", { ...BIG, version: 2 }, makeRecord())).toBe(true);
      expect(heldBy(store, "moved", "big 1", "big 2")).toEqual(["moved", "big 1"]);
      expect(store.bytes).toBeLessThanOrEqual(100_000);
    });

    test("evicts no signed-in session, and says what to do", () => {
      const store = new InMemorySessionBackend(LIMIT);
      store.create("small", signedIn);
      store.create("anonymous", makeRecord());
      for (let index = 0; index < 7; index++) store.create(`big ${index}`, BIG_SIGNED_IN);
      const { bytes } = store;
      const refusal =
        /^A session needs \d+ more bytes in memory, but only \d+ of `maxBytes` are left: the rest is taken by sessions of logged-in users, which are never evicted\. Raise `maxBytes`, or use a backend on disk such as SqliteSessionBackend\.$/;
      const grown = { ...BIG_SIGNED_IN, version: 2 };
      expect(() => store.create("new", BIG)).toThrow(refusal);
      expect(() => store.replace("small", grown, signedIn)).toThrow(refusal);
      expect(() => store.replace("anonymous", grown, makeRecord())).toThrow(refusal);
      expect(() => store.rotate("anonymous", "new", grown, makeRecord())).toThrow(refusal);
      expect(store.bytes).toBe(bytes);
      expect(store.read("small")).toEqual(signedIn);
      expect(heldBy(store, "anonymous", "big 0", "big 6", "new")).toEqual([
        "anonymous",
        "big 0",
        "big 6",
      ]);
    });

    test("refuses an anonymous session that would outgrow what signed-in ones leave free", () => {
      const store = new InMemorySessionBackend(LIMIT);
      for (let index = 0; index < 5; index++) store.create(`big ${index}`, BIG_SIGNED_IN);
      store.create("growing", BIG);
      const grown = { ...BIG, version: 2, data: BIG.data.repeat(3) };
      expect(() => store.replace("growing", grown, BIG)).toThrow("Raise `maxBytes`");
      expect(store.read("growing")).toEqual(BIG);
    });

    test("stays consistent when a session expires during eviction", () => {
      let now = 0;
      const store = new InMemorySessionBackend({ ...LIMIT, now: () => now++ });
      const record = { ...BIG, expiresAt: 1_000 };
      for (let index = 0; index < 7; index++) store.create(`big ${index}`, BIG);
      store.create("growing", record);
      now = 999;
      const grown = { ...record, version: 2, data: BIG.data.repeat(2) };
      expect(store.replace("growing", grown, record)).toBe(true);
      expect(store.read("growing")).toEqual(grown);
      expect(store.sweep(10)).toBe(1);
      for (let index = 0; index < 7; index++) store.delete(`big ${index}`);
      expect([store.size, store.bytes]).toEqual([0, 0]);
    });

    test("refuses a session that is larger than `maxBytes`", () => {
      const store = new InMemorySessionBackend({ maxBytes: 1_000 });
      store.create("id", makeRecord());
      expect(() => store.create("big", BIG)).toThrow("Raise `maxBytes`");
      expect(heldBy(store, "id")).toEqual(["id"]);
    });

    test.each([1, 2, 3])(
      "counts its bytes correctly after any sequence of operations (seed %p)",
      (seed) => {
        const random = seededRandom(seed);
        const clock = new FakeClock();
        const store = new InMemorySessionBackend({ maxBytes: 5_000, now: clock.now });
        const ids = Array.from({ length: 30 }, (_, index) => `id ${index}`);
        const anyId = (): string => ids[random(ids.length)] ?? "";
        const anyText = (): string => (random(2) === 0 ? "x" : "ā").repeat(random(400));
        const make = (version: number): SessionRecord =>
          makeRecord({
            version,
            data: anyText(),
            flash: random(2) === 0 ? null : anyText(),
            userId: random(3) > 0 ? "Ann" : null,
            label: random(2) === 0 ? null : anyText(),
            touchedAt: clock.now() - random(10),
            expiresAt: clock.now() + random(60),
          });
        const steps = [
          (id: string) => store.create(id, make(1)),
          (id: string, old: SessionRecord) => store.replace(id, make(old.version + 1), old),
          (id: string, old: SessionRecord) => store.rotate(id, anyId(), make(old.version + 1), old),
          (id: string) => store.touch(id, clock.now() + random(60)),
          (id: string) => store.delete(id),
          () => store.deleteAll("Ann", anyId(), 3),
          () => store.sweep(5),
        ];
        let refused = 0;
        for (let step = 0; step < 3_000; step++) {
          clock.advance(random(2));
          const id = anyId();
          const found = store.read(id);
          const old = found === undefined || isNote(found) ? makeRecord() : found;
          try {
            steps[random(steps.length)]?.(id, old);
          } catch (error) {
            expect(String(error)).toContain("Raise `maxBytes`");
            refused++;
          }
          const held = ids.flatMap((each) => {
            const content = store.read(each);
            return content === undefined ? [] : [countBytes(each, content)];
          });
          expect(store.size).toBe(held.length);
          expect(store.bytes).toBe(held.reduce((sum, bytes) => sum + bytes, 0));
          expect(store.bytes).toBeLessThanOrEqual(5_000);
        }
        expect(refused).toBeWithin(5, 1_000);
      },
    );
  });

  describe("a forwarding note", () => {
    const next = { ...signedIn, version: 2 };

    test("is evicted like an anonymous session, and before the session that it leads to", () => {
      const store = new InMemorySessionBackend({ maxSessions: 3 });
      store.create("old", makeRecord());
      store.create("other", makeRecord());
      store.rotate("old", "new", makeRecord({ version: 2 }), makeRecord());
      expect(heldBy(store, "other", "old", "new")).toEqual(["other", "old", "new"]);
      store.read("other");
      store.rotate("new", "newer", makeRecord({ version: 3 }), makeRecord({ version: 2 }));
      expect(heldBy(store, "other", "old", "new", "newer")).toEqual(["other", "new", "newer"]);
    });

    test("is not stored if signed-in sessions take all the room", () => {
      const store = new InMemorySessionBackend({ maxSessions: 2 });
      for (const id of ["one", "old"]) store.create(id, signedIn);
      expect(store.rotate("old", "new", next, signedIn)).toBe(true);
      expect(heldBy(store, "one", "old", "new")).toEqual(["one", "new"]);
      const bytes = countBytes("old", signedIn) + 100;
      const tight = new InMemorySessionBackend({ maxBytes: bytes });
      tight.create("old", signedIn);
      expect(tight.rotate("old", "new", next, signedIn)).toBe(true);
      expect(heldBy(tight, "old", "new")).toEqual(["new"]);
    });
  });

  describe("a user's sessions", () => {
    test("are listed and removed without reading any others, however many there are", () => {
      const store = new InMemorySessionBackend();
      let looks = 0;
      const watched = (time: number): SessionRecord => ({
        ...signedIn,
        touchedAt: time,
        get expiresAt() {
          looks++;
          return Date.now() + 60_000;
        },
      });
      for (let index = 0; index < 10_000; index++) store.create(`id ${index}`, watched(index));
      looks = 0;
      expect(handlesIn(store, 3)).toEqual(["id 9999", "id 9998", "id 9997"]);
      expect(store.deleteAll("Ann", "id 1", 3)).toEqual(["id 0", "id 2", "id 3"]);
      expect(looks).toBeLessThan(200);
      expect(store.size).toBe(9_997);
    });
  });

  test("stays readable after close(), so that a last request can finish", () => {
    const store = new InMemorySessionBackend();
    store.create("id", makeRecord());
    store.close();
    expect(heldBy(store, "id")).toEqual(["id"]);
  });
});

describe("the end of a session in memory", () => {
  test("is reported, even if the session was evicted", async () => {
    const store = new InMemorySessionBackend({ maxSessions: 2 });
    const told: string[] = [];
    const stop = store.watchEnds((ids = []) => told.push(...ids));
    for (const id of ["a", "b", "c"]) store.create(id, makeRecord());
    expect(told).toEqual(["a"]);
    store.delete("b");
    store.delete("b");
    await stop();
    store.delete("c");
    expect(told).toEqual(["a", "b"]);
  });
});
