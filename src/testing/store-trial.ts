import { expect } from "bun:test";

import type { MaybePromise } from "../store/maybe-promise.ts";
import type { ForwardingNote, SessionRecord } from "../store/record.ts";
import { isNote } from "../store/record.ts";
import type { SessionStore } from "../store/session-store.ts";
import { expiredRecord, recordOf } from "./records.ts";
import type { Trial } from "./trial.ts";

/** What one test of a store has to itself. */
export type StoreTrial = Trial<SessionStore>;

/** How many try at once what only one of them may do. */
export const AT_ONCE = 20;

/** More sessions than any test gives a user. */
export const PLENTY = 1_000;

/** A live record that nobody has logged into, by the trial's clock. */
export function makeLive(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return recordOf(facts, trial.clock.now());
}

/** An expired record, by the trial's clock. */
export function makeExpired(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return expiredRecord(facts, trial.clock.now());
}

/** Stores a record under a new id, and returns that. */
export async function storeRecord(trial: StoreTrial, record = makeLive(trial)): Promise<string> {
  const id = trial.newId();
  const created = await trial.backend.create(id, record);
  expect(created, "create() refuses a new id, with which this test begins.").toBe(true);
  return id;
}

/** A session that the test has rotated. */
export interface Rotated {
  readonly oldId: string;
  readonly newId: string;
  /** The record that was rotated. */
  readonly old: SessionRecord;
  /** The record that is under the new id. */
  readonly record: SessionRecord;
}

/** Stores a record and rotates it: a forwarding note is under its old id then. */
export async function storeRotated(
  trial: StoreTrial,
  facts: Partial<SessionRecord> = {},
): Promise<Rotated> {
  const old = makeLive(trial, facts);
  const [oldId, newId] = [await storeRecord(trial, old), trial.newId()];
  const record = { ...old, version: old.version + 1 };
  const rotated = await trial.backend.rotate(oldId, newId, record, old);
  expect(rotated, "rotate() refuses a live session, with which this test begins.").toBe(true);
  return { oldId, newId, old, record };
}

/** The record or the note under an id. To a reader an expired one is an absent one. */
export async function readRow(
  trial: StoreTrial,
  id: string,
  from: SessionStore = trial.backend,
): Promise<SessionRecord | ForwardingNote | undefined> {
  const row = await from.read(id);
  return row === undefined || row.expiresAt <= trial.clock.now() ? undefined : row;
}

/** The live record under an id, if there is one. */
export async function readLive(trial: StoreTrial, id: string): Promise<SessionRecord | undefined> {
  const row = await readRow(trial, id);
  return row === undefined || isNote(row) ? undefined : row;
}

/** The live record under an id where there has to be one. */
export async function readOne(trial: StoreTrial, id: string): Promise<SessionRecord> {
  const record = await readLive(trial, id);
  expect(record, "read() does not return a session that the test has stored.").toBeDefined();
  return record as SessionRecord;
}

/** The live note under an id where there has to be one. */
export async function readNote(trial: StoreTrial, id: string): Promise<ForwardingNote> {
  const row = await readRow(trial, id);
  expect(
    row !== undefined && isNote(row),
    "read() does not return the note that rotate() has to leave under the old id.",
  ).toBe(true);
  return row as ForwardingNote;
}

/**
 * The store, and beside it another one, as a second process would have it; where what `create` makes
 * shares nothing, the store itself.
 */
export async function openSharers(
  trial: StoreTrial,
): Promise<readonly [one: SessionStore, other: SessionStore]> {
  const other = await trial.another();
  const shares = (await other.read(await storeRecord(trial))) !== undefined;
  return [trial.backend, shares ? other : trial.backend];
}

/** Lets many try at once, and returns the numbers of those that were told that they succeeded. */
export async function findWinners(
  trial: StoreTrial,
  attempt: (store: SessionStore, index: number) => MaybePromise<boolean>,
): Promise<number[]> {
  const [one, other] = await openSharers(trial);
  const results = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) => attempt(index % 2 === 0 ? one : other, index)),
  );
  return results.flatMap((won, index) => (won ? [index] : []));
}

/** The second version of a session, numbered by which attempt wrote it. */
export function makeNumbered(trial: StoreTrial, index: number): SessionRecord {
  return makeLive(trial, { data: `{"n":${index}}`, version: 2 });
}

/** The ids of a user's sessions, in the order of the list. */
export async function listIds(
  trial: StoreTrial,
  userId: string,
  limit = PLENTY,
): Promise<string[]> {
  return (await trial.backend.list(userId, limit)).map(({ handle }) => handle);
}

/** The next turn of the event loop, in which others go on. */
export function passTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
