import type { ForwardingNote, SessionInfo, SessionRecord } from "../../../src/store/record.ts";
import { isNote, NOTE_LIFETIME, toInfo } from "../../../src/store/record.ts";
import { SessionStore } from "../../../src/store/session-store.ts";

/** What lies under an id. */
export type Row = SessionRecord | ForwardingNote;

/** The least that a store can be: records and notes in a `Map`, which several can share. */
export class MapStore extends SessionStore {
  override readonly isSynchronous = true;
  readonly rows: Map<string, Row>;

  constructor(now?: () => number, rows = new Map<string, Row>()) {
    super(now);
    this.rows = rows;
  }

  read(id: string): Row | undefined {
    return this.rows.get(id);
  }

  create(id: string, record: SessionRecord): boolean {
    return !this.isTaken(id) && this.put(id, record);
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
    return this.findLive(id)?.version === old.version && this.put(id, record);
  }

  rotate(oldId: string, newId: string, record: SessionRecord, old: SessionRecord): boolean {
    if (this.findLive(oldId)?.version !== old.version || this.isTaken(newId)) return false;
    this.leaveNote(oldId, newId);
    return this.put(newId, record);
  }

  touch(id: string, expiresAt: number): boolean {
    const record = this.findLive(id);
    if (record === undefined) return false;
    const version = record.version + 1;
    return this.put(id, { ...record, touchedAt: this.now(), expiresAt, version });
  }

  delete(id: string): string | undefined {
    const successor = this.findNote(id)?.supersededBy;
    this.rows.delete(id);
    return successor;
  }

  list(userId: string, limit: number): SessionInfo[] {
    const ids = this.findIds(userId).filter((id) => this.findLive(id) !== undefined);
    return this.toInfos(userId, ids).slice(0, limit);
  }

  deleteAll(userId: string, exceptId: string | undefined, limit: number): string[] {
    const ids = this.findIds(userId)
      .filter((id) => id !== exceptId)
      .slice(0, limit);
    for (const id of ids) this.rows.delete(id);
    return ids;
  }

  sweep(limit: number, before?: number): number {
    const expired = this.findExpired(before).slice(0, limit);
    for (const id of expired) this.rows.delete(id);
    return expired.length;
  }

  close(): void {}

  /** The time, by the clock that it goes by. */
  clock(): number {
    return this.now();
  }

  /** Stores a record or a note, whatever was there. */
  put(id: string, row: Row): true {
    this.rows.set(id, row);
    return true;
  }

  /** Puts a note in the place of whatever was there. */
  leaveNote(id: string, supersededBy: string): true {
    return this.put(id, { supersededBy, expiresAt: this.now() + NOTE_LIFETIME });
  }

  /** Whether a live record or note has this id. */
  isTaken(id: string): boolean {
    const row = this.rows.get(id);
    return row !== undefined && row.expiresAt > this.now();
  }

  /** The record, expired or not. */
  findRecord(id: string): SessionRecord | undefined {
    const row = this.rows.get(id);
    return row === undefined || isNote(row) ? undefined : row;
  }

  /** The record, unless it has expired. */
  findLive(id: string): SessionRecord | undefined {
    return this.isTaken(id) ? this.findRecord(id) : undefined;
  }

  /** The note, expired or not. */
  findNote(id: string): ForwardingNote | undefined {
    const row = this.rows.get(id);
    return row !== undefined && isNote(row) ? row : undefined;
  }

  /** The ids of a user's sessions, expired ones included. */
  findIds(userId: string): string[] {
    return [...this.rows.keys()].filter((id) => this.findRecord(id)?.userId === userId);
  }

  findExpired(before = this.now()): string[] {
    return [...this.rows].filter(([, { expiresAt }]) => expiresAt <= before).map(([id]) => id);
  }

  /** What a list tells of these sessions, the most recently touched first. */
  toInfos(userId: string, ids: readonly string[]): SessionInfo[] {
    return ids
      .flatMap((id) => {
        const record = this.findRecord(id);
        return record === undefined ? [] : [toInfo(id, userId, record)];
      })
      .toSorted((one, other) => other.touchedAt - one.touchedAt);
  }
}
