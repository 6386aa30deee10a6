import type { SessionRecord } from "../store/record.ts";

/**
 * The version of a forwarding note's row. No session has this version, so no write matches the row.
 */
export const NOTE_VERSION = -1;

/**
 * Whether a record differs from the previous one only in its contents, as most do. Indexed columns,
 * which cost the most to write, are then left alone.
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
