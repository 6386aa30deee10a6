import { EndListeners } from "../../store/end-listeners.ts";
import { refuseUnknown } from "../../store/known-options.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../store/record.ts";
import { isNote, NOTE_LIFETIME, toInfo } from "../../store/record.ts";
import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { SessionStore } from "../../store/session-store.ts";
import { countBytes, countGrowth } from "./bytes.ts";
import { Entry } from "./entry.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import { RecencyList } from "./recency-list.ts";

/** How the in-memory backend is set up. */
export interface InMemorySessionBackendOptions {
  /**
   * The most sessions to hold; 100,000 by default. A small one takes about 0.4 KB. The forwarding note
   * that a renewed session leaves under its old id for 30 seconds counts as one.
   */
  readonly maxSessions?: number;
  /** The most memory that the sessions may take, in bytes; 256 MiB (268,435,456) by default. */
  readonly maxBytes?: number;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULT_MAX_SESSIONS = 100_000;
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Keeps sessions in this process: fast, gone when it ends, and not seen by other processes.
 *
 * It never holds more than `maxSessions`, nor more than `maxBytes`. When it is full, a new session
 * takes the place of expired ones, or else of the anonymous ones that were used longest ago. Sessions
 * that somebody has logged into are never given up: when it is full of those, a new session is
 * answered with 503.
 */
export class InMemorySessionBackend extends SessionStore {
  override readonly isSynchronous = true;
  readonly #maxSessions: number;
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Entry>();
  readonly #expiry = new ExpiryHeap<Entry>();
  /** Anonymous sessions and notes: all that may be given up. */
  readonly #anonymous = new RecencyList<Entry>();
  readonly #users = new Map<string, RecencyList<Entry>>();
  readonly #ends = new EndListeners();
  #bytes = 0;
  #anonymousBytes = 0;

  /** @throws TypeError if `maxSessions` or `maxBytes` is not a whole number above 0. */
  constructor(options: InMemorySessionBackendOptions = {}) {
    super(options.now);
    refuseUnknown("InMemorySessionBackend", options, ["maxSessions", "maxBytes", "now"]);
    const { maxSessions = DEFAULT_MAX_SESSIONS, maxBytes = DEFAULT_MAX_BYTES } = options;
    checkLimit("maxSessions", maxSessions, DEFAULT_MAX_SESSIONS);
    checkLimit("maxBytes", maxBytes, DEFAULT_MAX_BYTES);
    this.#maxSessions = maxSessions;
    this.#maxBytes = maxBytes;
  }

  /** How many sessions and notes are held, including expired ones that no sweep has removed yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** How much memory they take, in bytes, as counted towards `maxBytes`. */
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
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    const { content } = entry;
    if (isNote(content) || content.version !== old.version || !this.#isLive(entry)) return false;
    this.#put(entry, content, record);
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
    // The note is older than what it leads to, and goes before that.
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
    this.#put(entry, content, { ...content, touchedAt: this.now(), expiresAt, version });
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

  /** Looks only at what has expired, however many sessions there are. */
  sweep(limit: number, before = this.now()): number {
    let swept = 0;
    while (swept < limit && this.#removeExpired(before)) swept++;
    return swept;
  }

  /** Does nothing: sessions in memory stay readable, so that a last request can end in peace. */
  close(): void {}

  override watchEnds(listener: EndListener): StopWatching {
    return this.#ends.add(listener);
  }

  #isLive(entry: Entry): boolean {
    return entry.expiresAt > this.now();
  }

  #current(id: string, version: number): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || isNote(entry.content)) return undefined;
    return entry.content.version === version && this.#isLive(entry) ? entry : undefined;
  }

  /** Puts a record in the place of the one that an entry holds. */
  #put(entry: Entry, old: SessionRecord, record: SessionRecord): void {
    const growth = countGrowth(old, record);
    if (growth > 0 && !this.#hasRoom(0, growth)) this.#makeRoom(0, growth, entry);
    const { userId, touchedAt } = old;
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
      if (entries === undefined || entries.newest === entry) return;
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
    // Not a Set: that takes 0.2 KB more.
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

  /** Whether so many more entries of so many more bytes can be held. */
  #hasRoom(entries: number, bytes: number): boolean {
    return (
      this.#entries.size + entries <= this.#maxSessions && this.#bytes + bytes <= this.#maxBytes
    );
  }

  /**
   * Gives up entries until there is room, but never `spared`.
   *
   * @throws Error if signed-in sessions leave too little. Nothing but what has expired is given up then.
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
        `All ${this.#maxSessions} sessions in memory are signed in, and none of them is given up. ` +
          "Raise `maxSessions`, or use a backend on disk such as SqliteSessionBackend.",
      );
    }
    const kept = spared?.userId === null ? countBytes(spared.id, spared.content) : 0;
    const left = this.#maxBytes - (this.#bytes - this.#anonymousBytes) - kept;
    if (bytes > left) {
      throw new Error(
        `A session needs ${bytes} bytes more in memory, where \`maxBytes\` leaves ${left}: signed-in sessions ` +
          "take the rest, and none of them is given up. Raise `maxBytes`, or use a backend on disk such as " +
          "SqliteSessionBackend.",
      );
    }
  }
}

/** Keeps a user's sessions in the order in which they were touched, whatever a clock has done. */
function insertByTouch(entries: RecencyList<Entry>, entry: Entry): void {
  const { touchedAt } = entry;
  let older = entries.newest;
  while (older !== undefined && older.touchedAt > touchedAt) ({ older } = older);
  entries.insert(entry, older);
}

function checkLimit(name: string, limit: number, byDefault: number): void {
  if (Number.isInteger(limit) && limit >= 1) return;
  throw new TypeError(
    `\`${name}\` is ${limit}; it has to be a whole number above 0. Leave it out for ${byDefault}.`,
  );
}
