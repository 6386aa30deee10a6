import { expect } from "bun:test";

import type { Contract } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import { expired, handlesOf, live, readLive, readOne, stored } from "./store-trial.ts";

/** What is said of a user's sessions. */
export const USERS_SESSIONS: Contract<StoreTrial> = {
  SessionInfo: {
    "One of a user's sessions, as `list` gives it": async (trial) => {
      const now = trial.clock.now();
      const times = { createdAt: now - 3, touchedAt: now - 2, authenticatedAt: now - 1 };
      const userId = randomId();
      const handle = await stored(trial, live(trial, { ...times, userId }));
      const { createdAt, touchedAt, expiresAt, authenticatedAt } = await readOne(trial, handle);
      expect(
        await trial.backend.list(userId),
        "list() gives other facts than read(), or more than a list is for.",
      ).toEqual([{ handle, userId, createdAt, touchedAt, expiresAt, authenticatedAt }]);
    },

    "Times are Unix milliseconds": async (trial) => {
      const times = {
        createdAt: 1_234_567_890_123,
        touchedAt: 1_234_567_890_124,
        expiresAt: 4_234_567_890_125,
        authenticatedAt: 1_234_567_890_126,
      };
      const userId = randomId();
      await stored(trial, live(trial, { ...times, userId }));
      const [info] = await trial.backend.list(userId);
      expect(info, "list() gives other times than were stored.").toMatchObject(times);
    },
  },

  "SessionInfo.handle": {
    "Names the session towards `revoke`": async (trial) => {
      const userId = randomId();
      const id = await stored(trial, live(trial, { userId }));
      const handles = handlesOf(await trial.backend.list(userId));
      expect(handles, "The handle is not the id that the session was stored under.").toEqual([id]);
    },
  },

  "SessionStore.list": {
    "The user's live sessions": async (trial) => {
      const userId = `Ann ${randomId()}`;
      const theirs = await stored(trial, live(trial, { userId }));
      await stored(trial, live(trial, { userId: userId.toLowerCase() }));
      await stored(trial, live(trial, { userId: `${userId} ` }));
      await stored(trial);
      const handles = handlesOf(await trial.backend.list(userId));
      expect(handles, "list() gives sessions of others, or not all.").toEqual([theirs]);
      const none = await trial.backend.list(randomId());
      expect(none, "list() gives sessions of a user who has none.").toEqual([]);
    },

    "live sessions: none that has expired": async (trial) => {
      const userId = randomId();
      await stored(trial, expired(trial, { userId }));
      expect(await trial.backend.list(userId), "list() gives an expired session.").toEqual([]);
    },

    "oldest first": async (trial) => {
      const userId = randomId();
      const now = trial.clock.now();
      const begunAgo = (age: number): Promise<string> =>
        stored(trial, live(trial, { userId, createdAt: now - age }));
      const [middle, oldest, youngest] = [await begunAgo(2), await begunAgo(3), await begunAgo(1)];
      const handles = handlesOf(await trial.backend.list(userId));
      expect(handles, "list() gives another order.").toEqual([oldest, middle, youngest]);
    },

    "The user's live sessions: after a rotate": async (trial) => {
      const userId = randomId();
      const newId = trial.newId();
      const oldId = await stored(trial, live(trial, { userId }));
      await trial.backend.rotate(oldId, newId, live(trial, { userId, version: 2 }), 1);
      const handles = handlesOf(await trial.backend.list(userId));
      expect(handles, "list() does not give the new id, and that alone.").toEqual([newId]);
    },

    "The user's live sessions: after somebody else has logged in": async (trial) => {
      const [before, after] = [randomId(), randomId()];
      const id = await stored(trial, live(trial, { userId: before }));
      await trial.backend.replace(id, live(trial, { userId: after, version: 2 }), 1);
      const handles = [before, after].map(async (userId) =>
        handlesOf(await trial.backend.list(userId)),
      );
      expect(
        await Promise.all(handles),
        "list() gives the session to the user that it no longer belongs to, or not to the new one.",
      ).toEqual([[], [id]]);
    },

    "The user's live sessions: after a delete": async (trial) => {
      const userId = randomId();
      const deleted = await stored(trial, live(trial, { userId }));
      const left = await stored(trial, live(trial, { userId }));
      await trial.backend.delete(deleted);
      const handles = handlesOf(await trial.backend.list(userId));
      expect(handles, "list() gives the deleted one, or not the other.").toEqual([left]);
    },
  },

  "SessionStore.deleteAll": {
    "Removes the user's sessions": async (trial) => {
      const userId = randomId();
      const ids = [
        await stored(trial, live(trial, { userId })),
        await stored(trial, live(trial, { userId })),
        await stored(trial, expired(trial, { userId })),
      ];
      await trial.backend.deleteAll(userId);
      const left = await Promise.all(ids.map((id) => trial.backend.read(id)));
      expect(
        left.filter((record) => record !== undefined),
        "deleteAll() leaves some of them.",
      ).toEqual([]);
    },

    "Removes the user's sessions: and nobody else's": async (trial) => {
      const userId = randomId();
      await stored(trial, live(trial, { userId }));
      const others = [
        await stored(trial, live(trial, { userId: randomId() })),
        await stored(trial),
      ];
      await trial.backend.deleteAll(userId);
      const left = await Promise.all(others.map((id) => readLive(trial, id)));
      expect(left, "deleteAll() removes sessions of others.").not.toContain(undefined);
    },

    "all but `exceptId`": async (trial) => {
      const userId = randomId();
      const kept = await stored(trial, live(trial, { userId }));
      const removed = await stored(trial, live(trial, { userId }));
      await trial.backend.deleteAll(userId, kept);
      expect(await readLive(trial, kept), "deleteAll() removes `exceptId` too.").toBeDefined();
      const left = await trial.backend.read(removed);
      expect(left, "deleteAll() leaves more than `exceptId`.").toBeUndefined();
    },

    "How many live ones there were": async (trial) => {
      const userId = randomId();
      await stored(trial, live(trial, { userId }));
      await stored(trial, live(trial, { userId }));
      await stored(trial, expired(trial, { userId }));
      const kept = await stored(trial, live(trial, { userId }));
      const counts = [
        await trial.backend.deleteAll(userId, kept),
        await trial.backend.deleteAll(userId),
        await trial.backend.deleteAll(userId),
      ];
      expect(
        counts,
        "Of two live ones, one expired and one kept, then the one, then none, deleteAll() counts other numbers.",
      ).toEqual([2, 1, 0]);
    },
  },
};
