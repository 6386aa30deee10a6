import { expect } from "bun:test";

import { ATOMIC_STORE } from "./atomic-contract.ts";
import type { Contract } from "./contract.ts";
import { eachOf } from "./contract.ts";
import { firstGood } from "./patience.ts";
import { SESSION_RECORD } from "./record-contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import { expired, live, readLive, readOne, sharers, stored } from "./store-trial.ts";
import { USERS_SESSIONS } from "./user-contract.ts";

const HOUR = 60 * 60 * 1000;

/** What is to come in the place of a record with version 1. */
const NEW = { version: 2, data: '{"new":true}' } as const;

/** Puts something under an id, and gives that. */
type Put = (trial: StoreTrial) => Promise<string>;

const DELETED: Put = async (trial) => {
  const id = await stored(trial);
  await trial.backend.delete(id);
  return id;
};

const EXPIRED: Put = (trial) => stored(trial, expired(trial));

/** Where no live record is. */
const ABSENT: Record<string, Put> = {
  "it was never there": async (trial) => trial.newId(),
  "it was deleted": DELETED,
  "it has expired": EXPIRED,
};

/** Where no live record with version 1 is. */
const NOT_VERSION_1: Record<string, Put> = {
  ...ABSENT,
  "it has a later version": (trial) => stored(trial, live(trial, { version: 2 })),
  "it has an earlier version": (trial) => stored(trial, live(trial, { version: 0 })),
};

/** An old and a new id between which nothing can be rotated from version 1. */
const UNROTATABLE: Record<string, (trial: StoreTrial) => Promise<[oldId: string, newId: string]>> =
  {
    ...Object.fromEntries(
      Object.entries(NOT_VERSION_1).map(([name, put]) => [
        name,
        async (trial: StoreTrial) => [await put(trial), trial.newId()],
      ]),
    ),
    "the new id is another's": async (trial) => [await stored(trial), await stored(trial)],
    "the new id is its own": async (trial) => {
      const id = await stored(trial);
      return [id, id];
    },
  };

/** What every store has to keep to, besides what every backend has to. */
export const SESSION_STORE: Contract<StoreTrial> = {
  ...SESSION_RECORD,
  ...ATOMIC_STORE,
  ...USERS_SESSIONS,

  "SessionStore.read": {
    "The record: as it was written last": async (trial) => {
      const id = await stored(trial, live(trial, { data: '{"n":1}' }));
      const other = await stored(trial, live(trial, { data: '{"n":2}' }));
      const read = async (): Promise<string[]> => [
        (await readOne(trial, id)).data,
        (await readOne(trial, other)).data,
      ];
      expect(await read(), "read() gives other records than create() stored.").toEqual([
        '{"n":1}',
        '{"n":2}',
      ]);
      await trial.backend.replace(id, live(trial, NEW), 1);
      expect(await read(), "read() gives other records than replace() left.").toEqual([
        NEW.data,
        '{"n":2}',
      ]);
    },

    "`undefined` when there is none": async (trial) => {
      await stored(trial);
      const found = await trial.backend.read(trial.newId());
      expect(found, "read() gives something under an id that was never used.").toBeUndefined();
    },

    "May still give one that has expired: as one that has": async (trial) => {
      const found = await trial.backend.read(await EXPIRED(trial));
      expect(
        found?.expiresAt ?? 0,
        "read() gives an expired record, and an end that is still to come.",
      ).toBeLessThanOrEqual(trial.clock.now());
    },
  },

  "SessionStore.create": {
    "Inserts, and only inserts": async (trial) => {
      const [id, other] = [trial.newId(), await stored(trial)];
      const before = await readOne(trial, other);
      const created = await trial.backend.create(id, live(trial, NEW));
      expect(created, "create() refuses a new id.").toBe(true);
      const { data } = await readOne(trial, id);
      expect(data, "What it stored is not there.").toBe(NEW.data);
      expect(await readOne(trial, other), "Another session has changed.").toEqual(before);
    },

    ...eachOf(
      "Inserts",
      {
        "under the id of one that has expired": EXPIRED,
        "under the id of one that was deleted": DELETED,
      },
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const created = await trial.backend.create(id, live(trial, NEW));
        expect(created, "create() takes an absent session for a live one.").toBe(true);
        const { data } = await readOne(trial, id);
        expect(data, "What it stored is not there.").toBe(NEW.data);
      },
    ),

    ...eachOf(
      "`false`: a live record has this id, and stays as it was",
      {
        "nobody's": {},
        "a user's": { userId: randomId(), authenticatedAt: 1, remember: 60, version: 7 },
      },
      async (trial: StoreTrial, facts) => {
        const id = await stored(trial, live(trial, facts));
        const before = await readOne(trial, id);
        const created = await trial.backend.create(id, live(trial, NEW));
        expect(created, "create() says that it stored under an id that is taken.").toBe(false);
        expect(await readOne(trial, id), "create() says no, and stores.").toEqual(before);
      },
    ),
  },

  "SessionStore.replace": {
    ...eachOf(
      "Puts the record in the place of the one with this version",
      {
        "new data": { data: '{"visits":2}', flash: '{"notice":"Hello"}' },
        "a new user": { userId: randomId(), authenticatedAt: 1, remember: 60 },
        "new times": { createdAt: 1, touchedAt: 2, expiresAt: 4_234_567_890_123 },
      },
      async (trial: StoreTrial, facts) => {
        const id = await stored(trial);
        const replaced = await trial.backend.replace(id, live(trial, { version: 2, ...facts }), 1);
        expect(replaced, "replace() refuses the version that is there.").toBe(true);
        expect(await readOne(trial, id), "The new record is not there.").toMatchObject(facts);
      },
    ),

    ...eachOf(
      "`false`: it is gone, has expired or has another version, and nothing was changed",
      NOT_VERSION_1,
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const before = await readLive(trial, id);
        const replaced = await trial.backend.replace(id, live(trial, NEW), 1);
        expect(replaced, "replace() says that it stored where version 1 is not.").toBe(false);
        expect(await readLive(trial, id), "replace() says no, and stores.").toEqual(before);
      },
    ),
  },

  "SessionStore.rotate": {
    "Puts the record under a new id": async (trial) => {
      const [oldId, newId] = [await stored(trial), trial.newId()];
      const rotated = await trial.backend.rotate(oldId, newId, live(trial, NEW), 1);
      expect(rotated, "rotate() refuses the version that is there.").toBe(true);
      expect(await readOne(trial, newId), "The new record is not there.").toMatchObject(NEW);
    },

    "Puts the record under a new id: that of one that has expired": async (trial) => {
      const [oldId, newId] = [await stored(trial), await EXPIRED(trial)];
      const rotated = await trial.backend.rotate(oldId, newId, live(trial, NEW), 1);
      expect(rotated, "rotate() takes an expired session for a live one.").toBe(true);
      expect(await readOne(trial, newId), "The new record is not there.").toMatchObject(NEW);
    },

    "removes the old one": async (trial) => {
      const oldId = await stored(trial);
      await trial.backend.rotate(oldId, trial.newId(), live(trial, NEW), 1);
      expect(await trial.backend.read(oldId), "The old id still opens a session.").toBeUndefined();
    },

    ...eachOf(
      "`false`: the old one is gone, has expired or has another version, or the new id is taken; nothing was changed",
      UNROTATABLE,
      async (trial: StoreTrial, put) => {
        const [oldId, newId] = await put(trial);
        const before = [await readLive(trial, oldId), await readLive(trial, newId)];
        const rotated = await trial.backend.rotate(oldId, newId, live(trial, NEW), 1);
        expect(rotated, "rotate() says that it stored where it must not.").toBe(false);
        const after = [await readLive(trial, oldId), await readLive(trial, newId)];
        expect(after, "rotate() says no, and stores or removes.").toEqual(before);
      },
    ),
  },

  "SessionStore.touch": {
    "sets `touchedAt` to now": async (trial) => {
      const id = await stored(trial, live(trial, { touchedAt: 0 }));
      const before = trial.clock.now();
      const touched = await trial.backend.touch(id, live(trial).expiresAt);
      expect(touched, "touch() refuses a live session.").toBe(true);
      const { touchedAt } = await readOne(trial, id);
      // To the second: a server that stores may have a clock of its own.
      expect(touchedAt, "touch() does not set `touchedAt` to the present time.").toBeWithin(
        before - 1_000,
        trial.clock.now() + 1_000,
      );
    },

    ...eachOf(
      "`expiresAt` as given",
      { later: HOUR, earlier: -HOUR / 2 },
      async (trial: StoreTrial, shift) => {
        const record = live(trial);
        const id = await stored(trial, record);
        await trial.backend.touch(id, record.expiresAt + shift);
        const { expiresAt } = await readOne(trial, id);
        expect(expiresAt, "touch() sets another `expiresAt`.").toBe(record.expiresAt + shift);
      },
    ),

    "raises the version by one": async (trial) => {
      const id = await stored(trial, live(trial, { version: 7 }));
      await trial.backend.touch(id, live(trial).expiresAt);
      const { version } = await readOne(trial, id);
      expect(version, "touch() leaves the version, or raises it by more.").toBe(8);
    },

    "Begins the idle timeout anew: and changes nothing else": async (trial) => {
      const id = await stored(trial, live(trial, { userId: randomId(), flash: '{"a":1}' }));
      const { touchedAt: _touchedAt, version: _version, ...rest } = await readOne(trial, id);
      await trial.backend.touch(id, rest.expiresAt);
      expect(await readOne(trial, id), "touch() changes more than it should.").toMatchObject(rest);
    },

    ...eachOf(
      "`false`: the record is gone or has expired",
      ABSENT,
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const touched = await trial.backend.touch(id, live(trial).expiresAt);
        expect(touched, "touch() says that it prolonged an absent session.").toBe(false);
        expect(await readLive(trial, id), "touch() says no, and stores.").toBeUndefined();
      },
    ),
  },

  "SessionStore.delete": {
    "Removes the record": async (trial) => {
      const id = await stored(trial, live(trial, { userId: randomId() }));
      const other = await stored(trial);
      await trial.backend.delete(id);
      expect(await trial.backend.read(id), "The deleted session is still there.").toBeUndefined();
      expect(await readLive(trial, other), "Another session is gone as well.").toBeDefined();
    },

    ...eachOf("One that does not exist is no error", ABSENT, async (trial: StoreTrial, put) => {
      const id = await put(trial);
      const answer = (async () => trial.backend.delete(id))();
      expect(
        await answer.catch(String),
        "delete() fails, or gives something, where there is nothing to delete.",
      ).toBeUndefined();
    }),
  },

  "SessionStore.sweep": {
    "Removes at most `limit` expired records": async (trial) => {
      const { gone, said } = await firstGood(
        () => sweepThree(trial, 2),
        (swept) => Math.max(swept.gone, swept.said) <= 2,
      );
      expect(gone, "sweep(2) removes more than two.").toBeLessThanOrEqual(2);
      expect(said, "sweep(2) says that it removed more than two.").toBeLessThanOrEqual(2);
    },

    "Removes at most `limit` expired records: and all of them in the end": async (trial) => {
      const ids = await Promise.all([1, 2, 3].map(() => EXPIRED(trial)));
      expect(await leftAfterAll(trial, ids), "sweep() leaves expired records for good.").toBe(0);
    },

    "Removes at most `limit` expired records: those whose end has come closer too": async (
      trial,
    ) => {
      const touched = await stored(trial);
      await trial.backend.touch(touched, trial.clock.now() - 1);
      const replaced = await stored(trial);
      await trial.backend.replace(replaced, expired(trial, { version: 2 }), 1);
      const left = await leftAfterAll(trial, [touched, replaced]);
      expect(left, "sweep() goes by the end that a record had at first.").toBe(0);
    },

    "and no others": async (trial) => {
      const prolonged = await stored(trial, live(trial, { expiresAt: trial.clock.now() + 5_000 }));
      await trial.backend.touch(prolonged, trial.clock.now() + HOUR);
      const ids = [
        await stored(trial),
        await stored(trial, live(trial, { userId: randomId() })),
        prolonged,
      ];
      await EXPIRED(trial);
      await sweepAll(trial);
      expect(await countThere(trial, ids), "sweep() removes live sessions.").toBe(ids.length);
    },

    "How many it removed": async (trial) => {
      await sweepAll(trial);
      const swept = await firstGood(() => sweepThree(trial, 500), countsRight);
      expect(swept, "sweep() gives another number than are gone.").toSatisfy(countsRight);
    },
  },

  "SessionStore.close": {
    "Finishes what was begun": async (trial) => {
      const [store, other] = await sharers(trial);
      const id = trial.newId();
      const begun = store.create(id, live(trial));
      await store.close();
      expect(await begun, "A write that was begun before close() is lost.").toBe(true);
      if (other === store) return;
      const found = await other.read(id);
      expect(found, "A write that was begun before close() says that it was done.").toBeDefined();
    },

    "A second call does nothing": async (trial) => {
      await trial.backend.close();
      const again = (async () => trial.backend.close())();
      expect(
        await again.catch(String),
        "The second close() fails, or gives something.",
      ).toBeUndefined();
    },
  },

  "SessionStore.load": {
    "The data of a live session": async (trial) => {
      const id = await stored(trial, live(trial, { data: '{"visits":2}' }));
      expect(await trial.load(id), "load() gives something else.").toEqual({ visits: 2 });
    },

    ...eachOf("`{}` when there is none", ABSENT, async (trial: StoreTrial, put) => {
      const loaded = await trial.backend.load(await put(trial));
      expect(loaded, "load() gives something for an absent session.").toEqual({});
    }),
  },

  "SessionStore.save": {
    ...eachOf(
      "Keeps the data for `timeout` seconds, whatever was kept before",
      {
        ...ABSENT,
        "it is there, a user's": (trial: StoreTrial) =>
          stored(trial, live(trial, { userId: randomId() })),
      },
      async (trial: StoreTrial, put) => {
        const id = await put(trial);
        const before = trial.clock.now();
        await trial.backend.save(id, { visits: 2 }, 60);
        expect(await trial.load(id), "What it saved is not there.").toEqual({ visits: 2 });
        const { expiresAt } = await readOne(trial, id);
        expect(expiresAt, "save() sets another end.").toBeWithin(
          before + 59_000,
          trial.clock.now() + 61_000,
        );
      },
    ),

    ...eachOf(
      "Empty data, or a timeout of 0, deletes the session",
      { "empty data": [{}, 60], "a timeout of 0": [{ visits: 2 }, 0] } as const,
      async (trial: StoreTrial, [data, timeout]) => {
        const id = await stored(trial);
        await trial.backend.save(id, data, timeout);
        expect(await trial.backend.read(id), "The record is still there.").toBeUndefined();
      },
    ),
  },
};

/** A sweep with three expired records in the store. */
interface Swept {
  /** How many of the three could be read before. */
  readonly shown: number;
  /** How many of these are gone. */
  readonly gone: number;
  /** How many the store says it removed, whoever's they were. */
  readonly said: number;
}

async function sweepThree(trial: StoreTrial, limit: number): Promise<Swept> {
  const ids = await Promise.all([1, 2, 3].map(() => EXPIRED(trial)));
  const shown = await countThere(trial, ids);
  const said = await trial.backend.sweep(limit);
  return { shown, gone: shown - (await countThere(trial, ids)), said };
}

/** A store that does not show what has expired may have removed it before the sweep, or in it. */
function countsRight({ shown, gone, said }: Swept): boolean {
  return shown === 0 ? said <= 3 : said === gone;
}

/** Sweeps until nothing is left to sweep; a thousand times at most. */
async function sweepAll(trial: StoreTrial): Promise<void> {
  let swept = 1;
  for (let round = 0; round < 1_000 && swept > 0; round++) swept = await trial.backend.sweep(500);
}

/**
 * How many of these are left after all sweeps. Another sweep on the same server may be about to remove
 * them: then they can be read until it has.
 */
function leftAfterAll(trial: StoreTrial, ids: readonly string[]): Promise<number> {
  return firstGood(
    async () => {
      await sweepAll(trial);
      return countThere(trial, ids);
    },
    (left) => left === 0,
  );
}

async function countThere(trial: StoreTrial, ids: readonly string[]): Promise<number> {
  const found = await Promise.all(ids.map((id) => trial.backend.read(id)));
  return found.filter((record) => record !== undefined).length;
}
