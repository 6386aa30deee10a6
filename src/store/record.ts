import type { SessionData } from "./backend.ts";

/** A stored session. Times are Unix milliseconds. A record is a value: it is never changed. */
export interface SessionRecord {
  /** The session's data, as JSON text. */
  readonly data: string;
  /** Messages left for the next request, as JSON text by name; `null` for none. */
  readonly flash: string | null;
  /** Increases by one with every write. */
  readonly version: number;
  /** When the session began. Its absolute lifetime counts from here. */
  readonly createdAt: number;
  /**
   * When the session's idle timeout was last restarted; with `remember`, by a request whose response
   * could renew the cookie.
   */
  readonly touchedAt: number;
  /** When the session expires if nobody uses it again. From that moment on it is absent. */
  readonly expiresAt: number;
  /** Whose session it is; `null` while nobody has logged in. At most 320 characters. */
  readonly userId: string | null;
  /** When the user logged in. */
  readonly authenticatedAt: number | null;
  /** The idle timeout, in seconds, of a session that is to outlive the browser. */
  readonly remember: number | null;
  /** What the app calls the session in a user's list, such as a device; at most 255 characters. */
  readonly label: string | null;
}

/**
 * What `rotate` leaves under an old id: it names the session that has taken its place. A note opens
 * nothing and is not a session.
 */
export interface ForwardingNote {
  /** The id, as the store knows it, that the session was rotated to. */
  readonly supersededBy: string;
  /** When the note expires, in Unix milliseconds: {@link NOTE_LIFETIME} after the rotation. */
  readonly expiresAt: number;
}

/** The fields that decide when a record expires. */
export type SessionTimes = Pick<
  SessionRecord,
  "createdAt" | "touchedAt" | "expiresAt" | "remember"
>;

/** How long a forwarding note stays under an old id, in milliseconds. */
export const NOTE_LIFETIME = 30_000;

/** One of a user's sessions, as `list` returns it. Times are Unix milliseconds. */
export interface SessionInfo {
  /** Identifies the session for `revoke`. Opens nothing: it is a hash of the id. */
  readonly handle: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
  readonly authenticatedAt: number | null;
  readonly label: string | null;
}

/** The initial facts of a session: nobody logged in, no messages. */
export const NEW_RECORD = {
  flash: null,
  version: 1,
  userId: null,
  authenticatedAt: null,
  remember: null,
  label: null,
} as const;

/** Whether a store returned a note rather than a record. */
export function isNote(found: SessionRecord | ForwardingNote): found is ForwardingNote {
  return "supersededBy" in found;
}

/** The entry that `list` returns for a record stored under `handle`. */
export function toInfo(
  handle: string,
  userId: string,
  facts: Omit<SessionRecord, "data" | "flash">,
): SessionInfo {
  const { createdAt, touchedAt, expiresAt, authenticatedAt, label } = facts;
  return { handle, userId, createdAt, touchedAt, expiresAt, authenticatedAt, label };
}

/**
 * Whether a stored record has the declared types. SQLite accepts any type in any column, and a date
 * stored as text would never expire.
 */
export function isRecord(record: SessionRecord): boolean {
  const { data, flash, version, createdAt, touchedAt, expiresAt } = record;
  const { userId, authenticatedAt, remember, label } = record;
  return (
    typeof data === "string" &&
    (flash === null || typeof flash === "string") &&
    Number.isSafeInteger(version) &&
    version >= 0 &&
    Number.isFinite(createdAt) &&
    Number.isFinite(touchedAt) &&
    Number.isFinite(expiresAt) &&
    (userId === null || typeof userId === "string") &&
    (authenticatedAt === null || Number.isFinite(authenticatedAt)) &&
    (remember === null || (Number.isFinite(remember) && remember > 0)) &&
    (label === null || typeof label === "string")
  );
}

/** The dictionary in a record's `data`, or `undefined` if the text does not hold one. */
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
