import { expect } from "bun:test";

import { isNote, NOTE_LIFETIME } from "../store/record.ts";
import type { SessionStore } from "../store/session-store.ts";
import type { Check, Contract } from "./contract.ts";
import { checkEach } from "./contract.ts";
import { randomId } from "./records.ts";
import type { Rotated, StoreTrial } from "./store-trial.ts";
import {
  AT_ONCE,
  listIds,
  makeLive,
  openSharers,
  passTurn,
  PLENTY,
  readLive,
  readNote,
  readRow,
  storeRecord,
  storeRotated,
} from "./store-trial.ts";

/** Checks by the sentences that they check. */
type Checks = Readonly<Record<string, Check<StoreTrial>>>;

/** How many concurrent rounds try to read between two steps of a write. */
const ROUNDS = 10;

/** The ways in which a note must not act as a session, by method; each returns whether it did. */
const OPENINGS: Record<
  string,
  (trial: StoreTrial, rotated: Rotated & { userId: string }) => Promise<boolean>
> = {
  "`load` returns nothing": async (trial, { oldId }) =>
    Object.keys(await trial.load(oldId)).length > 0,
  "`touch` refuses it": async (trial, { oldId }) =>
    trial.backend.touch(oldId, makeLive(trial).expiresAt),
  "`replace` refuses it, whatever the version": async (trial, { oldId, old, record }) => {
    const written = { ...record, version: 3 };
    return (
      (await trial.backend.replace(oldId, written, old)) ||
      trial.backend.replace(oldId, written, record)
    );
  },
  "`rotate` refuses it, whatever the version": async (trial, { oldId, old, record }) => {
    const written = { ...record, version: 3 };
    return (
      (await trial.backend.rotate(oldId, trial.newId(), written, old)) ||
      trial.backend.rotate(oldId, trial.newId(), written, record)
    );
  },
  "`list` does not count it": async (trial, { userId }) =>
    (await listIds(trial, userId)).length !== 1,
  "`deleteAll` does not count it": async (trial, { userId }) =>
    (await trial.backend.deleteAll(userId, undefined, PLENTY)).length !== 1,
};

/** The contract for forwarding notes. */
export const FORWARDING_NOTE: Contract<StoreTrial> = {
  ForwardingNote: {
    "What `rotate` leaves under an old id": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      await readNote(trial, oldId);
      const row = await readRow(trial, newId);
      expect(
        row !== undefined && !isNote(row),
        "read() does not return a record under the new id.",
      ).toBe(true);
    },

    "it names the session that has taken its place": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      const second = trial.newId();
      const record = makeLive(trial, { version: 3 });
      const old = await readLive(trial, newId);
      if (old !== undefined) await trial.backend.rotate(newId, second, record, old);
      const names = [
        (await readNote(trial, oldId)).supersededBy,
        (await readNote(trial, newId)).supersededBy,
      ];
      expect(
        names,
        "The two notes of a session that was rotated twice do not name its second and third id.",
      ).toEqual([newId, second]);
    },

    ...checkEach("A note opens nothing and is not a session", OPENINGS, async (trial, isOpen) => {
      const userId = randomId();
      const rotated = await storeRotated(trial, { userId });
      const before = await readNote(trial, rotated.oldId);
      expect(
        await isOpen(trial, { ...rotated, userId }),
        "The method treats a note as a session.",
      ).toBe(false);
      const after = await readNote(trial, rotated.oldId);
      expect(after, "The note has changed.").toEqual(before);
    }),
  },

  "ForwardingNote.supersededBy": {
    "The id, as the store knows it, that the session was rotated to": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      const { supersededBy } = await readNote(trial, oldId);
      expect(supersededBy, "The note does not name the id that was passed to rotate().").toBe(
        newId,
      );
    },
  },

  "ForwardingNote.expiresAt": {
    "When the note expires, in Unix milliseconds: NOTE_LIFETIME after the rotation": async (
      trial,
    ) => {
      const before = trial.clock.now();
      const { oldId } = await storeRotated(trial);
      const after = trial.clock.now();
      const { expiresAt } = await readNote(trial, oldId);
      // To the second, because a server may use its own clock.
      expect(expiresAt, "The note does not expire NOTE_LIFETIME after the rotation.").toBeWithin(
        before + NOTE_LIFETIME - 1_000,
        after + NOTE_LIFETIME + 1_000,
      );
    },
  },
};

/** Checks of the note that `rotate` leaves. */
export const NOTES_LEFT: Checks = {
  "leaves a forwarding note there for 30 seconds": async (trial) => {
    const { oldId } = await storeRotated(trial);
    trial.clock.move(NOTE_LIFETIME - 10_000);
    const early = await trial.backend.create(oldId, makeLive(trial));
    expect(early, "create() replaces a note that has ten seconds left.").toBe(false);
  },

  "leaves a forwarding note there for 30 seconds: and no longer": async (trial) => {
    const { oldId } = await storeRotated(trial);
    const { expiresAt } = await readNote(trial, oldId);
    const twin = await storeRecord(trial, makeLive(trial, { expiresAt }));
    trial.clock.move(NOTE_LIFETIME + 2_000);
    const row = await trial.backend.read(oldId);
    expect(
      row?.expiresAt ?? 0,
      "read() returns a note as live two seconds after its expiry.",
    ).toBeLessThanOrEqual(trial.clock.now());
    // Otherwise the store ignores the given clock.
    if (!(await trial.backend.create(twin, makeLive(trial)))) return;
    const created = await trial.backend.create(oldId, makeLive(trial));
    expect(created, "create() treats an expired note as live.").toBe(true);
    expect(await readLive(trial, oldId), "create() did not store the record.").toBeDefined();
  },

  "Atomically: a concurrent read finds the record, or the note and where it leads": async (
    trial,
  ) => {
    const stores = await openSharers(trial);
    const gaps = await Promise.all(Array.from({ length: ROUNDS }, () => findGaps(trial, stores)));
    expect(
      gaps.flat(),
      "During a rotate(), read() returns neither the record nor the note.",
    ).toEqual([]);
  },
};

/** Checks of a `delete` that runs concurrently with a `rotate`. */
export const MOVES_FOLLOWED: Checks = {
  "It never misses a session that a `rotate` moves at the same time": async (trial) => {
    const [one, other] = await openSharers(trial);
    const rounds = await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index) => {
        const old = makeLive(trial);
        const [oldId, newId] = [await storeRecord(trial, old), trial.newId()];
        let rotated = false;
        let answer: string | undefined;
        const begin: (() => unknown)[] = [
          async () => (rotated = await one.rotate(oldId, newId, { ...old, version: 2 }, old)),
          async () => (answer = await other.delete(oldId)),
        ];
        if (index % 2 === 1) begin.reverse();
        await Promise.all(begin.map((write) => write()));
        const isLeft = (await readLive(trial, newId)) !== undefined;
        const isAtOldId = (await readRow(trial, oldId)) !== undefined;
        const said = answer === undefined ? "removed" : answer === newId ? "moved" : answer;
        return { rotated, said, isLeft, isAtOldId };
      }),
    );
    const right = [
      { rotated: true, said: "moved", isLeft: true, isAtOldId: false },
      { rotated: false, said: "removed", isLeft: false, isAtOldId: false },
    ];
    for (const round of rounds) {
      expect(
        right,
        "delete() concurrent with a rotate() neither removes the record nor returns its new id.",
      ).toContainEqual(round);
    }
  },
};

/** Reads a session from two stores while both rotate and replace it; returns what a read missed. */
async function findGaps(
  trial: StoreTrial,
  stores: readonly [SessionStore, SessionStore],
): Promise<string[]> {
  const old = makeLive(trial);
  const [oldId, newId] = [await storeRecord(trial, old), trial.newId()];
  const write = async (store: SessionStore, index: number): Promise<boolean> => {
    const record = { ...old, data: `{"n":${index}}`, version: 2 };
    return index === 2
      ? store.replace(oldId, record, old)
      : store.rotate(oldId, newId, record, old);
  };
  const progress = { isDone: false };
  const writes = Promise.all(
    [0, 1, 2].flatMap((index) => stores.map((store) => write(store, index))),
  ).finally(() => (progress.isDone = true));
  const findGap = async (store: SessionStore): Promise<string[]> => {
    // Bounded, for a write that never settles.
    for (let reads = 0; reads < 1_000 && !progress.isDone; reads++) {
      const row = await readRow(trial, oldId, store);
      const isMoved = row !== undefined && isNote(row);
      const found = isMoved ? await readRow(trial, row.supersededBy, store) : row;
      if (found === undefined) return [isMoved ? "nothing where the note leads" : "nothing"];
      await passTurn();
    }
    return [];
  };
  const [, ...gaps] = await Promise.all([writes, ...stores.map(findGap)]);
  const row = await readRow(trial, oldId);
  return row === undefined ? [...gaps.flat(), "nothing in the end"] : gaps.flat();
}
