import { expect } from "bun:test";

import type { MaybePromise } from "../store/maybe-promise.ts";
import type { SessionStore } from "../store/session-store.ts";
import type { Contract } from "./contract.ts";
import { checkEach } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import {
  makeExpired,
  makeLive,
  openSharers,
  PLENTY,
  readOne,
  storeRecord,
  storeRotated,
} from "./store-trial.ts";
import { becomesTrue } from "./until.ts";

/** How long a notice may take, in milliseconds; far more than it ever does. */
const NOTICE_TIMEOUT = 4_000;

/** The operations that end a session and notify listeners, by name. */
const ENDS: Record<
  string,
  (trial: StoreTrial, store: SessionStore, id: string, userId: string) => MaybePromise<unknown>
> = {
  "`delete`": (_, store, id) => store.delete(id),
  "`deleteAll`": (_, store, __, userId) => store.deleteAll(userId, undefined, PLENTY),
  "`rotate`": async (trial, store, id, userId) =>
    store.rotate(
      id,
      trial.newId(),
      makeLive(trial, { userId, version: 2 }),
      await readOne(trial, id),
    ),
};

/** The methods with which the end of a session is noticed early. */
export const WATCHED_SESSIONS: Contract<StoreTrial> = {
  "SessionStore.readTimes": {
    "The times of the live sessions among these, by their ids": async (trial) => {
      const ids = [
        await storeRecord(trial, makeLive(trial, { remember: 60, touchedAt: 1 })),
        await storeRecord(trial),
      ];
      await storeRecord(trial);
      const expected = await Promise.all(
        ids.map(async (id) => {
          const { createdAt, touchedAt, expiresAt, remember } = await readOne(trial, id);
          return [id, { createdAt, touchedAt, expiresAt, remember }];
        }),
      );
      const times = await trial.backend.readTimes(ids);
      expect(
        Object.fromEntries(times),
        "readTimes() does not return the same times as read() for the given ids.",
      ).toMatchObject(Object.fromEntries(expected));
      expect(times.size, "readTimes() returns sessions other than the given ones.").toBe(
        ids.length,
      );
    },

    "The times of the live sessions among these, by their ids: of none that is not live": async (
      trial,
    ) => {
      const deleted = await storeRecord(trial);
      await trial.backend.delete(deleted);
      const { oldId } = await storeRotated(trial);
      const expired = await storeRecord(trial, makeExpired(trial));
      const times = await trial.backend.readTimes([trial.newId(), deleted, oldId, expired]);
      expect(
        [...times.keys()],
        "readTimes() returns an id that was never used, was deleted, has expired, or holds a note.",
      ).toEqual([]);
    },
  },

  "SessionStore.watchEnds": {
    ...checkEach(
      "Calls `listener` with the ids of sessions that `delete`, `deleteAll` and `rotate` have ended, in this store and in every other that shares them",
      ENDS,
      async (trial, end) => {
        const [one, other] = await openSharers(trial);
        const told = new Set<string>();
        const stop = await one.watchEnds((ids = []) => ids.forEach((id) => told.add(id)));
        if (stop === undefined) return;
        const ended: string[] = [];
        // A store that is shared through a file may report this with foreignWrites() instead.
        for (const store of one.foreignWrites() === undefined ? [one, other] : [one]) {
          const userId = randomId();
          const id = await storeRecord(trial, makeLive(trial, { userId }));
          ended.push(id);
          await end(trial, store, id, userId);
        }
        await becomesTrue(NOTICE_TIMEOUT, async () => ended.every((id) => told.has(id)));
        await stop();
        expect(
          ended.filter((id) => !told.has(id)),
          "The listener was not called with the ids of these ended sessions.",
        ).toEqual([]);
      },
    ),

    "Returns a function that stops the calls": async (trial) => {
      const told: string[][] = [[], []];
      const [stopped, kept] = await Promise.all(
        told.map((mine) => trial.backend.watchEnds((ids = []) => mine.push(...ids))),
      );
      if (stopped === undefined) return;
      await stopped();
      const id = await storeRecord(trial);
      await trial.backend.delete(id);
      await becomesTrue(NOTICE_TIMEOUT, async () => told[1]?.includes(id) === true);
      await kept?.();
      expect(
        told.map((ids) => ids.includes(id)),
        "A stopped listener is still called, or another listener is no longer called.",
      ).toEqual([false, true]);
    },
  },

  "SessionStore.foreignWrites": {
    "A number that changes when another store that shares the sessions has written": async (
      trial,
    ) => {
      const [one, other] = await openSharers(trial);
      const id = await storeRecord(trial);
      const before = one.foreignWrites();
      if (one === other || before === undefined) return;
      await other.delete(id);
      expect(
        one.foreignWrites(),
        "foreignWrites() is unchanged after a delete() by another store.",
      ).not.toBe(before);
    },
  },
};
