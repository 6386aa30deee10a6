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

/** What is said of a user's sessions. */
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
        "list() returns other facts than read(), or more than a list is for.",
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
      expect(info, "list() returns other times than were stored.").toMatchObject(times);
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
      expect(handles, "list() returns sessions of others, or not all.").toEqual([theirs]);
      const none = await trial.backend.list(randomId(), PLENTY);
      expect(none, "list() returns sessions of a user who has none.").toEqual([]);
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
      expect(handles, "list() does not return the new id, and that alone.").toEqual([newId]);
    },

    "The user's live sessions: after another user has logged in": async (trial) => {
      const [before, after] = [randomId(), randomId()];
      const old = makeLive(trial, { userId: before });
      const id = await storeRecord(trial, old);
      await trial.backend.replace(id, { ...old, userId: after, version: 2 }, old);
      expect(
        [await listIds(trial, before), await listIds(trial, after)],
        "list() returns the session to the user that it no longer belongs to, or not to the new one.",
      ).toEqual([[], [id]]);
    },

    "The user's live sessions: after a delete": async (trial) => {
      const userId = randomId();
      const deleted = await storeRecord(trial, makeLive(trial, { userId }));
      const left = await storeRecord(trial, makeLive(trial, { userId }));
      await trial.backend.delete(deleted);
      const handles = await listIds(trial, userId);
      expect(handles, "list() returns the deleted one, or not the other.").toEqual([left]);
    },

    "at most `limit` of them": async (trial) => {
      const userId = randomId();
      const [newest] = await storeThree(trial, userId);
      const touchedAt = trial.clock.now() - 1.5 * MINUTE;
      await storeRecord(trial, makeExpired(trial, { userId, touchedAt }));
      expect(
        [(await listIds(trial, userId, 2)).length, await listIds(trial, userId, 1)],
        "Of three, list() with a limit of 2 returns another number, or with one of 1 another session than the most recently touched.",
      ).toEqual([2, [newest]]);
    },

    "the most recently touched first": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      expect(await listIds(trial, userId), "list() returns another order.").toEqual([...ids]);
    },

    "the most recently touched first: after a touch, a replace and a rotate": async (trial) => {
      const userId = randomId();
      const [newest, middle, oldest] = await storeThree(trial, userId);
      await trial.backend.touch(oldest, makeLive(trial).expiresAt);
      const touched = await listIds(trial, userId);
      expect(touched, "list() returns another order after a touch().").toEqual([
        oldest,
        newest,
        middle,
      ]);
      const old = await readOne(trial, middle);
      // Later than the touch, by whichever clock that went.
      const touchedAt = trial.clock.now() + MINUTE;
      await trial.backend.replace(middle, { ...old, touchedAt, version: 2 }, old);
      const replaced = await listIds(trial, userId);
      expect(replaced, "list() returns another order after a replace().").toEqual([
        middle,
        oldest,
        newest,
      ]);
      const [newId, before] = [trial.newId(), await readOne(trial, newest)];
      const after = { ...before, touchedAt: touchedAt + MINUTE, version: 2 };
      await trial.backend.rotate(newest, newId, after, before);
      const rotated = await listIds(trial, userId);
      expect(rotated, "list() returns another order after a rotate().").toEqual([
        newId,
        middle,
        oldest,
      ]);
    },
  },

  "SessionStore.deleteAll": {
    "Removes at most `limit` of the user's sessions": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      const removed = await trial.backend.deleteAll(userId, undefined, 2);
      expect(
        removed,
        "Of three, deleteAll() with a limit of 2 removes another number.",
      ).toHaveLength(2);
      const left = await Promise.all(ids.map((id) => readLive(trial, id)));
      expect(
        left.filter((record) => record !== undefined),
        "Of three, deleteAll() with a limit of 2 leaves another number than one.",
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
        "deleteAll() leaves some of them.",
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
      expect(removed, "deleteAll() says that it removed `exceptId`.").not.toContain(kept);
      expect(await readLive(trial, kept), "deleteAll() removes `exceptId`.").toBeDefined();
      const left = await Promise.all(rest.map((id) => readLive(trial, id)));
      expect(left, "deleteAll() leaves more than `exceptId`.").toEqual([undefined, undefined]);
    },

    "Returns the ids of the sessions that it removed": async (trial) => {
      const userId = randomId();
      const ids = await storeThree(trial, userId);
      const returned = await trial.backend.deleteAll(userId, undefined, 2);
      const left = await Promise.all(ids.map((id) => readLive(trial, id)));
      expect(
        returned.toSorted(),
        "deleteAll() returns other ids than those of the sessions that it removed.",
      ).toEqual(ids.filter((_, index) => left[index] === undefined).toSorted());
    },

    "none only if none was left": async (trial) => {
      // The one that is kept may be the first that the store comes upon, or the last.
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
          "Of two and `exceptId`, deleteAll() with a limit of 1 does not return one, the other, and none.",
        ).toEqual([rest.toSorted(), []]);
      }
    },
  },
};

/** Stores three live sessions of a user, the most recently touched first; but not in this order. */
async function storeThree(
  trial: StoreTrial,
  userId: string,
): Promise<readonly [newest: string, middle: string, oldest: string]> {
  const now = trial.clock.now();
  const storeTouched = (minutesAgo: number): Promise<string> => {
    // The last one touched began first: an order by that is another.
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
