import type { SessionData } from "./backend.ts";

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
  /** When the session's idle timeout was last restarted. */
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
 * nothing, and is no session.
 */
export interface ForwardingNote {
  /** The id, as the store knows it, that the session was rotated to. */
  readonly supersededBy: string;
  /** When the note expires, in Unix milliseconds: {@link NOTE_LIFETIME} after the rotation. */
  readonly expiresAt: number;
}

/** What says when a record expires. */
export type SessionTimes = Pick<
  SessionRecord,
  "createdAt" | "touchedAt" | "expiresAt" | "remember"
>;

/** How long a forwarding note stays under an old id, in milliseconds. */
export const NOTE_LIFETIME = 30_000;

/** One of a user's sessions, as `list` returns it. Times are Unix milliseconds. */
export interface SessionInfo {
  /** Names the session towards `revoke`. Opens nothing: it is a hash of the id. */
  readonly handle: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
  readonly authenticatedAt: number | null;
  readonly label: string | null;
}

/** The facts of a session that nobody has logged into and nothing has been said to. */
export const NEW_RECORD = {
  flash: null,
  version: 1,
  userId: null,
  authenticatedAt: null,
  remember: null,
  label: null,
} as const;

/** Whether what a store returned is a note, and not a record. */
export function isNote(found: SessionRecord | ForwardingNote): found is ForwardingNote {
  return "supersededBy" in found;
}

/** What `list` returns of a record that is stored under `handle`. */
export function toInfo(
  handle: string,
  userId: string,
  facts: Omit<SessionRecord, "data" | "flash">,
): SessionInfo {
  const { createdAt, touchedAt, expiresAt, authenticatedAt, label } = facts;
  return { handle, userId, createdAt, touchedAt, expiresAt, authenticatedAt, label };
}

/**
 * Whether what a store returned is what its type says. SQLite keeps any value in any column, and a
 * date that is a text would never pass.
 */
export function isRecord(record: SessionRecord): boolean {
  const { data, flash, version, createdAt, touchedAt, expiresAt } = record;
  const { userId, authenticatedAt, remember, label } = record;
  return (
    typeof data === "string" &&
    (flash === null || typeof flash === "string") &&
    Number.isSafeInteger(version) &&
    Number.isFinite(createdAt) &&
    Number.isFinite(touchedAt) &&
    Number.isFinite(expiresAt) &&
    (userId === null || typeof userId === "string") &&
    (authenticatedAt === null || Number.isFinite(authenticatedAt)) &&
    (remember === null || (Number.isFinite(remember) && remember > 0)) &&
    (label === null || typeof label === "string")
  );
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
