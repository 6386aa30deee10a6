import type { ForwardingNote, SessionRecord } from "../../store/record.ts";
import { isNote } from "../../store/record.ts";

/** The strings of a record. */
type Texts = Pick<SessionRecord, "data" | "flash" | "userId" | "label">;

/** An entry without its strings, including its slots in the map and the heap. */
const ENTRY_BYTES = 140;

/**
 * A user's list, including its slot in the map of users. Counted for each of the user's sessions,
 * as if it were the only one.
 */
const USER_BYTES = 120;

/** A string without its characters. */
const TEXT_BYTES = 72;

/** A shorter string is counted as two bytes per character: scanning it would cost more time. */
const SCANNED_LENGTH = 128;

/**
 * The memory that an entry takes, in bytes: 0.9 to 1.25 times what was measured on Bun 1.4.5, and
 * more for a user's further sessions. It depends only on the strings, so the same entry always
 * counts the same.
 */
export function countBytes(id: string, content: SessionRecord | ForwardingNote): number {
  const bytes = ENTRY_BYTES + countText(id);
  if (isNote(content)) return bytes + countText(content.supersededBy);
  const { data, flash, userId, label } = content;
  return bytes + countText(data) + countNullable(flash) + countNullable(label) + countUser(userId);
}

/** How many more bytes a record takes than the previous one under the same id. */
export function countGrowth(old: Texts, record: Texts): number {
  let growth = 0;
  if (old.data !== record.data) growth += countText(record.data) - countText(old.data);
  if (old.flash !== record.flash) growth += countNullable(record.flash) - countNullable(old.flash);
  if (old.label !== record.label) growth += countNullable(record.label) - countNullable(old.label);
  if (old.userId !== record.userId) growth += countUser(record.userId) - countUser(old.userId);
  return growth;
}

function countUser(userId: string | null): number {
  return userId === null ? 0 : USER_BYTES + countText(userId);
}

function countNullable(text: string | null): number {
  return text === null ? 0 : countText(text);
}

function countText(text: string): number {
  const { length } = text;
  // One character outside Latin-1 makes every character of a string two bytes wide. Any character
  // outside ASCII is counted as if it did: counting UTF-8 bytes is 50 times as fast as searching
  // for it.
  const isNarrow = length >= SCANNED_LENGTH && Buffer.byteLength(text) === length;
  const bytes = isNarrow ? length : 2 * length;
  // The allocator's size classes are up to a quarter apart.
  return TEXT_BYTES + bytes + (bytes >> 2);
}
