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
}

// What tells most often.
export const ATOMIC = "SessionStore > every write is atomic, across all processes that share it";
export const NEVER =
  "SessionStore > One that cannot do its work throws or rejects; it never answers as if there were no session";
export const CLOCK = "SessionStore > Takes the clock that decides what has expired";
export const MOMENT = "SessionRecord.expiresAt > From that moment on it is absent";
export const NOT_CREATED =
  "SessionStore.create > `false`: a live record has this id, and stays as it was";
export const REPLACED =
  "SessionStore.replace > Puts the record in the place of the one with this version";
export const NOT_REPLACED =
  "SessionStore.replace > `false`: it is gone, has expired or has another version, and nothing was changed";
export const NOT_ROTATED =
  "SessionStore.rotate > `false`: the old one is gone, has expired or has another version, or the new id is taken; nothing was changed";
export const NOT_TOUCHED = "SessionStore.touch > `false`: the record is gone or has expired";
export const LISTED = "SessionStore.list > The user's live sessions";
export const SWEPT = "SessionStore.sweep > Removes at most `limit` expired records";
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

export function latin1(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
