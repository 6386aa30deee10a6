import { expect } from "bun:test";

import type { MaybePromise, SessionInfo, SessionRecord, SessionStore } from "../store/backend.ts";
import { expiredRecord, recordOf } from "./records.ts";
import type { Trial } from "./trial.ts";

/** What one test of a store has to itself. */
export type StoreTrial = Trial<SessionStore>;

/** How many try at once what only one of them may do. */
export const AT_ONCE = 20;

/** A live record that nobody has logged into, by the trial's clock. */
export function live(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return recordOf(facts, trial.clock.now());
}

/** A record whose time is over, by the trial's clock. */
export function expired(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return expiredRecord(facts, trial.clock.now());
}

/** Stores a record under a new id, and gives that. */
export async function stored(trial: StoreTrial, record = live(trial)): Promise<string> {
  const id = trial.newId();
  const created = await trial.backend.create(id, record);
  expect(created, "create() refuses a new id, with which this test begins.").toBe(true);
  return id;
}

/** What is under an id. To a reader an expired record is an absent one. */
export async function readLive(trial: StoreTrial, id: string): Promise<SessionRecord | undefined> {
  const record = await trial.backend.read(id);
  return record === undefined || record.expiresAt <= trial.clock.now() ? undefined : record;
}

/** What is under an id where there has to be something. */
export async function readOne(trial: StoreTrial, id: string): Promise<SessionRecord> {
  const record = await readLive(trial, id);
  expect(record, "read() does not give a session that the test has stored.").toBeDefined();
  return record as SessionRecord;
}

/**
 * The store, and beside it another one, as a second process would have it; where what `create` makes
 * shares nothing, the store itself.
 */
export async function sharers(
  trial: StoreTrial,
): Promise<readonly [one: SessionStore, other: SessionStore]> {
  const other = await trial.another();
  const shares = (await other.read(await stored(trial))) !== undefined;
  return [trial.backend, shares ? other : trial.backend];
}

/** Lets many try at once, and gives the numbers of those that were told that they succeeded. */
export async function winners(
  trial: StoreTrial,
  attempt: (store: SessionStore, index: number) => MaybePromise<boolean>,
): Promise<number[]> {
  const [one, other] = await sharers(trial);
  const results = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => attempt(index % 2 === 0 ? one : other, index)),
  );
  return results.flatMap((won, index) => (won ? [index] : []));
}

/** The second version of a session, which tells who has written it. */
export function numbered(trial: StoreTrial, index: number): SessionRecord {
  return live(trial, { data: `{"n":${index}}`, version: 2 });
}

/** The ids in a list, in its order. */
export function handlesOf(sessions: readonly SessionInfo[]): string[] {
  return sessions.map(({ handle }) => handle);
}
