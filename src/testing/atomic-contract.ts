import { expect } from "bun:test";

import type { MaybePromise, SessionStore } from "../store/backend.ts";
import type { Contract } from "./contract.ts";
import { checksOf, eachOf } from "./contract.ts";
import { isSoWithin } from "./patience.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import {
  AT_ONCE,
  live,
  numbered,
  readLive,
  readOne,
  sharers,
  stored,
  winners,
} from "./store-trial.ts";

/** What is said of a store as a whole. */
export const ATOMIC_STORE: Contract<StoreTrial> = {
  SessionStore: {
    ...checksOf("every write is atomic, across all processes that share it", {
      "of many that create one id, one succeeds": async (trial: StoreTrial) => {
        const id = trial.newId();
        const won = await winners(trial, (store, index) =>
          store.create(id, numbered(trial, index)),
        );
        expect(won, "Not just one create() says that it stored.").toHaveLength(1);
        const { data } = await readOne(trial, id);
        expect(data, "It is not the one whose record is there.").toBe(`{"n":${won[0]}}`);
      },

      "of many that replace one version, one succeeds": async (trial: StoreTrial) => {
        const id = await stored(trial);
        const won = await winners(trial, (store, index) =>
          store.replace(id, numbered(trial, index), 1),
        );
        expect(won, "Not just one replace() says that it stored.").toHaveLength(1);
        const { data } = await readOne(trial, id);
        expect(data, "It is not the one whose record is there.").toBe(`{"n":${won[0]}}`);
      },

      "of many that rotate one version, one succeeds": async (trial: StoreTrial) => {
        const id = await stored(trial);
        const newIds = Array.from({ length: AT_ONCE }, () => trial.newId());
        const won = await winners(trial, (store, index) =>
          store.rotate(id, newIds[index] ?? "", numbered(trial, index), 1),
        );
        expect(won, "Not just one rotate() says that it stored.").toHaveLength(1);
        const left = await Promise.all([id, ...newIds].map((each) => readLive(trial, each)));
        expect(
          left.flatMap((record) => record?.data ?? []),
          "It is not the one whose record is there, or not the only one.",
        ).toEqual([`{"n":${won[0]}}`]);
      },

      "of many that rotate to one id, one succeeds": async (trial: StoreTrial) => {
        const newId = trial.newId();
        const ids = await Promise.all(Array.from({ length: AT_ONCE }, () => stored(trial)));
        const won = await winners(trial, (store, index) =>
          store.rotate(ids[index] ?? "", newId, numbered(trial, index), 1),
        );
        expect(won, "Not just one rotate() says that it stored.").toHaveLength(1);
        const { data } = await readOne(trial, newId);
        expect(data, "It is not the one whose record is there.").toBe(`{"n":${won[0]}}`);
        const left = await Promise.all(ids.map((id) => readLive(trial, id)));
        expect(
          left.flatMap((record, index) => (record === undefined ? [index] : [])),
          "Not just the session that was rotated has left its old id.",
        ).toEqual(won);
      },

      "of many that replace and rotate one version, one succeeds": async (trial: StoreTrial) => {
        const id = await stored(trial);
        const newId = trial.newId();
        // Both of two processes do both.
        const won = await winners(trial, (store, index) =>
          index % 4 < 2
            ? store.replace(id, numbered(trial, index), 1)
            : store.rotate(id, newId, numbered(trial, index), 1),
        );
        expect(won, "Not just one of them says that it stored.").toHaveLength(1);
        const left = await Promise.all([readLive(trial, id), readLive(trial, newId)]);
        expect(
          left.flatMap((record) => record?.data ?? []),
          "It is not the one whose record is there, or not the only one.",
        ).toEqual([`{"n":${won[0]}}`]);
      },

      "no touch is lost beside others": async (trial: StoreTrial) => {
        const id = await stored(trial);
        const { expiresAt } = live(trial);
        const won = await winners(trial, (store) => store.touch(id, expiresAt));
        expect(won, "A touch() of a live session was refused.").toHaveLength(AT_ONCE);
        const { version } = await readOne(trial, id);
        expect(version, "Two of them raised the version from the same one.").toBe(1 + AT_ONCE);
      },

      "a delete is not undone by a replace beside it": (trial: StoreTrial) =>
        deleteBeside(trial, (store, id) => store.replace(id, numbered(trial, 1), 1)),

      "a delete is not undone by a touch beside it": (trial: StoreTrial) =>
        deleteBeside(trial, (store, id) => store.touch(id, live(trial).expiresAt)),
    }),

    "Takes the clock that decides what has expired": async (trial) => {
      const userId = randomId();
      const isGone = async (): Promise<boolean> => (await trial.backend.list(userId)).length === 0;
      const endingIn = (milliseconds: number): Promise<string> =>
        stored(trial, live(trial, { userId, expiresAt: trial.clock.now() + milliseconds }));
      let id = await endingIn(60_000);
      trial.clock.move(61_000);
      if (!(await isGone())) {
        // It goes by another clock than the one that it was given.
        trial.clock.move(-61_000);
        await trial.backend.delete(id);
        id = await endingIn(250);
        await isSoWithin(1_000, isGone);
      }
      const answers = [
        await isGone(),
        await trial.backend.replace(id, live(trial, { version: 2 }), 1),
        await trial.backend.touch(id, live(trial).expiresAt),
      ];
      expect(
        answers,
        "list(), replace() or touch() takes a session for alive whose time has run out meanwhile.",
      ).toEqual([true, false, false]);
    },

    ...eachOf(
      "One that cannot do its work throws or rejects; it never answers as if there were no session",
      {
        "`read`, when the store is closed": async (store: SessionStore, id: string) =>
          (await store.read(id)) !== undefined,
        "`touch`, when the store is closed": async (store: SessionStore, id: string) =>
          store.touch(id, Date.now() + 60_000),
        "`list`, when the store is closed": async (
          store: SessionStore,
          _: string,
          userId: string,
        ) => (await store.list(userId)).length > 0,
      },
      async (trial: StoreTrial, isThere) => {
        // A second one, which is still open in the end and can remove what is left.
        await trial.another();
        const userId = randomId();
        const id = await stored(trial, live(trial, { userId }));
        await trial.backend.close();
        const answer = await isThere(trial.backend, id, userId).catch(() => "an error");
        expect(
          answer,
          "A closed store says that there is no such session. It has to throw, unless it can still answer.",
        ).not.toBe(false);
      },
    ),
  },
};

/** Deletes a session while something else is done to it: at first, and as the second thing. */
async function deleteBeside(
  trial: StoreTrial,
  write: (store: SessionStore, id: string) => MaybePromise<boolean>,
): Promise<void> {
  const [one, other] = await sharers(trial);
  for (const deleteFirst of [true, false]) {
    const id = await stored(trial);
    const both = [async () => one.delete(id), async () => write(other, id)];
    if (!deleteFirst) both.reverse();
    await Promise.all(both.map((begin) => begin()));
    expect(await readLive(trial, id), "The deleted session is back.").toBeUndefined();
  }
}
