import { EndListeners } from "../../store/end-listeners.ts";
import { refuseUnknown } from "../../store/known-options.ts";
import { RecencyList } from "../../store/recency-list.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../store/record.ts";
import { isNote, NOTE_LIFETIME, toInfo } from "../../store/record.ts";
import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { SessionStore } from "../../store/session-store.ts";
import { countBytes, countGrowth } from "./bytes.ts";
import { Entry } from "./entry.ts";
import { ExpiryHeap } from "./expiry-heap.ts";

/** Options of {@link InMemorySessionBackend}. */
export interface InMemorySessionBackendOptions {
  /**
   * The maximum number of sessions; 100,000 by default. A small session takes about 0.4 KB. The
   * forwarding note that a renewed session leaves under its old id for 30 seconds counts as a
   * session.
   */
  readonly maxSessions?: number;
  /** The maximum memory for sessions, in bytes; 256 MiB (268,435,456) by default. */
  readonly maxBytes?: number;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULT_MAX_SESSIONS = 100_000;
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Keeps sessions in the memory of this process: fast, lost when the process ends, and invisible to
 * other processes.
 *
 * It never holds more than `maxSessions` sessions or `maxBytes` bytes. When it is full, a write that
 * needs room evicts expired sessions, then the least recently used anonymous ones. Sessions of
 * logged-in users are never evicted: when they leave too little room, the write is answered with 503.
 */
export class InMemorySessionBackend extends SessionStore {
  override readonly isSynchronous = true;
  readonly #maxSessions: number;
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Entry>();
  readonly #expiry = new ExpiryHeap<Entry>();
  /** Anonymous sessions and notes: everything that may be evicted. */
  readonly #anonymous = new RecencyList<Entry>();
  readonly #users = new Map<string, RecencyList<Entry>>();
  readonly #ends = new EndListeners();
  #bytes = 0;
  #anonymousBytes = 0;

  /**
   * @throws TypeError if `maxSessions` or `maxBytes` is not a whole number above 0, and for an unknown
   *   option.
   */
  constructor(options: InMemorySessionBackendOptions = {}) {
    super(options.now);
    refuseUnknown("InMemorySessionBackend", options, ["maxSessions", "maxBytes", "now"]);
    const { maxSessions = DEFAULT_MAX_SESSIONS, maxBytes = DEFAULT_MAX_BYTES } = options;
    checkLimit("maxSessions", maxSessions, DEFAULT_MAX_SESSIONS);
    checkLimit("maxBytes", maxBytes, DEFAULT_MAX_BYTES);
    this.#maxSessions = maxSessions;
    this.#maxBytes = maxBytes;
  }

  /** The number of sessions and notes, including expired ones that no sweep has removed yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** The memory that sessions and notes take, in bytes, as counted towards `maxBytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  read(id: string): SessionRecord | ForwardingNote | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.userId === null) this.#anonymous.use(entry);
    return entry.content;
  }

  create(id: string, record: SessionRecord): boolean {
    const taken = this.#entries.get(id);
    if (taken !== undefined) {
      if (this.#isLive(taken)) return false;
      this.#remove(taken);
    }
    const bytes = countBytes(id, record);
    if (!this.#hasRoom(1, bytes)) this.#makeRoom(1, bytes);
    this.#add(new Entry(id, record), bytes);
    return true;
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): boolean {
    const entry = this.#current(id, old.version);
    if (entry === undefined) return false;
    this.#put(entry, record);
    return true;
  }

  rotate(oldId: string, newId: string, record: SessionRecord, old: SessionRecord): boolean {
    const entry = this.#current(oldId, old.version);
    const taken = this.#entries.get(newId);
    if (entry === undefined || (taken !== undefined && this.#isLive(taken))) return false;
    const bytes = countBytes(newId, record);
    const growth = bytes - countBytes(oldId, entry.content);
    if (taken !== undefined) this.#remove(taken);
    if (!this.#hasRoom(0, growth)) this.#makeRoom(0, growth, entry);
    this.#remove(entry);
    const note = { supersededBy: newId, expiresAt: this.now() + NOTE_LIFETIME };
    this.#add(new Entry(oldId, note), countBytes(oldId, note));
    this.#add(new Entry(newId, record), bytes);
    // The note was added first, so it is evicted before the session that it leads to.
    if (!this.#hasRoom(0, 0)) this.#makeRoom(0, 0);
    this.#ends.tell([oldId]);
    return true;
  }

  touch(id: string, expiresAt: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || !this.#isLive(entry)) return false;
    const { content } = entry;
    if (isNote(content)) return false;
    const version = content.version + 1;
    this.#put(entry, { ...content, touchedAt: this.now(), expiresAt, version });
    return true;
  }

  delete(id: string): string | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#remove(entry);
    this.#ends.tell([id]);
    return isNote(entry.content) ? entry.content.supersededBy : undefined;
  }

  list(userId: string, limit: number): SessionInfo[] {
    const infos: SessionInfo[] = [];
    let entry = this.#users.get(userId)?.newest;
    for (; entry !== undefined && infos.length < limit; entry = entry.older) {
      const { id, content } = entry;
      if (!isNote(content) && this.#isLive(entry)) infos.push(toInfo(id, userId, content));
    }
    return infos;
  }

  deleteAll(userId: string, exceptId: string | undefined, limit: number): string[] {
    const ids: string[] = [];
    let entry = this.#users.get(userId)?.oldest;
    while (entry !== undefined && ids.length < limit) {
      const { id, newer } = entry;
      if (id !== exceptId) {
        this.#remove(entry);
        ids.push(id);
      }
      entry = newer;
    }
    this.#ends.tell(ids);
    return ids;
  }

  /** Visits only what has expired, however many sessions there are. */
  sweep(limit: number, before = this.now()): number {
    let swept = 0;
    while (swept < limit && this.#removeExpired(before)) swept++;
    return swept;
  }

  /** Does nothing: sessions stay readable, so that requests in flight can finish. */
  close(): void {}

  override watchEnds(listener: EndListener): StopWatching {
    return this.#ends.add(listener);
  }

  #isLive(entry: Entry): boolean {
    return entry.expiresAt > this.now();
  }

  #current(id: string, version: number): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.isNote) return undefined;
    return entry.version === version && this.#isLive(entry) ? entry : undefined;
  }

  /** Replaces the record that an entry holds. */
  #put(entry: Entry, record: SessionRecord): void {
    const { userId, touchedAt } = entry;
    const growth = countGrowth(entry, record);
    if (growth > 0 && !this.#hasRoom(0, growth)) this.#makeRoom(0, growth, entry);
    if (userId !== record.userId) {
      this.#remove(entry);
      this.#add(new Entry(entry.id, record), countBytes(entry.id, record));
      return;
    }
    entry.content = record;
    this.#bytes += growth;
    this.#expiry.reschedule(entry);
    if (userId === null) {
      this.#anonymousBytes += growth;
      this.#anonymous.use(entry);
    } else if (touchedAt !== record.touchedAt) {
      const entries = this.#users.get(userId);
      if (entries === undefined || (entries.newest === entry && touchedAt < record.touchedAt))
        return;
      entries.remove(entry);
      insertByTouch(entries, entry);
    }
  }

  #add(entry: Entry, bytes: number): void {
    const { id, userId } = entry;
    this.#entries.set(id, entry);
    this.#expiry.add(entry);
    this.#bytes += bytes;
    if (userId === null) {
      this.#anonymousBytes += bytes;
      this.#anonymous.add(entry);
      return;
    }
    let entries = this.#users.get(userId);
    // A Set would take 0.2 KB more.
    if (entries === undefined) this.#users.set(userId, (entries = new RecencyList()));
    insertByTouch(entries, entry);
  }

  #remove(entry: Entry): void {
    const { id, userId } = entry;
    const bytes = countBytes(id, entry.content);
    this.#entries.delete(id);
    this.#expiry.remove(entry);
    this.#bytes -= bytes;
    if (userId === null) {
      this.#anonymousBytes -= bytes;
      this.#anonymous.remove(entry);
      return;
    }
    const entries = this.#users.get(userId);
    entries?.remove(entry);
    if (entries?.oldest === undefined) this.#users.delete(userId);
  }

  #removeExpired(before: number, spared?: Entry): boolean {
    const expired = this.#expiry.findExpired(before);
    if (expired === undefined || expired === spared) return false;
    this.#remove(expired);
    return true;
  }

  /** Whether this many more entries and bytes fit. */
  #hasRoom(entries: number, bytes: number): boolean {
    return (
      this.#entries.size + entries <= this.#maxSessions && this.#bytes + bytes <= this.#maxBytes
    );
  }

  /**
   * Evicts entries until there is room, but never `spared`.
   *
   * @throws Error if sessions of logged-in users leave too little room. Only expired entries have
   *   been removed then.
   */
  #makeRoom(entries: number, bytes: number, spared?: Entry): void {
    const now = this.now();
    while (!this.#hasRoom(entries, bytes) && this.#removeExpired(now, spared));
    if (spared?.userId === null) this.#anonymous.use(spared);
    this.#checkRoom(entries, bytes, spared);
    while (!this.#hasRoom(entries, bytes)) {
      const { oldest } = this.#anonymous;
      if (oldest === undefined) return;
      this.#remove(oldest);
      this.#ends.tell([oldest.id]);
    }
  }

  #checkRoom(entries: number, bytes: number, spared: Entry | undefined): void {
    const isFull = this.#entries.size + entries > this.#maxSessions;
    if (isFull && this.#anonymous.oldest === undefined) {
      throw new Error(
        `All ${this.#maxSessions} sessions in memory belong to logged-in users and are never evicted. ` +
          "Raise `maxSessions`, or use a backend on disk such as SqliteSessionBackend.",
      );
    }
    const kept = spared?.userId === null ? countBytes(spared.id, spared.content) : 0;
    const left = this.#maxBytes - (this.#bytes - this.#anonymousBytes) - kept;
    if (bytes > left) {
      throw new Error(
        `A session needs ${bytes} more bytes in memory, but only ${left} of \`maxBytes\` are left: the rest is taken ` +
          "by sessions of logged-in users, which are never evicted. Raise `maxBytes`, or use a backend on disk such " +
          "as SqliteSessionBackend.",
      );
    }
  }
}

/** Inserts a session in the order of `touchedAt`, even if the clock was set back. */
function insertByTouch(entries: RecencyList<Entry>, entry: Entry): void {
  const { touchedAt } = entry;
  let older = entries.newest;
  while (older !== undefined && older.touchedAt > touchedAt) ({ older } = older);
  entries.insert(entry, older);
}

function checkLimit(name: string, limit: number, defaultLimit: number): void {
  if (Number.isInteger(limit) && limit >= 1) return;
  throw new TypeError(
    `\`${name}\` is ${limit}; it has to be a whole number above 0. Leave it out for ${defaultLimit}.`,
  );
}
