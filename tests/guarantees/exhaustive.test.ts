import { afterAll, describe, expect, test } from "bun:test";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionRecord } from "../../src/store/record.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import { FakeClock } from "../support/clock.ts";
import { Folder } from "../support/folder.ts";
import { guarantee } from "./figure.ts";
import { combinations, programs, tryAll } from "./overlap/exhaustive.ts";
import type { Step } from "./overlap/plan.ts";

const folder = new Folder();
afterAll(() => folder.remove());

/** Stores that share what is stored, one for each of the requests. */
type Share = (now: () => number, count: number) => readonly SessionStore[];

const inMemory: Share = (now, count) => {
  const backend = new InMemorySessionBackend({ now });
  return Array.from({ length: count }, () => backend);
};

const onFile: Share = (now, count) => {
  const path = folder.file(`${crypto.randomUUID()}.db`);
  return Array.from({ length: count }, () => new SqliteSessionBackend(path, { now }));
};

/** Programs that end or move the session in three ways, for triples. */
const TRIPLES: readonly (readonly Step[])[] = [
  [{ does: "write", key: "own" }],
  [{ does: "regenerate" }],
  [{ does: "log in", user: "ann" }],
  [{ does: "log in", user: "ben" }],
  [{ does: "destroy" }],
  [{ does: "revoke all", user: "ann", butOwn: false }],
  [{ does: "count" }],
];

/** A request of more calls of the store than this is none of those that are tried in every order. */
const MOST_CALLS = 4;

async function countSchedules(
  share: Share,
  sets: Iterable<readonly (readonly Step[])[]>,
  size: number,
  report: (done: number) => void,
): Promise<{ schedules: number; sets: number; faults: string[] }> {
  const clock = new FakeClock();
  const stores = share(clock.now, size);
  const total = { schedules: 0, sets: 0, faults: [] as string[] };
  for (const set of sets) {
    for (const isLoggedIn of [false, true]) {
      const { schedules, faults } = await tryAll(stores, clock.now, set, isLoggedIn);
      total.schedules += schedules;
      total.faults.push(...faults);
    }
    total.sets++;
    if (total.sets % 500 === 0) report(total.sets);
  }
  await Promise.all([...new Set(stores)].map((store) => store.close()));
  return total;
}

/** The programs that make at most four calls of the store by themselves. */
async function shortPrograms(most: number): Promise<readonly (readonly Step[])[]> {
  const clock = new FakeClock();
  const stores = inMemory(clock.now, 1);
  const short: (readonly Step[])[] = [];
  for (const program of programs(most)) {
    const outcomes = [false, true].map((isLoggedIn) =>
      tryAll(stores, clock.now, [program], isLoggedIn),
    );
    const calls = (await Promise.all(outcomes)).map(({ steps }) => steps);
    if (Math.max(...calls) <= MOST_CALLS) short.push(program);
  }
  return short;
}

/** All pairs that have at most so many steps together. */
function* generatePairs(
  all: readonly (readonly Step[])[],
  most: number,
): Generator<readonly (readonly Step[])[]> {
  for (const pair of combinations(all, 2)) if (pair.flat().length <= most) yield pair;
}

describe.each([
  ["memory", inMemory, 2, 2, 4],
  ["two SQLite connections", onFile, undefined, 2, 3],
] as const)("every order of two requests' steps, on %s", (name, share, quick, gate, full) => {
  guarantee(
    `no order of two requests' steps brings anything back, loses a key or writes under a dead id: ${name}`,
    { id: "G24", quick, on: name, gate, full, of: "steps that the two programs have at most" },
    async (trial) => {
      const short = await shortPrograms(trial.size);
      const pairs = generatePairs(short, trial.size);
      const { schedules, sets, faults } = await countSchedules(share, pairs, 2, (done) =>
        trial.progress(done),
      );
      trial.note(`${short.length} programs, ${sets} pairs, each with and without a login before`);
      trial.never("schedules that break a rule", faults, schedules);
    },
  );
});

describe("every order of three requests' steps", () => {
  guarantee(
    "no order of three requests' steps brings anything back, loses a key or writes under a dead id",
    { id: "G24", gate: 2, full: TRIPLES.length, of: "programs, of which any three are tried" },
    async (trial) => {
      const triples = combinations(TRIPLES.slice(0, trial.size), 3);
      const { schedules, sets, faults } = await countSchedules(inMemory, triples, 3, (done) =>
        trial.progress(done),
      );
      trial.note(`${sets} triples, each with and without a login before`);
      trial.never("schedules that break a rule", faults, schedules);
    },
  );
});

describe("the trial of every order", () => {
  test("finds a store that brings back what was destroyed, in one order of a pair", async () => {
    class Reviving extends InMemorySessionBackend {
      override replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
        return super.replace(id, record, old) || super.create(id, record);
      }
    }
    const clock = new FakeClock();
    const store = new Reviving({ now: clock.now });
    const pair = [[{ does: "write", key: "own" }], [{ does: "destroy" }]] as const;
    const { faults, schedules } = await tryAll([store, store], clock.now, pair, true);
    expect(schedules).toBe(6);
    expect(faults.length).toBeWithin(1, schedules);
  });
});
