import { expect } from "bun:test";

import type { MaybePromise } from "../store/maybe-promise.ts";
import type { ForwardingNote, SessionRecord } from "../store/record.ts";
import { isNote } from "../store/record.ts";
import type { SessionStore } from "../store/session-store.ts";
import { makeExpiredRecord, makeRecord } from "./records.ts";
import type { Trial } from "./trial.ts";

/** The fixture of one test of a store. */
export type StoreTrial = Trial<SessionStore>;

/** How many attempts run concurrently where only one may succeed. */
export const AT_ONCE = 20;

/** More sessions than any test gives a user. */
export const PLENTY = 1_000;

/** Makes a live record of an anonymous session, by the trial's clock. */
export function makeLive(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return makeRecord(facts, trial.clock.now());
}

/** Makes an expired record, by the trial's clock. */
export function makeExpired(trial: StoreTrial, facts: Partial<SessionRecord> = {}): SessionRecord {
  return makeExpiredRecord(facts, trial.clock.now());
}

/** Stores a record under a new id and returns the id. */
export async function storeRecord(trial: StoreTrial, record = makeLive(trial)): Promise<string> {
  const id = trial.newId();
  const created = await trial.backend.create(id, record);
  expect(created, "create() refuses a new id, so the test cannot begin.").toBe(true);
  return id;
}

/** A session that the test has rotated. */
export interface Rotated {
  readonly oldId: string;
  readonly newId: string;
  /** The record that was rotated. */
  readonly old: SessionRecord;
  /** The record under the new id. */
  readonly record: SessionRecord;
}

/** Stores a record and rotates it, which leaves a forwarding note under its old id. */
export async function storeRotated(
  trial: StoreTrial,
  facts: Partial<SessionRecord> = {},
): Promise<Rotated> {
  const old = makeLive(trial, facts);
  const [oldId, newId] = [await storeRecord(trial, old), trial.newId()];
  const record = { ...old, version: old.version + 1 };
  const rotated = await trial.backend.rotate(oldId, newId, record, old);
  expect(rotated, "rotate() refuses a live session, so the test cannot begin.").toBe(true);
  return { oldId, newId, old, record };
}

/** Reads the record or note under an id; an expired one counts as absent. */
export async function readRow(
  trial: StoreTrial,
  id: string,
  from: SessionStore = trial.backend,
): Promise<SessionRecord | ForwardingNote | undefined> {
  const row = await from.read(id);
  return row === undefined || row.expiresAt <= trial.clock.now() ? undefined : row;
}

/** Reads the live record under an id, if there is one. */
export async function readLive(trial: StoreTrial, id: string): Promise<SessionRecord | undefined> {
  const row = await readRow(trial, id);
  return row === undefined || isNote(row) ? undefined : row;
}

/** Reads the live record under an id; fails the test if there is none. */
export async function readOne(trial: StoreTrial, id: string): Promise<SessionRecord> {
  const record = await readLive(trial, id);
  expect(record, "read() does not return a session that the test has stored.").toBeDefined();
  return record as SessionRecord;
}

/** Reads the live note under an id; fails the test if there is none. */
export async function readNote(trial: StoreTrial, id: string): Promise<ForwardingNote> {
  const row = await readRow(trial, id);
  expect(
    row !== undefined && isNote(row),
    "read() does not return the note that rotate() has to leave under the old id.",
  ).toBe(true);
  return row as ForwardingNote;
}

/**
 * Returns the store and a second one, as another process would have; if the two share no sessions,
 * the store itself twice.
 */
export async function openSharers(
  trial: StoreTrial,
): Promise<readonly [one: SessionStore, other: SessionStore]> {
  const other = await trial.another();
  const shares = (await other.read(await storeRecord(trial))) !== undefined;
  return [trial.backend, shares ? other : trial.backend];
}

/** Runs many attempts concurrently and returns the indexes of those that reported success. */
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

/** The second version of a session, with the index of the attempt that wrote it. */
export function makeNumbered(trial: StoreTrial, index: number): SessionRecord {
  return makeLive(trial, { data: `{"n":${index}}`, version: 2 });
}

/** Lists the ids of a user's sessions, in the order of `list`. */
export async function listIds(
  trial: StoreTrial,
  userId: string,
  limit = PLENTY,
): Promise<string[]> {
  return (await trial.backend.list(userId, limit)).map(({ handle }) => handle);
}

/** Waits for the next turn of the event loop, so that others can continue. */
export function passTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
