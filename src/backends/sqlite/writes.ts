import type { SessionRecord } from "../../store/record.ts";
import { NOTE_LIFETIME } from "../../store/record.ts";
import { hasSameFacts } from "../rows.ts";
import type { Statements } from "./statements.ts";

/** The writes to the table of sessions. The caller runs each in a transaction. */
export class Writes {
  readonly #statements: Statements;
  readonly #now: () => number;

  constructor(statements: Statements, now: () => number) {
    this.#statements = statements;
    this.#now = now;
  }

  create(id: string, record: SessionRecord): boolean {
    return this.#statements.create.run({ ...record, id, now: this.#now() }) === 1;
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
    const { replace, replaceContents } = this.#statements;
    const now = this.#now();
    if (!hasSameFacts(record, old)) {
      return replace.run({ ...record, id, was: old.version, now }) === 1;
    }
    const { data, flash, version } = record;
    return replaceContents.run({ data, flash, version, id, was: old.version, now }) === 1;
  }

  rotate(oldId: string, newId: string, record: SessionRecord, old: SessionRecord): boolean {
    const now = this.#now();
    const { isTaken, remove, rotate, leaveNote } = this.#statements;
    if (isTaken.all({ id: newId, now }).length > 0) return false;
    remove.run({ id: newId });
    const values = { ...record, id: oldId, newId, was: old.version, now };
    if (rotate.run(values) === 0) return false;
    leaveNote.run({ id: oldId, newId, now, expiresAt: now + NOTE_LIFETIME });
    return true;
  }

  touch(id: string, expiresAt: number): boolean {
    return this.#statements.touch.run({ id, expiresAt, now: this.#now() }) === 1;
  }

  delete(id: string): string | undefined {
    return this.#statements.remove.all({ id })[0]?.supersededBy ?? undefined;
  }

  deleteAll(userId: string, exceptId: string, limit: number): string[] {
    return this.#statements.removeAll.all({ userId, exceptId, limit }).map(({ id }) => id);
  }

  sweep(limit: number, before: number): number {
    return this.#statements.sweep.run({ before, limit });
  }
}
