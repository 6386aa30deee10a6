import type { SessionBackend, SessionData } from "./backend.ts";
import { checkFunction } from "./known-options.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord, SessionTimes } from "./record.ts";
import { isNote, NEW_RECORD, parseData } from "./record.ts";

/** Retry bound of `save`: a store that refuses this often is broken. */
const MOST_ATTEMPTS = 1_000;

/**
 * Called with the ids of sessions that have ended, or without ids when some may have ended. Must
 * not throw.
 */
export type EndListener = (ids?: readonly string[]) => void;

/** Stops the calls of an {@link EndListener}. */
export type StopWatching = () => MaybePromise<void>;

const MARK = Symbol.for("bunpie.SessionStore");

/**
 * A store whose every write is atomic, across all processes that share it. The built-in backends
 * extend this class, and it is all that {@link Sessions} talks to.
 *
 * Any method may return its result or a promise of it. A method that cannot do its work throws or
 * rejects; it never answers as if there were no session.
 */
export abstract class SessionStore implements SessionBackend {
  static {
    Object.defineProperty(this.prototype, MARK, { value: true });
  }

  /**
   * Whether reads and writes are synchronous: a store that says `true` never returns a promise from
   * `read`, `create`, `replace`, `rotate`, `touch` or `delete`; `false` by default.
   */
  readonly isSynchronous: boolean = false;

  /** The clock: Unix milliseconds. */
  protected readonly now: () => number;

  /** Takes the clock that decides what has expired; `Date.now` by default. */
  constructor(now: () => number = Date.now) {
    checkFunction("now", now);
    this.now = now;
  }

  /**
   * The record, or the forwarding note that `rotate` has left in its place, or `undefined` when
   * there is neither. Returns one that has expired too, until it is removed: by another process's
   * clock it may be live.
   */
  abstract read(id: string): MaybePromise<SessionRecord | ForwardingNote | undefined>;

  /** Inserts, and only inserts. `false`: a live record or note has this id, and stays as it was. */
  abstract create(id: string, record: SessionRecord): MaybePromise<boolean>;

  /**
   * Replaces `old`, which was read or written before, with the record. `false`: `old` is gone, has
   * expired or has another version, and nothing was changed. A store need not write fields that
   * equal those of `old`.
   */
  abstract replace(id: string, record: SessionRecord, old: SessionRecord): MaybePromise<boolean>;

  /**
   * Atomically puts the record under a new id, removes `old` from its own, and leaves a forwarding
   * note there for 30 seconds. `false`: `old` is gone, has expired or has another version, or the
   * new id is taken, and nothing was changed.
   */
  abstract rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): MaybePromise<boolean>;

  /**
   * Restarts the idle timeout: sets `touchedAt` to now, `expiresAt` as given, and raises the version by
   * one. `false`: the record is gone or has expired.
   */
  abstract touch(id: string, expiresAt: number): MaybePromise<boolean>;

  /**
   * Removes the record, expired or not; a missing record is no error. If a forwarding note is
   * there, removes it and returns the id that it names; otherwise returns `undefined`. It never
   * misses a session that a `rotate` moves at the same time: it removes the record, or returns the
   * id that the record moved to.
   */
  abstract delete(id: string): MaybePromise<string | undefined>;

  /**
   * The user's live sessions, at most `limit` of them, the most recently touched first. Reads no
   * session's data.
   */
  abstract list(userId: string, limit: number): MaybePromise<readonly SessionInfo[]>;

  /**
   * Removes at most `limit` of the user's sessions, expired or not, but never `exceptId`. Returns the
   * ids of the sessions that it removed: none only if none was left. Reads no session's data.
   */
  abstract deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): MaybePromise<readonly string[]>;

  /**
   * Removes at most `limit` expired records and notes, and no others. Leaves those that expired after
   * `before`, in Unix milliseconds: the present time by default. Returns how many it removed.
   */
  abstract sweep(limit: number, before?: number): MaybePromise<number>;

  /** Finishes pending work and releases files and connections. A second call does nothing. */
  abstract close(): MaybePromise<void>;

  /**
   * The times of the live sessions among these, by their ids. Reads them one by one by default;
   * override it if the store can read many in one query.
   */
  async readTimes(ids: readonly string[]): Promise<ReadonlyMap<string, SessionTimes>> {
    const times = new Map<string, SessionTimes>();
    await Promise.all(
      ids.map(async (id) => {
        const found = await this.read(id);
        const isLive = found !== undefined && found.expiresAt > this.now();
        if (isLive && !isNote(found)) times.set(id, found);
      }),
    );
    return times;
  }

  /**
   * Calls `listener` with the ids of sessions that `delete`, `deleteAll` and `rotate` have ended,
   * in this store and in every other that shares them; without ids when a notice may have been
   * lost. Returns a function that stops the calls, or `undefined`, as by default, if the store
   * cannot watch.
   */
  watchEnds(_listener: EndListener): MaybePromise<StopWatching | undefined> {
    return undefined;
  }

  /**
   * A number that changes when another store that shares the sessions has written, or `undefined`,
   * as by default, if the store cannot tell synchronously. While it stays the same, watched
   * sessions are not read again.
   */
  foreignWrites(): number | undefined {
    return undefined;
  }

  /** The data of a live session; `{}` when there is none. */
  async load(sessionId: string): Promise<SessionData> {
    const record = await this.read(sessionId);
    if (record === undefined || isNote(record) || record.expiresAt <= this.now()) return {};
    return parseData(record.data) ?? {};
  }

  /**
   * Stores the data for `timeout` seconds, whatever was stored before. Empty data, or a timeout of
   * 0, deletes the session.
   */
  async save(sessionId: string, data: SessionData, timeout: number): Promise<void> {
    if (timeout <= 0 || Object.keys(data).length === 0) {
      await this.delete(sessionId);
      return;
    }
    for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts++) {
      const now = this.now();
      const old = await this.read(sessionId);
      const fresh = { data: JSON.stringify(data), touchedAt: now, expiresAt: now + timeout * 1000 };
      if (old !== undefined && isNote(old)) await this.delete(sessionId);
      const saved =
        old === undefined || isNote(old) || old.expiresAt <= now
          ? await this.create(sessionId, { ...NEW_RECORD, ...fresh, createdAt: now })
          : await this.replace(sessionId, { ...old, ...fresh, version: old.version + 1 }, old);
      if (saved) return;
    }
    throw new Error(
      `The session could not be saved: the store refused ${MOST_ATTEMPTS} writes of records that it had just returned. Check its replace() and create().`,
    );
  }
}

/**
 * Whether a backend is a SessionStore. Checks a mark rather than the class: after a reload by `bun
 * --hot`, or with two installed copies of the package, two classes of this name exist.
 */
export function isSessionStore(backend: unknown): backend is SessionStore {
  return typeof backend === "object" && backend !== null && MARK in backend;
}
