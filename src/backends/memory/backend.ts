import type { SessionInfo, SessionRecord } from "../../store/backend.ts";
import { SessionStore } from "../../store/backend.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import { RecencyList } from "./recency-list.ts";

/** How the in-memory backend is set up. */
export interface InMemorySessionBackendOptions {
  /** The most sessions to hold; 100,000 by default. A small one takes about 0.4 KB. */
  readonly maxSessions?: number;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULT_MAX_SESSIONS = 100_000;

/** A record with its places in the expiry heap and in the list of its user's or of anonymous ones. */
class Entry {
  readonly id: string;
  record: SessionRecord;
  dueAt: number;
  heapIndex = -1;
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;

  constructor(id: string, record: SessionRecord) {
    this.id = id;
    this.record = record;
    this.dueAt = record.expiresAt;
  }
}

/**
 * Keeps sessions in this process: fast, gone when it ends, and not seen by other processes.
 *
 * It never holds more than `maxSessions`. When it is full, a new session takes the place of an
 * expired one, or else of the anonymous one that was used longest ago. Sessions that somebody has
 * logged into are never given up: when it is full of those, a new session is answered with 503.
 */
export class InMemorySessionBackend extends SessionStore {
  readonly #maxSessions: number;
  readonly #entries = new Map<string, Entry>();
  readonly #expiry = new ExpiryHeap<Entry>();
  readonly #anonymous = new RecencyList<Entry>();
  readonly #users = new Map<string, RecencyList<Entry>>();

  /** @throws TypeError if `maxSessions` is not a whole number above 0. */
  constructor(options: InMemorySessionBackendOptions = {}) {
    super(options.now);
    const { maxSessions = DEFAULT_MAX_SESSIONS } = options;
    if (!Number.isInteger(maxSessions) || maxSessions < 1) {
      throw new TypeError(
        `\`maxSessions\` is ${maxSessions}; it has to be a whole number above 0. Leave it out for ${DEFAULT_MAX_SESSIONS}.`,
      );
    }
    this.#maxSessions = maxSessions;
  }

  /** How many sessions are held, expired ones that no sweep has met included. */
  get size(): number {
    return this.#entries.size;
  }

  read(id: string): SessionRecord | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.record.userId === null) this.#anonymous.use(entry);
    return entry.record;
  }

  create(id: string, record: SessionRecord): boolean {
    const taken = this.#entries.get(id);
    if (taken !== undefined) {
      if (this.#isLive(taken)) return false;
      this.#remove(taken);
    }
    if (this.#entries.size >= this.#maxSessions) this.#makeRoom();
    this.#add(new Entry(id, record));
    return true;
  }

  replace(id: string, record: SessionRecord, version: number): boolean {
    const entry = this.#current(id, version);
    if (entry === undefined) return false;
    if (entry.record.userId === record.userId) {
      this.#put(entry, record);
    } else {
      this.#remove(entry);
      this.#add(new Entry(id, record));
    }
    return true;
  }

  rotate(oldId: string, newId: string, record: SessionRecord, version: number): boolean {
    const entry = this.#current(oldId, version);
    const taken = this.#entries.get(newId);
    if (entry === undefined || (taken !== undefined && this.#isLive(taken))) return false;
    if (taken !== undefined) this.#remove(taken);
    this.#remove(entry);
    this.#add(new Entry(newId, record));
    return true;
  }

  touch(id: string, expiresAt: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || !this.#isLive(entry)) return false;
    const { record } = entry;
    this.#put(entry, { ...record, touchedAt: this.now(), expiresAt, version: record.version + 1 });
    return true;
  }

  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#remove(entry);
  }

  list(userId: string): SessionInfo[] {
    return [...(this.#users.get(userId) ?? [])]
      .filter((entry) => this.#isLive(entry))
      .map(({ id, record }) => ({
        handle: id,
        userId,
        createdAt: record.createdAt,
        touchedAt: record.touchedAt,
        expiresAt: record.expiresAt,
        authenticatedAt: record.authenticatedAt,
      }))
      .toSorted((one, other) => one.createdAt - other.createdAt);
  }

  deleteAll(userId: string, exceptId?: string): number {
    const entries = [...(this.#users.get(userId) ?? [])];
    let count = 0;
    for (const entry of entries) {
      if (entry.id === exceptId) continue;
      if (this.#isLive(entry)) count++;
      this.#remove(entry);
    }
    return count;
  }

  /** Looks only at what has expired, however many sessions there are. */
  sweep(limit: number): number {
    let swept = 0;
    while (swept < limit) {
      const expired = this.#expiry.findExpired(this.now());
      if (expired === undefined) break;
      this.#remove(expired);
      swept++;
    }
    return swept;
  }

  /** Does nothing: sessions in memory stay readable, so that a last request can end in peace. */
  close(): void {}

  #isLive(entry: Entry): boolean {
    return entry.record.expiresAt > this.now();
  }

  #current(id: string, version: number): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry?.record.version === version && this.#isLive(entry) ? entry : undefined;
  }

  #put(entry: Entry, record: SessionRecord): void {
    entry.record = record;
    this.#expiry.reschedule(entry);
    if (record.userId === null) this.#anonymous.use(entry);
  }

  #add(entry: Entry): void {
    const { userId } = entry.record;
    this.#entries.set(entry.id, entry);
    this.#expiry.add(entry);
    if (userId === null) {
      this.#anonymous.add(entry);
      return;
    }
    let entries = this.#users.get(userId);
    // Not a Set: that takes 0.2 KB more.
    if (entries === undefined) this.#users.set(userId, (entries = new RecencyList()));
    entries.add(entry);
  }

  #remove(entry: Entry): void {
    const { userId } = entry.record;
    this.#entries.delete(entry.id);
    this.#expiry.remove(entry);
    if (userId === null) {
      this.#anonymous.remove(entry);
      return;
    }
    const entries = this.#users.get(userId);
    entries?.remove(entry);
    if (entries?.oldest === undefined) this.#users.delete(userId);
  }

  #makeRoom(): void {
    const victim = this.#expiry.findExpired(this.now()) ?? this.#anonymous.oldest;
    if (victim === undefined) {
      throw new Error(
        `All ${this.#maxSessions} sessions in memory are signed in, and none of them is given up. ` +
          "Raise `maxSessions`, or use a backend on disk such as SqliteSessionBackend.",
      );
    }
    this.#remove(victim);
  }
}
