import { expect } from "bun:test";

import type { SessionRecord } from "../store/record.ts";
import { isNote, NOTE_LIFETIME } from "../store/record.ts";
import { ATOMIC_STORE } from "./atomic-contract.ts";
import type { Contract } from "./contract.ts";
import { checkEach } from "./contract.ts";
import { WATCHED_SESSIONS } from "./end-contract.ts";
import { FORWARDING_NOTE, MOVES_FOLLOWED, NOTES_LEFT } from "./note-contract.ts";
import { SESSION_RECORD } from "./record-contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import {
  makeExpired,
  makeLive,
  openSharers,
  readLive,
  readNote,
  readOne,
  readRow,
  storeRecord,
  storeRotated,
} from "./store-trial.ts";
import { retryUntil } from "./until.ts";
import { USERS_SESSIONS } from "./user-contract.ts";

const MINUTE = 60 * 1000;
const HOUR = 60 * MINUTE;

/** The changes that replace a record with version 1. */
const NEW = { version: 2, data: '{"new":true}' } as const;

/** Stores something under an id and returns the id. */
type Put = (trial: StoreTrial) => Promise<string>;

const putDeleted: Put = async (trial) => {
  const id = await storeRecord(trial);
  await trial.backend.delete(id);
  return id;
};

const putExpired: Put = (trial) => storeRecord(trial, makeExpired(trial));

const putNote: Put = async (trial) => (await storeRotated(trial)).oldId;

/** Ids without a live record. */
const ABSENT: Record<string, Put> = {
  "it was never there": async (trial) => trial.newId(),
  "it was deleted": putDeleted,
  "it has expired": putExpired,
};

/** Ids without a live record of version 1. */
const NOT_VERSION_1: Record<string, Put> = {
  ...ABSENT,
  "it has a later version": (trial) => storeRecord(trial, makeLive(trial, { version: 2 })),
  "it has an earlier version": (trial) => storeRecord(trial, makeLive(trial, { version: 0 })),
};

/** An old and a new id between which a record of version 1 cannot be rotated. */
const UNROTATABLE: Record<string, (trial: StoreTrial) => Promise<[oldId: string, newId: string]>> =
  {
    ...Object.fromEntries(
      Object.entries(NOT_VERSION_1).map(([name, put]) => [
        name,
        async (trial: StoreTrial) => [await put(trial), trial.newId()],
      ]),
    ),
    "the new id is another's": async (trial) => [
      await storeRecord(trial),
      await storeRecord(trial),
    ],
    "the new id is a note's": async (trial) => [await storeRecord(trial), await putNote(trial)],
    "the new id is its own": async (trial) => {
      const id = await storeRecord(trial);
      return [id, id];
    },
  };

/** Changes of a record, one per field. */
const CHANGES: Record<string, Partial<SessionRecord>> = {
  "`data`": { data: '{"visits":2}' },
  "`flash`": { flash: '{"notice":"Hello"}' },
  "`createdAt`": { createdAt: 1 },
  "`touchedAt`": { touchedAt: 2 },
  "`expiresAt`": { expiresAt: 4_234_567_890_123 },
  "`userId`": { userId: randomId() },
  "`authenticatedAt`": { authenticatedAt: 3 },
  "`remember`": { remember: 60 },
  "`label`": { label: "Firefox on Linux" },
};

/** The contract of every store, in addition to that of every backend. */
export const SESSION_STORE: Contract<StoreTrial> = {
  ...SESSION_RECORD,
  ...FORWARDING_NOTE,
  ...ATOMIC_STORE,
  ...USERS_SESSIONS,
  ...WATCHED_SESSIONS,

  "SessionStore.read": {
    "The record: as it was written last": async (trial) => {
      const old = makeLive(trial, { data: '{"n":1}' });
      const id = await storeRecord(trial, old);
      const other = await storeRecord(trial, makeLive(trial, { data: '{"n":2}' }));
      const read = async (): Promise<string[]> => [
        (await readOne(trial, id)).data,
        (await readOne(trial, other)).data,
      ];
      expect(await read(), "read() does not return the records that create() stored.").toEqual([
        '{"n":1}',
        '{"n":2}',
      ]);
      await trial.backend.replace(id, { ...old, ...NEW }, old);
      expect(await read(), "read() does not return the records as replace() left them.").toEqual([
        NEW.data,
        '{"n":2}',
      ]);
    },

    "the forwarding note that `rotate` has left in its place": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      const { expiresAt } = await readNote(trial, oldId);
      expect(
        await trial.backend.read(oldId),
        "read() does not return the note, or returns a note with extra fields.",
      ).toEqual({ supersededBy: newId, expiresAt });
    },

    "`undefined` when there is neither": async (trial) => {
      await storeRecord(trial);
      const found = await trial.backend.read(trial.newId());
      expect(found, "read() returns a value for an id that was never used.").toBeUndefined();
    },

    "Returns one that has expired too, until it is removed: as one that has": async (trial) => {
      const found = await trial.backend.read(await putExpired(trial));
      expect(
        found?.expiresAt ?? 0,
        "read() returns an expired record with an `expiresAt` in the future.",
      ).toBeLessThanOrEqual(trial.clock.now());
    },

    "by another process's clock it may be live: a fast clock hides no session": async (trial) => {
      // So far away that nobody's sweep removes it.
      const life = 9 * MINUTE;
      const record = makeLive(trial, { expiresAt: trial.clock.now() + life });
      const id = await storeRecord(trial, record);
      trial.clock.move(life + 1);
      expect(
        await trial.backend.read(id),
        "read() does not return a stored record that has expired by this process's clock: " +
          "a process whose clock is fast could not end the session.",
      ).toEqual(record);
    },
  },

  "SessionStore.create": {
    "Inserts, and only inserts": async (trial) => {
      const [id, other] = [trial.newId(), await storeRecord(trial)];
      const before = await readOne(trial, other);
      const created = await trial.backend.create(id, makeLive(trial, NEW));
      expect(created, "create() refuses a new id.").toBe(true);
      const { data } = await readOne(trial, id);
      expect(data, "create() did not store the record.").toBe(NEW.data);
      expect(await readOne(trial, other), "Another session has changed.").toEqual(before);
    },

    ...checkEach(
      "Inserts",
      {
        "under the id of one that has expired": putExpired,
        "under the id of one that was deleted": putDeleted,
      },
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const created = await trial.backend.create(id, makeLive(trial, NEW));
        expect(created, "create() treats an absent session as live.").toBe(true);
        const { data } = await readOne(trial, id);
        expect(data, "create() did not store the record.").toBe(NEW.data);
      },
    ),

    ...checkEach(
      "`false`: a live record or note has this id, and stays as it was",
      {
        "nobody's": (trial: StoreTrial) => storeRecord(trial),
        "a user's": (trial: StoreTrial) => storeFullRecord(trial),
        "a note": putNote,
      },
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const before = await readRow(trial, id);
        const created = await trial.backend.create(id, makeLive(trial, NEW));
        expect(created, "create() reports success for an id that is taken.").toBe(false);
        const after = await readRow(trial, id);
        expect(after, "create() returns `false` but stores.").toEqual(before);
      },
    ),
  },

  "SessionStore.replace": {
    ...checkEach(
      "Replaces `old`",
      {
        "new data": { data: '{"visits":2}', flash: '{"notice":"Hello"}' },
        "a new user": { userId: randomId(), authenticatedAt: 1, remember: 60, label: "Firefox" },
        "new times": { createdAt: 1, touchedAt: 2, expiresAt: 4_234_567_890_123 },
      },
      async (trial: StoreTrial, facts) => {
        const old = makeLive(trial);
        const id = await storeRecord(trial, old);
        const record = { ...old, ...facts, version: 2 };
        const replaced = await trial.backend.replace(id, record, old);
        expect(replaced, "replace() refuses the stored version.").toBe(true);
        expect(await readOne(trial, id), "The new record is not stored.").toMatchObject(facts);
      },
    ),

    ...checkEach(
      "`false`: `old` is gone, has expired or has another version, and nothing was changed",
      NOT_VERSION_1,
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const before = await readLive(trial, id);
        const old = makeLive(trial);
        const replaced = await trial.backend.replace(id, { ...old, ...NEW }, old);
        expect(replaced, "replace() reports success where version 1 is not stored.").toBe(false);
        const after = await readLive(trial, id);
        expect(after, "replace() returns `false` but stores.").toEqual(before);
      },
    ),

    ...checkEach(
      "A store need not write fields that equal those of `old`: unlike",
      CHANGES,
      async (trial: StoreTrial, change) => {
        const before = await storeFullRecord(trial);
        const old = await readOne(trial, before);
        const record = { ...old, ...change, version: old.version + 1 };
        await trial.backend.replace(before, record, old);
        expect(
          await readOne(trial, before),
          "If only this field changes, replace() does not store the given record.",
        ).toEqual(record);
      },
    ),
  },

  "SessionStore.rotate": {
    "puts the record under a new id": async (trial) => {
      const old = makeLive(trial);
      const [oldId, newId] = [await storeRecord(trial, old), trial.newId()];
      const rotated = await trial.backend.rotate(oldId, newId, { ...old, ...NEW }, old);
      expect(rotated, "rotate() refuses the stored version.").toBe(true);
      expect(await readOne(trial, newId), "The new record is not stored.").toMatchObject(NEW);
    },

    "puts the record under a new id: with every fact that has changed": async (trial) => {
      const [oldId, newId] = [await storeFullRecord(trial), trial.newId()];
      const old = await readOne(trial, oldId);
      const changes = Object.assign({}, ...Object.values(CHANGES)) as Partial<SessionRecord>;
      const record = { ...old, ...changes, version: old.version + 1 };
      await trial.backend.rotate(oldId, newId, record, old);
      expect(await readOne(trial, newId), "rotate() does not store the given record.").toEqual(
        record,
      );
    },

    "puts the record under a new id: that of one that has expired": async (trial) => {
      const old = makeLive(trial);
      const [oldId, newId] = [await storeRecord(trial, old), await putExpired(trial)];
      const rotated = await trial.backend.rotate(oldId, newId, { ...old, ...NEW }, old);
      expect(rotated, "rotate() treats an expired session as live.").toBe(true);
      expect(await readOne(trial, newId), "The new record is not stored.").toMatchObject(NEW);
    },

    "removes `old` from its own": async (trial) => {
      const { oldId } = await storeRotated(trial);
      const found = await readLive(trial, oldId);
      expect(found, "The old id still opens a session.").toBeUndefined();
    },

    ...NOTES_LEFT,

    ...checkEach(
      "`false`: `old` is gone, has expired or has another version, or the new id is taken, and nothing was changed",
      UNROTATABLE,
      async (trial: StoreTrial, put) => {
        const [oldId, newId] = await put(trial);
        const before = [await readRow(trial, oldId), await readRow(trial, newId)];
        const old = before[0] === undefined || isNote(before[0]) ? makeLive(trial) : before[0];
        const rotated = await trial.backend.rotate(
          oldId,
          newId,
          { ...old, ...NEW },
          { ...old, version: 1 },
        );
        expect(rotated, "rotate() reports success where it must refuse.").toBe(false);
        const after = [await readRow(trial, oldId), await readRow(trial, newId)];
        expect(after, "rotate() returns `false` but stores or removes.").toEqual(before);
      },
    ),
  },

  "SessionStore.touch": {
    "sets `touchedAt` to now": async (trial) => {
      const id = await storeRecord(trial, makeLive(trial, { touchedAt: 0 }));
      const before = trial.clock.now();
      const touched = await trial.backend.touch(id, makeLive(trial).expiresAt);
      expect(touched, "touch() refuses a live session.").toBe(true);
      const { touchedAt } = await readOne(trial, id);
      // To the second, because a server may use its own clock.
      expect(touchedAt, "touch() does not set `touchedAt` to the present time.").toBeWithin(
        before - 1_000,
        trial.clock.now() + 1_000,
      );
    },

    ...checkEach(
      "`expiresAt` as given",
      { later: HOUR, earlier: -HOUR / 2 },
      async (trial: StoreTrial, shift) => {
        const record = makeLive(trial);
        const id = await storeRecord(trial, record);
        await trial.backend.touch(id, record.expiresAt + shift);
        const { expiresAt } = await readOne(trial, id);
        expect(expiresAt, "touch() does not set the given `expiresAt`.").toBe(
          record.expiresAt + shift,
        );
      },
    ),

    "raises the version by one": async (trial) => {
      const id = await storeRecord(trial, makeLive(trial, { version: 7 }));
      await trial.backend.touch(id, makeLive(trial).expiresAt);
      const { version } = await readOne(trial, id);
      expect(version, "touch() does not raise the version by exactly one.").toBe(8);
    },

    "Restarts the idle timeout: and changes nothing else": async (trial) => {
      const id = await storeFullRecord(trial);
      const { touchedAt: _touchedAt, version: _version, ...rest } = await readOne(trial, id);
      await trial.backend.touch(id, rest.expiresAt);
      expect(await readOne(trial, id), "touch() changes more than it should.").toMatchObject(rest);
    },

    ...checkEach(
      "`false`: the record is gone or has expired",
      ABSENT,
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const touched = await trial.backend.touch(id, makeLive(trial).expiresAt);
        expect(touched, "touch() reports success for an absent session.").toBe(false);
        expect(await readLive(trial, id), "touch() returns `false` but stores.").toBeUndefined();
      },
    ),
  },

  "SessionStore.delete": {
    "Removes the record": async (trial) => {
      const id = await storeFullRecord(trial);
      const other = await storeRecord(trial);
      await trial.backend.delete(id);
      expect(await trial.backend.read(id), "The deleted session is still stored.").toBeUndefined();
      expect(await readLive(trial, other), "delete() also removed another session.").toBeDefined();
    },

    "Removes the record, expired or not": async (trial) => {
      const id = await putExpired(trial);
      await trial.backend.delete(id);
      expect(await trial.backend.read(id), "The expired session is still stored.").toBeUndefined();
    },

    ...checkEach("a missing record is no error", ABSENT, async (trial: StoreTrial, put) => {
      const id = await put(trial);
      const answer = (async () => trial.backend.delete(id))();
      expect(
        await answer.catch(String),
        "delete() throws or returns a value when there is nothing to delete.",
      ).toBeUndefined();
    }),

    "If a forwarding note is there, removes it and returns the id that it names": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      const answer = await trial.backend.delete(oldId);
      expect(answer, "delete() does not return the id that the note names.").toBe(newId);
      expect(await trial.backend.read(oldId), "The note is still stored.").toBeUndefined();
      expect(
        await readLive(trial, newId),
        "The session that the note led to is gone.",
      ).toBeDefined();
    },

    "otherwise returns `undefined`": async (trial) => {
      const { oldId, newId } = await storeRotated(trial);
      const answers = [
        await trial.backend.delete(newId),
        (await trial.backend.delete(oldId)) === newId,
        await trial.backend.delete(oldId),
      ];
      expect(answers, "delete() returns an id for something other than a note.").toEqual([
        undefined,
        true,
        undefined,
      ]);
    },

    ...MOVES_FOLLOWED,
  },

  "SessionStore.sweep": {
    "Removes at most `limit` expired records and notes": async (trial) => {
      const { gone, reported } = await retryUntil(
        () => sweepThree(trial, 2),
        (swept) => Math.max(swept.gone, swept.reported) <= 2,
      );
      expect(gone, "sweep(2) removes more than two.").toBeLessThanOrEqual(2);
      expect(reported, "sweep(2) reports more than two removals.").toBeLessThanOrEqual(2);
    },

    "Removes at most `limit` expired records and notes: and all of them in the end": async (
      trial,
    ) => {
      const ids = await Promise.all([1, 2, 3].map(() => putExpired(trial)));
      expect(
        await countAfterAll(trial, ids),
        "Repeated calls of sweep() do not remove all expired records.",
      ).toBe(0);
    },

    "Removes at most `limit` expired records and notes: those whose end has come closer too":
      async (trial) => {
        const touched = await storeRecord(trial);
        await trial.backend.touch(touched, trial.clock.now() - 1);
        const old = makeLive(trial);
        const replaced = await storeRecord(trial, old);
        await trial.backend.replace(replaced, makeExpired(trial, { version: 2 }), old);
        const left = await countAfterAll(trial, [touched, replaced]);
        expect(left, "sweep() uses the expiry that a record had at first.").toBe(0);
      },

    "Removes at most `limit` expired records and notes: a note like any record": async (trial) => {
      // Moved back and then forward again, because ahead of the real time it would sweep sessions
      // of others.
      trial.clock.move(-NOTE_LIFETIME - 1_000);
      const { oldId } = await storeRotated(trial);
      const { expiresAt } = await readNote(trial, oldId);
      const twin = await storeRecord(trial, makeLive(trial, { expiresAt }));
      trial.clock.move(NOTE_LIFETIME + 1_000);
      // Otherwise the store ignores the given clock.
      if (expiresAt > trial.clock.now()) return;
      const left = await countAfterAll(trial, [oldId]);
      const isSwept = (await trial.backend.read(twin)) === undefined;
      expect(
        isSwept && left > 0,
        "sweep() removes an expired record but not an expired note.",
      ).toBe(false);
    },

    "and no others": async (trial) => {
      const prolonged = await storeRecord(
        trial,
        makeLive(trial, { expiresAt: trial.clock.now() + 5_000 }),
      );
      await trial.backend.touch(prolonged, trial.clock.now() + HOUR);
      const ids = [
        await storeRecord(trial),
        await storeRecord(trial, makeLive(trial, { userId: randomId() })),
        prolonged,
        await putNote(trial),
      ];
      await putExpired(trial);
      await sweepAll(trial);
      const left = await countStored(trial, ids);
      expect(left, "sweep() removes live sessions or notes.").toBe(ids.length);
    },

    "Leaves those that expired after `before`": async (trial) => {
      const left = await retryUntil(
        async () => {
          const record = makeExpired(trial);
          const id = await storeRecord(trial, record);
          // A store that removes expired records by itself need not wait for a sweep.
          if ((await trial.backend.read(id)) === undefined) return true;
          await trial.backend.sweep(500, record.expiresAt - 1_000);
          return (await trial.backend.read(id)) !== undefined;
        },
        (isThere) => isThere,
      );
      expect(left, "sweep() removes a record that expired after `before`.").toBe(true);
    },

    "Returns how many it removed": async (trial) => {
      await sweepAll(trial);
      const swept = await retryUntil(() => sweepThree(trial, 500), countsRight);
      expect(swept, "sweep() does not return the number of records removed.").toSatisfy(
        countsRight,
      );
    },
  },

  "SessionStore.close": {
    "Finishes pending work": async (trial) => {
      const [store, other] = await openSharers(trial);
      const id = trial.newId();
      const begun = store.create(id, makeLive(trial));
      await store.close();
      expect(await begun, "A write that began before close() failed.").toBe(true);
      if (other === store) return;
      const found = await other.read(id);
      expect(
        found,
        "A write that began before close() reported success but is lost.",
      ).toBeDefined();
    },

    "A second call does nothing": async (trial) => {
      await trial.backend.close();
      const again = (async () => trial.backend.close())();
      expect(
        await again.catch(String),
        "The second close() throws or returns a value.",
      ).toBeUndefined();
    },
  },

  "SessionStore.load": {
    "The data of a live session": async (trial) => {
      const id = await storeRecord(trial, makeLive(trial, { data: '{"visits":2}' }));
      expect(await trial.load(id), "load() does not return the stored data.").toEqual({
        visits: 2,
      });
    },

    ...checkEach("`{}` when there is none", ABSENT, async (trial: StoreTrial, put) => {
      const loaded = await trial.backend.load(await put(trial));
      expect(loaded, "load() does not return `{}` for an absent session.").toEqual({});
    }),
  },

  "SessionStore.save": {
    ...checkEach(
      "Stores the data for `timeout` seconds, whatever was stored before",
      {
        ...ABSENT,
        "it is there, a user's": (trial: StoreTrial) => storeFullRecord(trial),
        "it was rotated": putNote,
      },
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const before = trial.clock.now();
        await trial.backend.save(id, { visits: 2 }, 60);
        expect(await trial.load(id), "save() did not store the data.").toEqual({ visits: 2 });
        const { expiresAt } = await readOne(trial, id);
        expect(expiresAt, "save() does not set `expiresAt` by its timeout.").toBeWithin(
          before + 59_000,
          trial.clock.now() + 61_000,
        );
      },
    ),

    ...checkEach(
      "Empty data, or a timeout of 0, deletes the session",
      { "empty data": [{}, 60], "a timeout of 0": [{ visits: 2 }, 0] } as const,
      async (trial: StoreTrial, [data, timeout]) => {
        const id = await storeRecord(trial);
        await trial.backend.save(id, data, timeout);
        expect(await trial.backend.read(id), "save() did not delete the record.").toBeUndefined();
      },
    ),
  },
};

/** Stores a session in which every fact is set. */
function storeFullRecord(trial: StoreTrial): Promise<string> {
  const facts = { userId: randomId(), authenticatedAt: 1, remember: 3_600, label: "Ann's phone" };
  return storeRecord(trial, makeLive(trial, { ...facts, flash: '{"a":1}', version: 7 }));
}

/** The result of a sweep of a store with three expired records. */
interface Swept {
  /** How many of the three could be read before the sweep. */
  readonly shown: number;
  /** How many of those are gone after it. */
  readonly gone: number;
  /** How many records the store reports as removed, including those of others. */
  readonly reported: number;
}

async function sweepThree(trial: StoreTrial, limit: number): Promise<Swept> {
  const ids = await Promise.all([1, 2, 3].map(() => putExpired(trial)));
  const shown = await countStored(trial, ids);
  const reported = await trial.backend.sweep(limit);
  return { shown, gone: shown - (await countStored(trial, ids)), reported };
}

/** A store that hides expired records may remove them before the sweep, or during it. */
function countsRight({ shown, gone, reported }: Swept): boolean {
  return shown === 0 ? reported <= 3 : reported === gone;
}

/** Sweeps until nothing is left, at most a thousand times. */
async function sweepAll(trial: StoreTrial): Promise<void> {
  let swept = 1;
  for (let round = 0; round < 1_000 && swept > 0; round++) swept = await trial.backend.sweep(500);
}

/**
 * How many of these are left after repeated sweeps. They stay readable while a concurrent sweep on
 * the same server is about to remove them.
 */
function countAfterAll(trial: StoreTrial, ids: readonly string[]): Promise<number> {
  return retryUntil(
    async () => {
      await sweepAll(trial);
      return countStored(trial, ids);
    },
    (left) => left === 0,
  );
}

async function countStored(trial: StoreTrial, ids: readonly string[]): Promise<number> {
  const found = await Promise.all(ids.map((id) => trial.backend.read(id)));
  return found.filter((record) => record !== undefined).length;
}
