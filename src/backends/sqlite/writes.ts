import type { Changes } from "bun:sqlite";

import type { SessionRecord } from "../../store/record.ts";
import { NOTE_LIFETIME } from "../../store/record.ts";
import { hasSameFacts } from "../rows.ts";
import type { Statements } from "./statements.ts";

/** What can be done to the table of sessions, each in a transaction that somebody has begun. */
export class Writes {
  readonly #statements: Statements;
  readonly #now: () => number;

  constructor(statements: Statements, now: () => number) {
    this.#statements = statements;
    this.#now = now;
  }

  create(id: string, record: SessionRecord): boolean {
    return changes(this.#statements.create.run({ ...record, id, now: this.#now() })) === 1;
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
    const { replace, replaceContents } = this.#statements;
    const statement = hasSameFacts(record, old) ? replaceContents : replace;
    return changes(statement.run({ ...record, id, was: old.version, now: this.#now() })) === 1;
  }

  rotate(oldId: string, newId: string, record: SessionRecord, old: SessionRecord): boolean {
    const now = this.#now();
    const { isTaken, remove, rotate, leaveNote } = this.#statements;
    if (isTaken.get({ id: newId, now }) !== undefined) return false;
    remove.run({ id: newId });
    const values = { ...record, id: oldId, newId, was: old.version, now };
    if (changes(rotate.run(values)) === 0) return false;
    leaveNote.run({ id: oldId, newId, now, expiresAt: now + NOTE_LIFETIME });
    return true;
  }

  touch(id: string, expiresAt: number): boolean {
    return changes(this.#statements.touch.run({ id, expiresAt, now: this.#now() })) === 1;
  }

  delete(id: string): string | undefined {
    return this.#statements.remove.get({ id })?.supersededBy ?? undefined;
  }

  deleteAll(userId: string, exceptId: string, limit: number): string[] {
    return this.#statements.removeAll.all({ userId, exceptId, limit }).map(({ id }) => id);
  }

  sweep(limit: number, before: number): number {
    return changes(this.#statements.sweep.run({ before, limit }));
  }
}

/** How many rows a statement changed. Drizzle passes on what bun:sqlite gives, but does not type it. */
function changes(result: unknown): number {
  return (result as Changes).changes;
}
