import type { SessionInfo, SessionRecord } from "../../src/store/backend.ts";
import { SessionStore } from "../../src/store/backend.ts";

/** The least that a store can be: records in a `Map`, which several can share. */
export class MapStore extends SessionStore {
  readonly rows: Map<string, SessionRecord>;

  constructor(now?: () => number, rows = new Map<string, SessionRecord>()) {
    super(now);
    this.rows = rows;
  }

  read(id: string): SessionRecord | undefined {
    return this.rows.get(id);
  }

  /** The record, unless it has expired. */
  live(id: string): SessionRecord | undefined {
    const record = this.rows.get(id);
    return record === undefined || record.expiresAt <= this.now() ? undefined : record;
  }

  create(id: string, record: SessionRecord): boolean {
    return this.live(id) === undefined && this.put(id, record);
  }

  replace(id: string, record: SessionRecord, version: number): boolean {
    return this.live(id)?.version === version && this.put(id, record);
  }

  rotate(oldId: string, newId: string, record: SessionRecord, version: number): boolean {
    if (this.live(oldId)?.version !== version || this.live(newId) !== undefined) return false;
    this.rows.delete(oldId);
    return this.put(newId, record);
  }

  touch(id: string, expiresAt: number): boolean {
    const record = this.live(id);
    if (record === undefined) return false;
    const version = record.version + 1;
    return this.put(id, { ...record, touchedAt: this.now(), expiresAt, version });
  }

  delete(id: string): void {
    this.rows.delete(id);
  }

  list(userId: string): SessionInfo[] {
    return this.listOf(
      userId,
      this.idsOf(userId).filter((id) => this.live(id) !== undefined),
    );
  }

  deleteAll(userId: string, exceptId?: string): number {
    const ids = this.idsOf(userId).filter((id) => id !== exceptId);
    const count = ids.filter((id) => this.live(id) !== undefined).length;
    for (const id of ids) this.rows.delete(id);
    return count;
  }

  sweep(limit: number): number {
    const expired = this.expiredIds().slice(0, limit);
    for (const id of expired) this.rows.delete(id);
    return expired.length;
  }

  close(): void {}

  /** The time, by the clock that it goes by. */
  clock(): number {
    return this.now();
  }

  /** Stores a record, whatever was there. */
  put(id: string, record: SessionRecord): true {
    this.rows.set(id, record);
    return true;
  }

  /** The ids of a user's sessions, of those too that have expired. */
  idsOf(userId: string): string[] {
    return [...this.rows].filter(([, record]) => record.userId === userId).map(([id]) => id);
  }

  /** What a list tells of these sessions, oldest first. */
  listOf(userId: string, ids: readonly string[]): SessionInfo[] {
    return ids
      .map((handle) => {
        const {
          createdAt = 0,
          touchedAt = 0,
          expiresAt = 0,
          authenticatedAt = null,
        } = this.rows.get(handle) ?? {};
        return { handle, userId, createdAt, touchedAt, expiresAt, authenticatedAt };
      })
      .toSorted((one, other) => one.createdAt - other.createdAt);
  }

  expiredIds(): string[] {
    return [...this.rows.keys()].filter((id) => this.live(id) === undefined);
  }
}
