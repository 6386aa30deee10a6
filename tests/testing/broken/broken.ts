import type { SessionBackend } from "../../../src/store/backend.ts";

/** A backend with one fault, and the tests that have to tell of it. */
export interface Broken {
  /** What is wrong with it. */
  readonly fault: string;
  readonly create: (now: () => number) => SessionBackend;
  /**
   * The tests that fail, and no others: what a sentence is written on, and the sentence. One that is
   * no test's name stands for all those that it is the beginning of.
   */
  readonly red: readonly string[];
  /** On a busy machine other tests fail too: its sessions are gone before they have looked. */
  readonly isBrief?: boolean;
}

// What tells most often.
export const ATOMIC = "SessionStore > every write is atomic, across all processes that share it";
export const NEVER =
  "SessionStore > A method that cannot do its work throws or rejects; it never answers as if there were no session";
export const CLOCK = "SessionStore > Takes the clock that decides what has expired";
export const MOMENT = "SessionRecord.expiresAt > From that moment on it is absent";
export const NEVER_THEIRS = "SessionStore.deleteAll > never `exceptId`";
export const IDS_REMOVED =
  "SessionStore.deleteAll > Returns the ids of the sessions that it removed";
export const NOT_CREATED =
  "SessionStore.create > `false`: a live record or note has this id, and stays as it was";
export const REPLACED = "SessionStore.replace > Puts the record in the place of `old`";
export const NOT_REPLACED =
  "SessionStore.replace > `false`: `old` is gone, has expired or has another version, and nothing was changed";
export const CHANGED =
  "SessionStore.replace > A store need not write what it can see from `old` to be unchanged: unlike";
export const NOTE = "ForwardingNote > A note opens nothing, and is no session";
export const NOTE_LEFT = "SessionStore.rotate > leaves a forwarding note there for 30 seconds";
export const ONE_STEP =
  "SessionStore.rotate > as one step: whoever reads meanwhile finds the record, or the note and where it leads";
export const NOTE_NAMES = "ForwardingNote > it names the session that has taken its place";
export const NOTE_ID =
  "ForwardingNote.supersededBy > The id, as the store knows it, that the session was rotated to";
export const NOTE_EXPIRES =
  "ForwardingNote.expiresAt > When the note expires, in Unix milliseconds: NOTE_LIFETIME after the rotation";
export const NOTE_READ =
  "SessionStore.read > the forwarding note that `rotate` has left in its place";
export const ROTATED = "SessionStore.rotate > Puts the record under a new id";
export const OLD_REMOVED = "SessionStore.rotate > removes `old` from its own";
export const NO_SUCCESSOR = "SessionStore.delete > otherwise returns `undefined`";
export const LABEL = "SessionRecord.label > What the app calls the session in a user's list";
export const LONG_LABEL = "SessionRecord.label > at most 255 characters: 255 of them";
export const NOTE_DELETED =
  "SessionStore.delete > Where a forwarding note is, removes that and returns the id that it names";
export const NOT_MISSED =
  "SessionStore.delete > It never misses a session that a `rotate` moves at the same time";
export const NO_ERROR = "SessionStore.delete > it is no error if there is none";
export const INFO = "SessionInfo > One of a user's sessions, as `list` returns it";
export const LIMITED = "SessionStore.list > at most `limit` of them";
export const ORDER = "SessionStore.list > the most recently touched first";
export const DELETES_ALL =
  "SessionStore.deleteAll > Removes at most `limit` of the user's sessions";
export const NONE_LEFT = "SessionStore.deleteAll > none only if none was left";
export const NOT_ROTATED =
  "SessionStore.rotate > `false`: `old` is gone, has expired or has another version, or the new id is taken, and nothing was changed";
export const NOT_TOUCHED = "SessionStore.touch > `false`: the record is gone or has expired";
export const LISTED = "SessionStore.list > The user's live sessions";
export const LEFT = "SessionStore.sweep > Leaves those that expired after `before`";
export const SWEPT = "SessionStore.sweep > Removes at most `limit` expired records and notes";
export const STORE_SAVES =
  "SessionStore.save > Keeps the data for `timeout` seconds, whatever was kept before";
export const SAVES =
  "SessionRecord.version > Grows by one with every write: with each `save` of many at once";
export const VALUES = "SessionData > values that JSON gives back as they were";
export const IDS =
  "SessionBackend > `sessionId` is the SHA-256 of the id in the cookie: two that differ in the case of a letter are two";
export const KEEPS = "SessionBackend.save > Keeps the data for `timeout` seconds";
export const DELETES = "SessionBackend.save > Empty data, or a timeout of 0, deletes the session";
export const REMEMBER =
  "SessionRecord.remember > The idle timeout, in seconds, of a session that is to outlive the browser";

export const ROTATED_WHOLE = `${ROTATED}: with every fact that has changed`;
export const AFTER_WRITES = `${ORDER}: after a touch, a replace and a rotate`;
export const NOTE_SWEPT = `${SWEPT}: a note like any record`;

export function latin1(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
