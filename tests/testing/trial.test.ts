import { describe, expect, test } from "bun:test";

import { makeRecord } from "../../src/testing/records.ts";
import { beginTrial, neverTwice } from "../../src/testing/trial.ts";
import { MapBackend } from "../support/stores/backends.ts";
import type { Row } from "../support/stores/map-store.ts";
import { MapStore } from "../support/stores/map-store.ts";

describe("a trial", () => {
  test("passes the backend a clock that it can set", async () => {
    await using trial = await beginTrial((now) => new MapBackend(now));
    await trial.backend.save(trial.newId(), { a: 1 }, 60);
    expect(trial.clock.now()).toBeWithin(Date.now() - 1_000, Date.now() + 1_000);
    trial.clock.move(60_000);
    expect(JSON.parse(trial.backend.dump)).toHaveLength(1);
    expect(trial.clock.now()).toBeWithin(Date.now() + 59_000, Date.now() + 61_000);
  });

  test("removes what it has stored, and closes all that it has opened", async () => {
    const rows = new Map<string, Row>([["another's", makeRecord()]]);
    let open = 0;
    class Counted extends MapStore {
      override close(): void {
        open--;
      }
    }
    {
      await using trial = await beginTrial((now) => {
        open++;
        return new Counted(now, rows);
      });
      const other = await trial.another();
      await trial.backend.create(trial.newId(), makeRecord());
      await other.create(trial.newId("an id of its own"), makeRecord());
      expect([open, rows.size]).toEqual([2, 3]);
    }
    expect(open).toBe(0);
    expect([...rows.keys()]).toEqual(["another's"]);
  });

  test("ignores a backend that cannot remove or close, which has its own tests", async () => {
    class Stuck extends MapStore {
      override delete(): string | undefined {
        throw new Error("It cannot be deleted.");
      }
      override close(): void {
        throw new Error("It cannot be closed.");
      }
    }
    const trial = await beginTrial((now) => new Stuck(now));
    trial.newId();
    expect(await trial[Symbol.asyncDispose]()).toBeUndefined();
  });
});

describe("neverTwice", () => {
  test("refuses a store that was created before, with the remedy", async () => {
    const store = new MapStore();
    const create = neverTwice(() => store);
    expect(await create(Date.now)).toBe(store);
    expect(create(Date.now)).rejects.toThrow(
      "`create` returned the same store twice. Make it return a new store each time: every test closes its own.",
    );
  });

  test("accepts two methods repeatedly, because nobody closes them", async () => {
    const pair = new MapBackend();
    const create = neverTwice(() => pair);
    expect([await create(Date.now), await create(Date.now)]).toEqual([pair, pair]);
  });
});
