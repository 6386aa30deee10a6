import { describe, expect, test } from "bun:test";

import { SESSION_TIMEOUT } from "../../src/store/backend.ts";
import { makeRecord } from "../../src/testing/records.ts";
import { FakeClock } from "../support/clock.ts";
import { STORES } from "../support/stores/backends.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";

test("SESSION_TIMEOUT is eight hours, in seconds", () => {
  expect(SESSION_TIMEOUT).toBe(28_800);
});

test("B16: a store refuses a clock that is no function", () => {
  expect(() => new TappedStore(null as never)).toThrow(
    "`now` is null; it has to be a function. Leave it out for the default.",
  );
});

// What the contract of backends does not know: that these two methods stand on records.
describe.each(STORES)("%s", (_, create) => {
  test("S2: load() returns {} for a record whose data is no dictionary", async () => {
    const store = create(Date.now);
    await store.create("id", makeRecord({ data: "{" }));
    expect(await store.load("id")).toEqual({});
  });

  test("L3: save() begins a new session in place of an expired one, to the millisecond", async () => {
    const clock = new FakeClock();
    const store = create(clock.now);
    const expiresAt = clock.now() + 60_000;
    await store.create("id", makeRecord({ userId: "ann", version: 7, expiresAt }, clock.now()));
    clock.advance(59_999);
    expect(await store.load("id")).toEqual({ visits: 1 });
    clock.advance(1);
    expect(await store.load("id")).toEqual({});
    await store.save("id", { b: 2 }, 60);
    expect(await store.read("id")).toMatchObject({ userId: null, version: 1, data: '{"b":2}' });
  });
});

describe("save", () => {
  test("tries again if another process writes the session in between", async () => {
    const store = new TappedStore();
    await store.save("id", { a: 1 }, 60);
    store.once("replace", () => store.inner.save("id", { theirs: 1 }, 60));
    await store.save("id", { mine: 1 }, 60);
    expect(await store.load("id")).toEqual({ mine: 1 });
    expect(store.calls.filter((call) => call === "replace")).toHaveLength(2);
  });

  test("gives up on a store that refuses everything", async () => {
    const refusing = Object.assign(new TappedStore(), { create: () => false });
    await expect(refusing.save("id", { a: 1 }, 60)).rejects.toThrow(
      "The session could not be saved: the store refused 1000 writes of records that it had just returned. Check its replace() and create().",
    );
  });
});
