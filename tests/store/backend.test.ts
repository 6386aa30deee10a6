import { describe, expect, test } from "bun:test";

import { SESSION_TIMEOUT } from "../../src/store/backend.ts";
import type { SessionRecord } from "../../src/store/record.ts";
import { NEW_RECORD } from "../../src/store/record.ts";
import { FakeClock } from "../support/clock.ts";
import { STORES } from "../support/stores/backends.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";

function record(clock: FakeClock, changes: Partial<SessionRecord> = {}): SessionRecord {
  const now = clock.now();
  const times = { createdAt: now, touchedAt: now, expiresAt: now + 60_000 };
  return { ...NEW_RECORD, ...times, data: '{"a":1}', ...changes };
}

test("SESSION_TIMEOUT is eight hours, in seconds", () => {
  expect(SESSION_TIMEOUT).toBe(28_800);
});

// What every store inherits: the two methods of a plain backend, on top of its own.
describe.each(STORES)("%s", (_, create) => {
  describe("load", () => {
    test("returns {} for an id that was never saved", async () => {
      expect(await create(Date.now).load("id")).toEqual({});
    });

    test("returns what was saved, and a copy of its own to each caller", async () => {
      const store = create(Date.now);
      const data = { list: [1] };
      await store.save("id", data, 60);
      data.list.push(2);
      expect(await store.load("id")).toEqual({ list: [1] });
      expect(await store.load("id")).not.toBe(await store.load("id"));
    });

    test("S2: returns {} for a record whose data is no dictionary", async () => {
      const clock = new FakeClock();
      const store = create(clock.now);
      await store.create("id", record(clock, { data: "{" }));
      expect(await store.load("id")).toEqual({});
    });
  });

  describe("save", () => {
    test("L3: keeps the data for `timeout` seconds: there a millisecond before, gone then", async () => {
      const clock = new FakeClock();
      const store = create(clock.now);
      await store.save("id", { a: 1 }, 60);
      clock.advance(59_999);
      expect(await store.load("id")).toEqual({ a: 1 });
      clock.advance(1);
      expect(await store.load("id")).toEqual({});
    });

    test("puts the data in place of what was there before, and restarts the timeout", async () => {
      const clock = new FakeClock();
      const store = create(clock.now);
      await store.save("id", { a: 1, b: 1 }, 60);
      clock.advance(30_000);
      await store.save("id", { a: 2 }, 60);
      clock.advance(59_999);
      expect(await store.load("id")).toEqual({ a: 2 });
    });

    test("keeps the facts of a session that is there, and raises its version", async () => {
      const clock = new FakeClock();
      const store = create(clock.now);
      const before = record(clock, { userId: "ann", flash: '{"n":1}', version: 7 });
      await store.create("id", before);
      clock.advance(1_000);
      await store.save("id", { b: 2 }, 60);
      const now = clock.now();
      const times = { touchedAt: now, expiresAt: now + 60_000 };
      const { id: _id, ...after } = { id: "", ...(await store.read("id")) };
      expect(after).toEqual({ ...before, ...times, data: '{"b":2}', version: 8 });
    });

    test("begins a new session in place of one that has expired", async () => {
      const clock = new FakeClock();
      const store = create(clock.now);
      await store.create("id", record(clock, { userId: "ann", version: 7 }));
      clock.advance(60_000);
      await store.save("id", { b: 2 }, 60);
      expect(await store.read("id")).toMatchObject({ userId: null, version: 1, data: '{"b":2}' });
    });

    test.each([
      ["empty data", {}, 60],
      ["a timeout of 0", { a: 1 }, 0],
    ])("deletes the session for %s", async (_name, data, timeout) => {
      const store = create(Date.now);
      await store.save("id", { a: 1 }, 60);
      await store.save("id", data, timeout);
      expect(await store.read("id")).toBeUndefined();
    });

    test("S1: keeps __proto__ and constructor as keys like any other", async () => {
      const store = create(Date.now);
      const text = '{"__proto__":{"admin":true},"constructor":1}';
      await store.save("id", JSON.parse(text), 60);
      expect(JSON.stringify(await store.load("id"))).toBe(text);
      expect(Object.prototype).not.toHaveProperty("admin");
    });
  });
});

describe("save", () => {
  test("tries again when somebody else writes the session in between", async () => {
    const store = new TappedStore();
    await store.save("id", { a: 1 }, 60);
    store.once("replace", () => store.inner.save("id", { theirs: 1 }, 60));
    await store.save("id", { mine: 1 }, 60);
    expect(await store.load("id")).toEqual({ mine: 1 });
    expect(store.calls.filter((call) => call === "replace")).toHaveLength(2);
  });

  test("gives up on a store that refuses whatever it is asked", async () => {
    class Refusing extends TappedStore {
      override create(): boolean {
        return false;
      }
    }
    expect(new Refusing().save("id", { a: 1 }, 60)).rejects.toThrow(
      "The session could not be saved: 1000 times, what was read was not what was there.",
    );
  });
});
