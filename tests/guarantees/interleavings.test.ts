import { afterAll, describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import type { ForwardingNote, SessionRecord } from "../../src/store/record.ts";
import { isNote } from "../../src/store/record.ts";
import { SessionStore } from "../../src/store/session-store.ts";
import { FakeClock } from "../support/clock.ts";
import { Folder } from "../support/folder.ts";
import { PAIRS } from "../support/stores/backends.ts";
import { guarantee } from "./figure.ts";
import { interleavings } from "./overlap/interleavings.ts";
import type { Rule } from "./overlap/ledger.ts";
import { RULES } from "./overlap/ledger.ts";
import type { Happening } from "./overlap/serial-order.ts";
import { findSerialOrder } from "./overlap/serial-order.ts";

const folder = new Folder();
afterAll(() => folder.remove());

type Place = readonly [name: string, backends: (now: () => number) => readonly SessionBackend[]];

/** What requests meet in: each of the backends has a manager of its own, as processes have. */
const PLACES: readonly Place[] = [
  [
    "two managers of one InMemorySessionBackend",
    (now) => {
      const backend = new InMemorySessionBackend({ now });
      return [backend, backend];
    },
  ],
  [
    "two SqliteSessionBackends on one file",
    (now) => {
      const path = folder.file("sessions.db");
      return [new SqliteSessionBackend(path, { now }), new SqliteSessionBackend(path, { now })];
    },
  ],
  // Without whole steps a backend is safe in one process only.
  ...PAIRS.map(([name, create]): Place => [name, (now) => [create(now)]]),
];

describe.each(PLACES)("requests that overlap, on %s", (name, create) => {
  guarantee(
    {
      id: "G7",
      name: `requests that overlap bring nothing back, see nothing stale and lose nothing: ${name}`,
      quick: 60,
      on: name,
      gate: 300,
      full: 10_000,
      of: "interleavings",
    },
    async (trial) => {
      const clock = new FakeClock();
      const backends = create(clock.now);
      const occasions = new Map<Rule, number>();
      let done = 0;
      const property = interleavings({ backends, clock }, ({ ledger }) => {
        for (const rule of Object.keys(RULES) as Rule[]) {
          occasions.set(rule, (occasions.get(rule) ?? 0) + ledger.occasions[rule]);
        }
        if (++done % 500 === 0) trial.progress(done);
      });
      await fc.assert(property, trial.runs);
      for (const [rule, what] of Object.entries(RULES)) {
        const count = occasions.get(rule as Rule) ?? 0;
        expect(count, `occasions for ${what}`).toBeGreaterThan(trial.size / 10);
        trial.never(what, 0, count);
      }
      for (const backend of new Set(backends)) {
        if (backend instanceof SessionStore) await backend.close();
      }
    },
  );
});

/** Stores as somebody could write them, each with one mistake. The check has to find it. */
const MISTAKEN = {
  "writes, whatever version there is": [
    "lost",
    class extends InMemorySessionBackend {
      override replace(id: string, record: SessionRecord): boolean {
        const now = this.read(id);
        return now !== undefined && !isNote(now) && super.replace(id, record, now);
      }
    },
  ],
  "writes what is gone": [
    "destroyed",
    class extends InMemorySessionBackend {
      override replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
        return super.replace(id, record, old) || super.create(id, record);
      }
    },
  ],
  "deletes after it has said so": [
    "destroyed",
    class extends InMemorySessionBackend {
      override delete(id: string): undefined {
        setImmediate(() => super.delete(id));
      }
    },
  ],
  "forgets the last of a user's sessions": [
    "destroyed",
    class extends InMemorySessionBackend {
      override deleteAll(userId: string, exceptId: string | undefined, limit: number): string[] {
        const { length, [length - 1]: last } = this.list(userId, limit);
        return super.deleteAll(userId, exceptId ?? last?.handle, limit);
      }
    },
  ],
  "leaves the old id alive": [
    "left",
    class extends InMemorySessionBackend {
      override rotate(...[oldId, ...rest]: Parameters<InMemorySessionBackend["rotate"]>): boolean {
        const old = this.read(oldId);
        const isDone = super.rotate(oldId, ...rest);
        if (!isDone || old === undefined || isNote(old)) return isDone;
        super.delete(oldId);
        return super.create(oldId, old);
      }
    },
  ],
  "stores what comes after a login under the old id as well": [
    "after",
    class extends InMemorySessionBackend {
      override rotate(
        oldId: string,
        newId: string,
        record: SessionRecord,
        old: SessionRecord,
      ): boolean {
        if (!super.rotate(oldId, newId, record, old)) return false;
        super.delete(oldId);
        return super.create(oldId, record);
      }
    },
  ],
  "reads from a copy that lags behind": [
    "order",
    class extends InMemorySessionBackend {
      readonly #copies = new Map<string, SessionRecord | ForwardingNote | undefined>();
      override read(id: string): SessionRecord | ForwardingNote | undefined {
        const copy = this.#copies.get(id);
        this.#copies.set(id, super.read(id));
        return copy ?? super.read(id);
      }
    },
  ],
} as const satisfies Record<string, readonly [Rule, typeof InMemorySessionBackend]>;

describe("the check of requests that overlap", () => {
  test.each(Object.entries(MISTAKEN))(
    "finds a store that %s",
    async (_, [rule, Store]) => {
      const clock = new FakeClock();
      const store = new Store({ now: clock.now });
      const property = interleavings({ backends: [store, store], clock });
      const broken = new Set<string>();
      for (let seed = 1; seed <= 20 && !broken.has(rule); seed++) {
        const { errorInstance } = await fc.check(property, {
          seed,
          numRuns: 1_000,
          endOnFailure: true,
        });
        const lines = String(errorInstance)
          .replace(/^Error: /, "")
          .split("\n");
        for (const line of lines) broken.add(line.split(":", 1).join());
      }
      expect([...broken]).toContain(rule);
    },
    60_000,
  );
});

describe("findSerialOrder", () => {
  interface Register {
    value: number;
  }
  let actors = 0;
  const write = (value: number, begun: number, ended: number): Happening<Register> => ({
    actor: ++actors,
    what: `writes ${value}`,
    begun,
    ended,
    does: (state) => {
      state.value = value;
      return true;
    },
  });
  const read = (value: number, begun: number, ended: number): Happening<Register> => ({
    actor: ++actors,
    what: `reads ${value}`,
    begun,
    ended,
    does: (state) => state.value === value,
  });

  test("finds the order in which what overlapped must have been done", () => {
    const order = findSerialOrder([write(1, 1, 9), read(1, 2, 3), write(2, 4, 8), read(1, 5, 6)], {
      value: 0,
    });
    expect(order?.map(({ what }) => what)).toEqual(["writes 1", "reads 1", "reads 1", "writes 2"]);
  });

  test.each([
    ["a read of what was overwritten before it began", [write(1, 1, 2), read(0, 3, 4)]],
    ["two reads that saw a write, and then not", [write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)]],
    ["a read of what nobody wrote", [write(1, 1, 9), read(2, 2, 3)]],
  ])("finds none for %s", (_, happenings) => {
    expect(findSerialOrder(happenings, { value: 0 })).toBeUndefined();
  });

  test("keeps the order of one actor, even where the times would allow another", () => {
    const first = { ...write(1, 1, 9), actor: 1 };
    const second = { ...write(2, 1, 9), actor: 1 };
    expect(findSerialOrder([first, second, read(1, 10, 11)], { value: 0 })).toBeUndefined();
    expect(findSerialOrder([first, second, read(2, 10, 11)], { value: 0 })).toHaveLength(3);
  });
});
