import { expect } from "bun:test";

import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { SessionRecord } from "../store/record.ts";
import type { SessionStore } from "../store/session-store.ts";
import type { Contract } from "./contract.ts";
import { checkEach, nameChecks } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import {
  AT_ONCE,
  findWinners,
  listIds,
  makeLive,
  makeNumbered,
  openSharers,
  PLENTY,
  readLive,
  readNote,
  readOne,
  storeRecord,
} from "./store-trial.ts";
import { becomesTrue } from "./until.ts";

/** The contract for a store as a whole. */
export const ATOMIC_STORE: Contract<StoreTrial> = {
  SessionStore: {
    ...nameChecks("every write is atomic, across all processes that share it", {
      "of many that create one id, one succeeds": async (trial: StoreTrial) => {
        const id = trial.newId();
        const won = await findWinners(trial, (store, index) =>
          store.create(id, makeNumbered(trial, index)),
        );
        expect(won, "Not exactly one create() reports success.").toHaveLength(1);
        const { data } = await readOne(trial, id);
        expect(data, "The stored record is not that of the successful write.").toBe(
          `{"n":${won[0]}}`,
        );
      },

      "of many that replace one version, one succeeds": async (trial: StoreTrial) => {
        const old = makeLive(trial);
        const id = await storeRecord(trial, old);
        const won = await findWinners(trial, (store, index) =>
          store.replace(id, makeNumbered(trial, index), old),
        );
        expect(won, "Not exactly one replace() reports success.").toHaveLength(1);
        const { data } = await readOne(trial, id);
        expect(data, "The stored record is not that of the successful write.").toBe(
          `{"n":${won[0]}}`,
        );
      },

      "of many that rotate one version, one succeeds": async (trial: StoreTrial) => {
        const old = makeLive(trial);
        const id = await storeRecord(trial, old);
        const newIds = Array.from({ length: AT_ONCE }, () => trial.newId());
        const won = await findWinners(trial, (store, index) =>
          store.rotate(id, newIds[index] ?? "", makeNumbered(trial, index), old),
        );
        expect(won, "Not exactly one rotate() reports success.").toHaveLength(1);
        const left = await Promise.all([id, ...newIds].map((each) => readLive(trial, each)));
        expect(
          left.flatMap((record) => record?.data ?? []),
          "The stored record is not that of the successful write, or not the only one.",
        ).toEqual([`{"n":${won[0]}}`]);
        const { supersededBy } = await readNote(trial, id);
        expect(
          supersededBy,
          "The note does not lead to the record of the successful rotate().",
        ).toBe(newIds[won[0] ?? 0] ?? "");
      },

      "of many that rotate to one id, one succeeds": async (trial: StoreTrial) => {
        const newId = trial.newId();
        const old = makeLive(trial);
        const ids = await Promise.all(
          Array.from({ length: AT_ONCE }, () => storeRecord(trial, old)),
        );
        const won = await findWinners(trial, (store, index) =>
          store.rotate(ids[index] ?? "", newId, makeNumbered(trial, index), old),
        );
        expect(won, "Not exactly one rotate() reports success.").toHaveLength(1);
        const { data } = await readOne(trial, newId);
        expect(data, "The stored record is not that of the successful write.").toBe(
          `{"n":${won[0]}}`,
        );
        const left = await Promise.all(ids.map((id) => readLive(trial, id)));
        expect(
          left.flatMap((record, index) => (record === undefined ? [index] : [])),
          "Not exactly the rotated session has left its old id.",
        ).toEqual(won);
      },

      "of many that replace and rotate one version, one succeeds": async (trial: StoreTrial) => {
        const old = makeLive(trial);
        const [id, newId] = [await storeRecord(trial, old), trial.newId()];
        // Each of the two processes does both.
        const won = await findWinners(trial, (store, index) =>
          index % 4 < 2
            ? store.replace(id, makeNumbered(trial, index), old)
            : store.rotate(id, newId, makeNumbered(trial, index), old),
        );
        expect(won, "Not exactly one of the writes reports success.").toHaveLength(1);
        const left = await Promise.all([readLive(trial, id), readLive(trial, newId)]);
        expect(
          left.flatMap((record) => record?.data ?? []),
          "The stored record is not that of the successful write, or not the only one.",
        ).toEqual([`{"n":${won[0]}}`]);
      },

      "no concurrent touch is lost": async (trial: StoreTrial) => {
        const id = await storeRecord(trial);
        const { expiresAt } = makeLive(trial);
        const won = await findWinners(trial, (store) => store.touch(id, expiresAt));
        expect(won, "A touch() of a live session was refused.").toHaveLength(AT_ONCE);
        const { version } = await readOne(trial, id);
        expect(version, "Two touch() calls raised the version from the same value.").toBe(
          1 + AT_ONCE,
        );
      },

      "a delete is not undone by a concurrent replace": (trial: StoreTrial) =>
        deleteBeside(trial, (store, id, old) => store.replace(id, makeNumbered(trial, 1), old)),

      "a delete is not undone by a concurrent touch": (trial: StoreTrial) =>
        deleteBeside(trial, (store, id) => store.touch(id, makeLive(trial).expiresAt)),
    }),

    "Takes the clock that decides what has expired": async (trial) => {
      const userId = randomId();
      const isGone = async (): Promise<boolean> => (await listIds(trial, userId)).length === 0;
      const makeBrief = (milliseconds: number): SessionRecord =>
        makeLive(trial, { userId, expiresAt: trial.clock.now() + milliseconds });
      let old = makeBrief(60_000);
      let id = await storeRecord(trial, old);
      trial.clock.move(61_000);
      if (!(await isGone())) {
        // The store ignores the given clock.
        trial.clock.move(-61_000);
        await trial.backend.delete(id);
        old = makeBrief(250);
        id = await storeRecord(trial, old);
        await becomesTrue(1_000, isGone);
      }
      const answers = [
        await isGone(),
        await trial.backend.replace(id, { ...old, version: 2 }, old),
        await trial.backend.touch(id, makeLive(trial).expiresAt),
      ];
      expect(
        answers,
        "list(), replace() or touch() treats a session that has expired meanwhile as live.",
      ).toEqual([true, false, false]);
    },

    ...checkEach(
      "A method that cannot do its work throws or rejects; it never answers as if there were no session",
      {
        "`read`, when the store is closed": async (store: SessionStore, id: string) =>
          (await store.read(id)) !== undefined,
        "`touch`, when the store is closed": async (store: SessionStore, id: string) =>
          store.touch(id, Date.now() + 60_000),
        "`list`, when the store is closed": async (
          store: SessionStore,
          _: string,
          userId: string,
        ) => (await store.list(userId, PLENTY)).length > 0,
      },
      async (trial: StoreTrial, isThere) => {
        // A second store, which stays open, so that the trial can remove what is left.
        await trial.another();
        const userId = randomId();
        const id = await storeRecord(trial, makeLive(trial, { userId }));
        await trial.backend.close();
        const answer = await isThere(trial.backend, id, userId).catch(() => "an error");
        expect(
          answer,
          "A closed store reports an existing session as absent. It has to throw unless it can still answer.",
        ).not.toBe(false);
      },
    ),
  },

  "SessionStore.isSynchronous": {
    "a store that says `true` never returns a promise from `read`, `create`, `replace`, `rotate`, `touch` or `delete`":
      async (trial) => {
        const { backend } = trial;
        if (!backend.isSynchronous) return;
        const [id, newId, old] = [trial.newId(), trial.newId(), makeLive(trial)];
        const record = { ...old, version: 2 };
        const next = { ...old, version: 3 };
        // Each call waits for the previous one, in case the store is not synchronous after all.
        const promised: string[] = [];
        const call = async (name: string, answer: MaybePromise<unknown>): Promise<void> => {
          if (isPromise(answer)) promised.push(name);
          await answer;
        };
        await call("create", backend.create(id, old));
        await call("read", backend.read(id));
        await call("replace", backend.replace(id, record, old));
        await call("rotate", backend.rotate(id, newId, next, record));
        await call("touch", backend.touch(newId, next.expiresAt));
        await call("delete", backend.delete(newId));
        expect(
          promised,
          "These methods return promises although `isSynchronous` is `true`.",
        ).toEqual([]);
      },
  },
};

/** Deletes a session concurrently with another write, once started before it and once after it. */
async function deleteBeside(
  trial: StoreTrial,
  write: (store: SessionStore, id: string, old: SessionRecord) => MaybePromise<boolean>,
): Promise<void> {
  const [one, other] = await openSharers(trial);
  for (const deleteFirst of [true, false]) {
    const old = makeLive(trial);
    const id = await storeRecord(trial, old);
    const writes = [async () => one.delete(id), async () => write(other, id, old)];
    if (!deleteFirst) writes.reverse();
    await Promise.all(writes.map((begin) => begin()));
    expect(await readLive(trial, id), "The deleted session is back.").toBeUndefined();
  }
}
