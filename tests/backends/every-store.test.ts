import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import type { SessionStore } from "../../src/store/session-store.ts";
import { makeRecord } from "../../src/testing/records.ts";
import { EVERY_STORE } from "../support/stores/every-store.ts";

/** Texts with a meaning in SQL, in JSON, in a script of Redis, or in a key. */
const TEXTS = [
  ["'; DROP TABLE bunpie_sessions; --", "' OR 1=1 --", "$1", "?1", ":id", "$id", 'Ann"s', "%"],
  ["]\n", '"]\n{"visits":9}', "null", "", "\u2028", "{tag}", "*", "user:Ann", 'user:"Ann"'],
  ["'; redis.call('FLUSHALL') --", "\u0001".repeat(320)],
].flat();

function tell(ask: () => unknown): Promise<string> {
  return Promise.try(ask).then(String, String);
}

describe.each(EVERY_STORE)("%s", (_, create) => {
  let store: SessionStore;

  beforeEach(() => {
    store = create(Date.now);
  });
  afterEach(() => store.close());

  test.each(TEXTS)("S5: treats text that looks like a command as text: %j", async (text) => {
    const record = makeRecord({ userId: text, data: JSON.stringify({ text }) });
    const bystanders = ["Ann", `${text}2`];
    for (const name of bystanders) await store.create(name, makeRecord({ userId: name }));
    await store.create("anonymous", makeRecord());
    expect(await store.create(text, record)).toBe(true);
    expect(await store.read(text)).toEqual(record);
    expect(await store.load(text)).toEqual({ text });
    expect(await store.touch(text, record.expiresAt + 1)).toBe(true);
    const old = { ...record, version: 2 };
    expect(await store.rotate(text, "new", { ...record, version: 3 }, old)).toBe(true);
    expect(await store.list(text, 9)).toMatchObject([{ handle: "new", userId: text }]);
    expect(await store.deleteAll(text, text, 9)).toEqual(["new"]);
    expect(await store.delete(text)).toBe("new");
    for (const name of bystanders)
      expect(await store.list(name, 9)).toMatchObject([{ userId: name }]);
    expect(await store.read("anonymous")).toBeDefined();
  });
});

describe.each(EVERY_STORE.filter(([name]) => name !== "InMemorySessionBackend"))(
  "%s, after close(),",
  (_, create) => {
    test("rejects every operation, and says why", async () => {
      const store = create(Date.now);
      const record = makeRecord();
      const writes = [
        () => store.create("id", record),
        () => store.replace("id", { ...record, version: 2 }, record),
        () => store.rotate("id", "new", { ...record, version: 2 }, record),
        () => store.touch("id", 0),
        () => store.delete("id"),
        () => store.deleteAll("Ann", undefined, 9),
      ];
      const reads = [() => store.read("id"), () => store.list("Ann", 9)];
      const closing = store.close();
      const meanwhile = await Promise.all(writes.map(tell));
      await closing;
      const later = await Promise.all(writes.map(tell));
      for (const told of [...meanwhile, ...later]) {
        expect(told).toMatch(/^Error: The session (store|database) is closed\.$/);
      }
      for (const read of reads) expect(await tell(read)).toContain("closed");
    });
  },
);
