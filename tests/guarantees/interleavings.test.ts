import { afterAll, describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { SessionStore } from "../../src/store/session-store.ts";
import { FakeClock } from "../support/clock.ts";
import { Folder } from "../support/folder.ts";
import { PAIRS } from "../support/stores/backends.ts";
import type { Row } from "../support/stores/map-store.ts";
import { breakStores } from "../testing/broken/faulty-store.ts";
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
    `requests that overlap bring nothing back, see nothing stale and lose nothing: ${name}`,
    { id: "G7", quick: 60, on: name, gate: 300, full: 10_000, of: "interleavings" },
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

/** Stores as somebody could write them, each with one mistake. The check has to find the rule it breaks. */
const MISTAKEN = breakStores({
  "writes, whatever version there is": {
    red: "lost",
    replace: (good) => (id, record) => good.findLive(id) !== undefined && good.put(id, record),
  },
  "writes what is gone": {
    red: "destroyed",
    replace: (good) => (id, record, old) =>
      good.replace(id, record, old) || good.create(id, record),
  },
  "deletes after it has said so": {
    red: "destroyed",
    delete: (good) => (id) => void setImmediate(() => good.delete(id)),
  },
  "forgets the last of a user's sessions": {
    red: "destroyed",
    deleteAll: (good) => (userId, exceptId, limit) =>
      good.deleteAll(userId, exceptId ?? good.list(userId, limit).at(-1)?.handle, limit),
  },
  "leaves the old id alive": {
    red: "left",
    rotate: (good) => (oldId, newId, record, old) =>
      good.rotate(oldId, newId, record, old) && good.put(oldId, old),
  },
  "stores what comes after a login under the old id as well": {
    red: "after",
    rotate: (good) => (oldId, newId, record, old) =>
      good.rotate(oldId, newId, record, old) && good.put(oldId, record),
  },
  "reads from a copy that lags behind": {
    red: "order",
    make(good) {
      const copies = new Map<string, Row | undefined>();
      return {
        read(id) {
          const copy = copies.get(id);
          copies.set(id, good.read(id));
          return copy ?? good.read(id);
        },
      };
    },
  },
});

describe("the check of overlapping requests", () => {
  test.each(MISTAKEN)(
    "finds a store that $fault",
    async ({ create, red: rule }) => {
      const clock = new FakeClock();
      const store = create(clock.now);
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

  test("finds the order in which overlapping operations must have been done", () => {
    const order = findSerialOrder([write(1, 1, 9), read(1, 2, 3), write(2, 4, 8), read(1, 5, 6)], {
      value: 0,
    });
    expect(order?.map(({ what }) => what)).toEqual(["writes 1", "reads 1", "reads 1", "writes 2"]);
  });

  test.each([
    ["a read of what was overwritten before it began", [write(1, 1, 2), read(0, 3, 4)]],
    [
      "a read that saw a write, and a later one that did not",
      [write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)],
    ],
    ["a read of what nobody wrote", [write(1, 1, 9), read(2, 2, 3)]],
  ])("finds none for %s", (_, happenings) => {
    expect(findSerialOrder(happenings, { value: 0 })).toBeUndefined();
  });

  test("keeps the order of one actor, even if the times would allow another", () => {
    const first = { ...write(1, 1, 9), actor: 1 };
    const second = { ...write(2, 1, 9), actor: 1 };
    expect(findSerialOrder([first, second, read(1, 10, 11)], { value: 0 })).toBeUndefined();
    expect(findSerialOrder([first, second, read(2, 10, 11)], { value: 0 })).toHaveLength(3);
  });
});
