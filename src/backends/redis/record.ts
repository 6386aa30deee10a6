import type { SessionRecord } from "../../store/backend.ts";
import { NEW_RECORD } from "../../store/backend.ts";

/**
 * A record as the text that Redis keeps: its facts as an array in JSON, the user in a line of its own
 * where the scripts find it, and below that the data as they are.
 *
 * One text, and not a hash with nine fields: for 200 bytes of data that takes 0.5 KB of Redis's
 * memory instead of 1.2, and a read 8 µs of CPU on either side instead of 10.
 */
export function textOf(record: SessionRecord): string {
  const { version, touchedAt, createdAt, authenticatedAt, remember, flash } = record;
  const facts = [version, expiryOf(record), touchedAt, createdAt, authenticatedAt, remember, flash];
  return `${JSON.stringify(facts).slice(0, -1)},\n${userOf(record.userId)}]\n${record.data}`;
}

/** When the record expires. What is too far away for Redis is as far away as it can be. */
export function expiryOf({ expiresAt }: Pick<SessionRecord, "expiresAt">): number {
  return Math.min(expiresAt, Number.MAX_SAFE_INTEGER);
}

/** What stands for a user in texts and in keys: JSON, which is the same for no two of them. */
export function userOf(userId: string | null): string {
  return JSON.stringify(userId);
}

/** What the scripts can read; `find` in redis-scripts.ts has the same pattern. */
const HEAD = /^\[(\d+),(-?\d+\.?\d*),-?\d+\.?\d*,[^\n]*,\n[^\n]*\]\n/;

type Facts = [
  version: number,
  expiresAt: number,
  touchedAt: number,
  createdAt: number,
  authenticatedAt: number | null,
  remember: number | null,
  flash: string | null,
  userId: string | null,
];

/**
 * The record in a text. Of a text that holds none, a record whose data nobody can read either: it is
 * for the session layer to say so, and to go on without.
 */
export function recordOf(text: string, now: number): SessionRecord {
  const [head = "", version = 0, expiresAt = Number.MAX_SAFE_INTEGER] = HEAD.exec(text) ?? [];
  const facts = factsOf(head);
  return facts === undefined
    ? unreadable(now, Number(version), Number(expiresAt))
    : { ...facts, data: text.slice(head.length) };
}

function factsOf(head: string): Omit<SessionRecord, "data"> | undefined {
  try {
    const [version, expiresAt, touchedAt, createdAt, authenticatedAt, remember, flash, userId] =
      JSON.parse(head) as Facts;
    return {
      flash,
      version,
      createdAt,
      touchedAt,
      expiresAt,
      userId,
      authenticatedAt,
      remember,
    };
  } catch {
    return undefined;
  }
}

/** What stands for a session that cannot be read. */
export function unreadable(
  now: number,
  version = 0,
  expiresAt = Number.MAX_SAFE_INTEGER,
): SessionRecord {
  return { ...NEW_RECORD, data: "", version, createdAt: now, touchedAt: now, expiresAt };
}
