import type { SessionRecord } from "../store/record.ts";

/** The version of the row that a forwarding note is. No session has it, so no write matches it. */
export const NOTE_VERSION = -1;

/**
 * Whether a record differs from the one before it in its contents only, as most do. Columns with an
 * index, which cost the most, are then left alone.
 */
export function hasSameFacts(record: SessionRecord, old: SessionRecord): boolean {
  return (
    record.expiresAt === old.expiresAt &&
    record.touchedAt === old.touchedAt &&
    record.createdAt === old.createdAt &&
    record.userId === old.userId &&
    record.authenticatedAt === old.authenticatedAt &&
    record.remember === old.remember &&
    record.label === old.label
  );
}
