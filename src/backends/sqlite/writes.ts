import type { Changes } from "bun:sqlite";

import type { SessionRecord } from "../../store/backend.ts";
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

  replace(id: string, record: SessionRecord, version: number): boolean {
    const { replace } = this.#statements;
    return changes(replace.run({ ...record, id, was: version, now: this.#now() })) === 1;
  }

  rotate(oldId: string, newId: string, record: SessionRecord, version: number): boolean {
    const now = this.#now();
    const { isTaken, remove, rotate } = this.#statements;
    if (isTaken.get({ id: newId, now }) !== undefined) return false;
    remove.run({ id: newId });
    return changes(rotate.run({ ...record, id: oldId, newId, was: version, now })) === 1;
  }

  touch(id: string, expiresAt: number): boolean {
    return changes(this.#statements.touch.run({ id, expiresAt, now: this.#now() })) === 1;
  }

  delete(id: string): void {
    this.#statements.remove.run({ id });
  }

  deleteAll(userId: string, exceptId: string): number {
    const { countOf, removeAll } = this.#statements;
    const live = countOf.get({ userId, exceptId, now: this.#now() })?.live ?? 0;
    removeAll.run({ userId, exceptId });
    return live;
  }

  sweep(limit: number): number {
    return changes(this.#statements.sweep.run({ now: this.#now(), limit }));
  }
}

/** One of them, as what can be sent to another thread. */
export type Write<Name extends keyof Writes = keyof Writes> = readonly [
  name: Name,
  ...args: Parameters<Writes[Name]>,
];

export function perform<Name extends keyof Writes>(
  writes: Writes,
  [name, ...args]: Write<Name>,
): ReturnType<Writes[Name]> {
  return Reflect.apply(writes[name], writes, args) as ReturnType<Writes[Name]>;
}

/** How many rows a statement changed. Drizzle passes on what bun:sqlite gives, but does not type it. */
function changes(result: unknown): number {
  return (result as Changes).changes;
}
