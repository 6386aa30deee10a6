import type { MaybePromise } from "./maybe-promise.ts";

export type { MaybePromise } from "./maybe-promise.ts";

/** How long a session lives without being used, in seconds: eight hours. */
export const SESSION_TIMEOUT = 8 * 60 * 60;

/**
 * So many writers would have to come between, each after a read and before its write. It rather is a
 * store that refuses what it should take, and would be asked for ever.
 */
const MOST_ATTEMPTS = 1_000;

/** What a session holds: values that JSON gives back as they were. */
export type SessionData = Record<string, unknown>;

/**
 * Where sessions are kept: two methods, synchronous or not. `sessionId` is the SHA-256 of the id in
 * the cookie; a backend never sees an id that anyone could use. Data is handed over as a value:
 * whoever changes an object afterwards changes nothing that is kept.
 *
 * A backend of these two methods is safe inside one process. Between processes, two requests that
 * write the same session within the same few milliseconds can still overwrite each other: for
 * that, extend {@link SessionStore}.
 */
export interface SessionBackend {
  /** The session's data. `{}`, `null` and `undefined` all mean that there is no such session. */
  load(sessionId: string): MaybePromise<SessionData | null | undefined>;

  /**
   * Keeps the data for `timeout` seconds, in place of what was kept before. Empty data, or a
   * timeout of 0, deletes the session.
   */
  save(sessionId: string, data: SessionData, timeout: number): MaybePromise<unknown>;
}

/** A stored session. Times are Unix milliseconds. A record is a value: it is never changed. */
export interface SessionRecord {
  /** The session's data, as JSON text. */
  readonly data: string;
  /** Messages left for the next request, as JSON text by name; `null` for none. */
  readonly flash: string | null;
  /** Grows by one with every write. */
  readonly version: number;
  /** When the session began. Its absolute lifetime counts from here. */
  readonly createdAt: number;
  /** When the session's idle timeout last began anew. */
  readonly touchedAt: number;
  /** When the session ends if nobody uses it again. From that moment on it is absent. */
  readonly expiresAt: number;
  /** Whose session it is; `null` while nobody has logged in. */
  readonly userId: string | null;
  /** When the user logged in. */
  readonly authenticatedAt: number | null;
  /** The idle timeout, in seconds, of a session that is to outlive the browser. */
  readonly remember: number | null;
}

/** One of a user's sessions, as `list` gives it. Times are Unix milliseconds. */
export interface SessionInfo {
  /** Names the session towards `revoke`. Opens nothing: it is a hash of the id. */
  readonly handle: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
  readonly authenticatedAt: number | null;
}

/**
 * A store whose every write is atomic, across all processes that share it. What the built-in
 * backends extend, and the only thing {@link Sessions} talks to.
 *
 * Any method may answer at once or with a promise. One that cannot do its work throws or rejects;
 * it never answers as if there were no session.
 */
export abstract class SessionStore implements SessionBackend {
  /** The clock: Unix milliseconds. */
  protected readonly now: () => number;

  /** Takes the clock that decides what has expired; `Date.now` by default. */
  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** The record, or `undefined` when there is none. May still give one that has expired. */
  abstract read(id: string): MaybePromise<SessionRecord | undefined>;

  /** Inserts, and only inserts. `false`: a live record has this id, and stays as it was. */
  abstract create(id: string, record: SessionRecord): MaybePromise<boolean>;

  /**
   * Puts the record in the place of the one with this version. `false`: it is gone, has expired or
   * has another version, and nothing was changed.
   */
  abstract replace(id: string, record: SessionRecord, version: number): MaybePromise<boolean>;

  /**
   * Puts the record under a new id and removes the old one, as one step. `false`: the old one is
   * gone, has expired or has another version, or the new id is taken; nothing was changed.
   */
  abstract rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    version: number,
  ): MaybePromise<boolean>;

  /**
   * Begins the idle timeout anew: sets `touchedAt` to now, `expiresAt` as given, and raises the
   * version by one. `false`: the record is gone or has expired.
   */
  abstract touch(id: string, expiresAt: number): MaybePromise<boolean>;

  /** Removes the record. One that does not exist is no error. */
  abstract delete(id: string): MaybePromise<void>;

  /** The user's live sessions, oldest first. */
  abstract list(userId: string): MaybePromise<readonly SessionInfo[]>;

  /** Removes the user's sessions, all but `exceptId`. How many live ones there were. */
  abstract deleteAll(userId: string, exceptId?: string): MaybePromise<number>;

  /** Removes at most `limit` expired records, and no others. How many it removed. */
  abstract sweep(limit: number): MaybePromise<number>;

  /** Finishes what was begun and lets go of files and connections. A second call does nothing. */
  abstract close(): MaybePromise<void>;

  /** The data of a live session; `{}` when there is none. */
  async load(sessionId: string): Promise<SessionData> {
    const record = await this.read(sessionId);
    if (record === undefined || record.expiresAt <= this.now()) return {};
    return parseData(record.data) ?? {};
  }

  /**
   * Keeps the data for `timeout` seconds, whatever was kept before. Empty data, or a timeout of 0,
   * deletes the session.
   */
  async save(sessionId: string, data: SessionData, timeout: number): Promise<void> {
    if (timeout <= 0 || Object.keys(data).length === 0) return this.delete(sessionId);
    for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts++) {
      const now = this.now();
      const old = await this.read(sessionId);
      const fresh = { data: JSON.stringify(data), touchedAt: now, expiresAt: now + timeout * 1000 };
      const saved =
        old === undefined || old.expiresAt <= now
          ? await this.create(sessionId, { ...NEW_RECORD, ...fresh, createdAt: now })
          : await this.replace(
              sessionId,
              { ...old, ...fresh, version: old.version + 1 },
              old.version,
            );
      if (saved) return;
    }
    throw new Error(
      `The session could not be saved: ${MOST_ATTEMPTS} times, what was read was not what was there.`,
    );
  }
}

/** The dictionary in a record's `data`, or `undefined` when the text holds none. */
export function parseData(text: string): SessionData | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as SessionData)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The facts of a session that nobody has logged into and nothing has been said to. */
export const NEW_RECORD = {
  flash: null,
  version: 1,
  userId: null,
  authenticatedAt: null,
  remember: null,
} as const;

/**
 * Whether what a store gave is what its type says. SQLite keeps any value in any column, and a date
 * that is a text would never be over.
 */
export function isRecord(record: SessionRecord): boolean {
  const { data, flash, version, createdAt, touchedAt, expiresAt } = record;
  const { userId, authenticatedAt, remember } = record;
  return (
    typeof data === "string" &&
    (flash === null || typeof flash === "string") &&
    Number.isSafeInteger(version) &&
    Number.isFinite(createdAt) &&
    Number.isFinite(touchedAt) &&
    Number.isFinite(expiresAt) &&
    (userId === null || typeof userId === "string") &&
    (authenticatedAt === null || Number.isFinite(authenticatedAt)) &&
    (remember === null || (Number.isFinite(remember) && remember > 0))
  );
}
