import { createId, hashId } from "../session/id.ts";
import type { SessionRecord } from "../store/record.ts";
import { NEW_RECORD } from "../store/record.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An id as a backend sees it, never the same twice. */
export function randomId(): string {
  return hashId(createId());
}

/** A live record that nobody has logged into. */
export function recordOf(facts: Partial<SessionRecord> = {}, now = Date.now()): SessionRecord {
  const times = { createdAt: now, touchedAt: now, expiresAt: now + HOUR };
  return { ...NEW_RECORD, ...times, data: '{"visits":1}', ...facts };
}

/** A record whose time is over: it is absent, whether or not a sweep has been by. */
export function expiredRecord(facts: Partial<SessionRecord> = {}, now = Date.now()): SessionRecord {
  const times = { createdAt: now - HOUR, touchedAt: now - HOUR, expiresAt: now - MINUTE };
  return recordOf({ ...times, ...facts }, now);
}
