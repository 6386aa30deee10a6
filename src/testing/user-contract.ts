import { expect } from "bun:test";

import type { Contract } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import {
  listIds,
  makeExpired,
  makeLive,
  PLENTY,
  readLive,
  readOne,
  storeRecord,
  storeRotated,
} from "./store-trial.ts";

const MINUTE = 60_000;

/** The contract for a user's sessions. */
export const USERS_SESSIONS: Contract<StoreTrial> = {
  SessionInfo: {
    "One of a user's sessions, as `list` returns it": async (trial) => {
      const now = trial.clock.now();
      const times = { createdAt: now - 3, touchedAt: now - 2, authenticatedAt: now - 1 };
      const userId = randomId();
      const record = makeLive(trial, { ...times, userId, label: "Firefox on Linux" });
      const handle = await storeRecord(trial, record);
      const { createdAt, touchedAt, expiresAt, authenticatedAt, label } = await readOne(
        trial,
        handle,
      );
      expect(
        await trial.backend.list(userId, PLENTY),
        "list() returns facts that differ from those of read(), or extra fields.",
      ).toEqual([{ handle, userId, createdAt, touchedAt, expiresAt, authenticatedAt, label }]);
    },

    "Times are Unix milliseconds": async (trial) => {
      const times = {
        createdAt: 1_234_567_890_123,
        touchedAt: 1_234_567_890_124,
        expiresAt: 4_234_567_890_125,
        authenticatedAt: 1_234_567_890_126,
      };
      const userId = randomId();
      await storeRecord(trial, makeLive(trial, { ...times, userId }));
      const [info] = await trial.backend.list(userId, PLENTY);
      expect(info, "list() does not return the stored times.").toMatchObject(times);
    },
  },

  "SessionInfo.handle": {
    "Identifies the session for `revoke`": async (trial) => {
      const userId = randomId();
      const id = await storeRecord(trial, makeLive(trial, { userId }));
      const handles = await listIds(trial, userId);
      expect(handles, "The handle is not the id that the session was stored under.").toEqual([id]);
    },
  },

  "SessionStore.list": {
    "The user's live sessions": async (trial) => {
      const userId = `Ann ${randomId()}`;
      const theirs = await storeRecord(trial, makeLive(trial, { userId }));
      await storeRecord(trial, makeLive(trial, { userId: userId.toLowerCase() }));
      await storeRecord(trial, makeLive(trial, { userId: `${userId} ` }));
      await storeRecord(trial);
      const handles = await listIds(trial, userId);
      expect(handles, "list() does not return exactly the user's sessions.").toEqual([theirs]);
      const none = await trial.backend.list(randomId(), PLENTY);
      expect(none, "list() returns sessions for a user without any.").toEqual([]);
    },

    "live sessions: none that has expired": async (trial) => {
      const userId = randomId();
      await storeRecord(trial, makeExpired(trial, { userId }));
      expect(await listIds(trial, userId), "list() returns an expired session.").toEqual([]);
    },

    "The user's live sessions: after a rotate": async (trial) => {
      const userId = randomId();
      const { newId } = await storeRotated(trial, { userId });
      const handles = await listIds(trial, userId);
      expect(handles, "list() does not return exactly the new id.").toEqual([newId]);
    },

    "The user's live sessions: after another user has logged in": async (trial) => {
      const [before, after] = [randomId(), randomId()];
      const old = makeLive(trial, { userId: before });
      const id = await storeRecord(trial, old);
      await trial.backend.replace(id, { ...old, userId: after, version: 2 }, old);
      expect(
        [await listIds(trial, before), await listIds(trial, after)],
        "list() returns the session for its former user, or not for its new one.",
      ).toEqual([[], [id]]);
    },

    "The user's live sessions: after a delete": async (trial) => {
      const userId = randomId();
      const deleted = await storeRecord(trial, makeLive(trial, { userId }));
      const left = await storeRecord(trial, makeLive(trial, { userId }));
      await trial.backend.delete(deleted);
      const handles = await listIds(trial, userId);
      expect(
        handles,
        "list() returns the deleted session, or does not return the other one.",
      ).toEqual([left]);
    },

    "at most `limit` of them": async (trial) => {
      const userId = randomId();
      const [newest] = await storeThree(trial, userId);
      const touchedAt = trial.clock.now() - 1.5 * MINUTE;
      await storeRecord(trial, makeExpired(trial, { userId, touchedAt }));
      expect(
        [(await listIds(trial, userId, 2)).length, await listIds(trial, userId, 1)],
        "Of three sessions, list() with a limit of 2 does not return two, or with a limit of 1 not the most recently touched.",
      ).toEqual([2, [newest]]);
    },

    "the most recently touched first": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      expect(await listIds(trial, userId), "list() returns the wrong order.").toEqual([...ids]);
    },

    "the most recently touched first: after a touch, a replace and a rotate": async (trial) => {
      const userId = randomId();
      const [newest, middle, oldest] = await storeThree(trial, userId);
      await trial.backend.touch(oldest, makeLive(trial).expiresAt);
      const touched = await listIds(trial, userId);
      expect(touched, "list() returns the wrong order after a touch().").toEqual([
        oldest,
        newest,
        middle,
      ]);
      const old = await readOne(trial, middle);
      // Later than the touch by any clock.
      const touchedAt = trial.clock.now() + MINUTE;
      await trial.backend.replace(middle, { ...old, touchedAt, version: 2 }, old);
      const replaced = await listIds(trial, userId);
      expect(replaced, "list() returns the wrong order after a replace().").toEqual([
        middle,
        oldest,
        newest,
      ]);
      const [newId, before] = [trial.newId(), await readOne(trial, newest)];
      const after = { ...before, touchedAt: touchedAt + MINUTE, version: 2 };
      await trial.backend.rotate(newest, newId, after, before);
      const rotated = await listIds(trial, userId);
      expect(rotated, "list() returns the wrong order after a rotate().").toEqual([
        newId,
        middle,
        oldest,
      ]);
      // As by a clock that was set back.
      const back = { ...after, touchedAt: trial.clock.now() - MINUTE, version: 3 };
      await trial.backend.replace(newId, back, after);
      expect(
        await listIds(trial, userId),
        "list() returns the wrong order after a replace() with an earlier `touchedAt`.",
      ).toEqual([middle, oldest, newId]);
    },
  },

  "SessionStore.deleteAll": {
    "Removes at most `limit` of the user's sessions": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      const removed = await trial.backend.deleteAll(userId, undefined, 2);
      expect(
        removed,
        "Of three sessions, deleteAll() with a limit of 2 does not report two.",
      ).toHaveLength(2);
      const left = await Promise.all(ids.map((id) => readLive(trial, id)));
      expect(
        left.filter((record) => record !== undefined),
        "Of three sessions, deleteAll() with a limit of 2 does not leave one.",
      ).toHaveLength(1);
    },

    "Removes at most `limit` of the user's sessions, expired or not": async (trial) => {
      const userId = randomId();
      const ids = [
        ...(await storeThree(trial, userId)),
        await storeRecord(trial, makeExpired(trial, { userId })),
      ];
      await trial.backend.deleteAll(userId, undefined, PLENTY);
      const left = await Promise.all(ids.map((id) => trial.backend.read(id)));
      expect(
        left.filter((record) => record !== undefined),
        "deleteAll() does not remove all of the user's sessions.",
      ).toEqual([]);
    },

    "Removes at most `limit` of the user's sessions: and nobody else's": async (trial) => {
      const userId = randomId();
      await storeThree(trial, userId);
      const others = [
        await storeRecord(trial, makeLive(trial, { userId: randomId() })),
        await storeRecord(trial),
      ];
      await trial.backend.deleteAll(userId, undefined, PLENTY);
      const left = await Promise.all(others.map((id) => readLive(trial, id)));
      expect(left, "deleteAll() removes sessions of others.").not.toContain(undefined);
    },

    "never `exceptId`": async (trial) => {
      const userId = randomId();
      const [kept, ...rest] = await storeThree(trial, userId);
      const removed = await trial.backend.deleteAll(userId, kept, PLENTY);
      expect(removed, "deleteAll() reports that it removed `exceptId`.").not.toContain(kept);
      expect(await readLive(trial, kept), "deleteAll() removes `exceptId`.").toBeDefined();
      const left = await Promise.all(rest.map((id) => readLive(trial, id)));
      expect(left, "deleteAll() leaves other sessions than `exceptId`.").toEqual([
        undefined,
        undefined,
      ]);
    },

    "Returns the ids of the sessions that it removed": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      const returned = await trial.backend.deleteAll(userId, undefined, 2);
      const left = await Promise.all(ids.map((id) => readLive(trial, id)));
      expect(
        returned.toSorted(),
        "deleteAll() does not return the ids of exactly the removed sessions.",
      ).toEqual(ids.filter((_, index) => left[index] === undefined).toSorted());
    },

    "none only if none was left": async (trial) => {
      // The store may encounter the kept session first or last.
      for (const index of [0, 1, 2]) {
        const userId = randomId();
        const ids = await storeThree(trial, userId);
        const rest = ids.filter((id) => id !== ids[index]);
        const answers = [
          await trial.backend.deleteAll(userId, ids[index], 1),
          await trial.backend.deleteAll(userId, ids[index], 1),
          await trial.backend.deleteAll(userId, ids[index], 1),
        ];
        expect(
          [answers.flat().toSorted(), answers.at(-1)],
          "With two sessions besides `exceptId`, three calls of deleteAll() with a limit of 1 do not return one, the other, and none.",
        ).toEqual([rest.toSorted(), []]);
      }
    },
  },
};

/**
 * Stores three live sessions of a user and returns their ids, the most recently touched first;
 * stores them in another order.
 */
async function storeThree(
  trial: StoreTrial,
  userId: string,
): Promise<readonly [newest: string, middle: string, oldest: string]> {
  const now = trial.clock.now();
  const storeTouched = (minutesAgo: number): Promise<string> => {
    // The most recently touched session began first, so an order by `createdAt` differs.
    const createdAt = now - (10 - minutesAgo) * MINUTE;
    const touchedAt = now - minutesAgo * MINUTE;
    return storeRecord(trial, makeLive(trial, { userId, createdAt, touchedAt }));
  };
  const [middle, oldest, newest] = [
    await storeTouched(3),
    await storeTouched(4),
    await storeTouched(2),
  ];
  return [newest, middle, oldest];
}
