import { createId, hashId } from "../session/id.ts";
import type { SessionRecord } from "../store/record.ts";
import { NEW_RECORD } from "../store/record.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A unique id, as a backend sees it. */
export function randomId(): string {
  return hashId(createId());
}

/** Makes a live record of an anonymous session. */
export function makeRecord(facts: Partial<SessionRecord> = {}, now = Date.now()): SessionRecord {
  const times = { createdAt: now, touchedAt: now, expiresAt: now + HOUR };
  return { ...NEW_RECORD, ...times, data: '{"visits":1}', ...facts };
}

/** Makes an expired record: it is absent, whether or not a sweep has removed it. */
export function makeExpiredRecord(
  facts: Partial<SessionRecord> = {},
  now = Date.now(),
): SessionRecord {
  const times = { createdAt: now - HOUR, touchedAt: now - HOUR, expiresAt: now - MINUTE };
  return makeRecord({ ...times, ...facts }, now);
}
