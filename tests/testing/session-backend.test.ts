import { afterAll, describe, expect } from "bun:test";

import { makeExpiredRecord, makeRecord, randomId } from "../../src/testing/records.ts";
import { testSessionBackend } from "../../src/testing/session-backend.ts";
import { seededRandom } from "../support/arbitraries/random.ts";
import { MapBackend } from "../support/stores/backends.ts";
import type { Row } from "../support/stores/map-store.ts";
import { MapStore } from "../support/stores/map-store.ts";

testSessionBackend("a store", (now) => new MapStore(now));

// Side by side, because both are waited for: their clock is the system's.
describe.concurrent("on one database, with a clock of its own", () => {
  const database = new MapBackend();
  testSessionBackend("two methods", () => ({
    load: async (id) => database.load(id),
    save: async (id, data, timeout) => database.save(id, data, timeout),
  }));

  const rows = new Map<string, Row>();

  /** Shows nothing that has expired, and after `close` nothing at all. */
  class ClosableStore extends MapStore {
    #isClosed = false;
    override isTaken(id: string): boolean {
      this.#check();
      return super.isTaken(id);
    }
    override read(id: string): Row | undefined {
      return this.isTaken(id) ? super.read(id) : undefined;
    }
    override delete(id: string): string | undefined {
      this.#check();
      return super.delete(id);
    }
    override close(): void {
      this.#isClosed = true;
    }
    #check(): void {
      if (this.#isClosed) throw new Error("The store is closed.");
    }
  }

  testSessionBackend("a store", () => new ClosableStore(Date.now, rows));

  afterAll(() => {
    // Nothing is left, not even by the tests of close().
    expect(database.dump).toBe("[]");
    expect([...rows]).toEqual([]);
  });
});

describe("on a server that others use", () => {
  const random = seededRandom(2);
  const rows = new Map<string, Row>();
  for (let count = 0; count < 1_000; count++) {
    rows.set(randomId(), makeRecord({ userId: count % 2 === 0 ? null : randomId() }));
    rows.set(randomId(), makeExpiredRecord());
  }
  const theirs = [...rows].filter(([, { expiresAt }]) => expiresAt > Date.now());

  /** Somebody else sweeps now and then, holds what is to be swept, and has sessions that expire. */
  class BusyStore extends MapStore {
    override read(id: string): Row | undefined {
      if (random(8) === 0) super.sweep(500);
      if (random(8) === 0) rows.set(randomId(), makeExpiredRecord());
      return super.read(id);
    }
    override sweep(limit: number): number {
      return random(4) === 0 ? super.sweep(limit) : 0;
    }
  }

  testSessionBackend("a store", (now) => new BusyStore(now, rows));

  afterAll(() => {
    const live = [...rows].filter(([, { expiresAt }]) => expiresAt > Date.now());
    expect(live).toEqual(theirs);
  });
});
