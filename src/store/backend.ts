import type { MaybePromise } from "./maybe-promise.ts";

/** Default idle timeout of a session, in seconds: eight hours. */
export const SESSION_TIMEOUT = 8 * 60 * 60;

/** What a session holds: values that survive a JSON round trip. */
export type SessionData = Record<string, unknown>;

/**
 * Where sessions are kept: two methods, synchronous or not. `sessionId` is the SHA-256 of the id in
 * the cookie; a backend never sees an id that anyone could use. Data is passed by value: changing
 * an object afterwards does not change what is stored.
 *
 * A backend of these two methods is safe inside one process. Between processes, two requests that
 * write the same session within the same few milliseconds can still overwrite each other: to
 * prevent that, extend {@link SessionStore}.
 */
export interface SessionBackend {
  /** The session's data. `{}`, `null` and `undefined` all mean that there is no such session. */
  load(sessionId: string): MaybePromise<SessionData | null | undefined>;

  /**
   * Stores the data for `timeout` seconds, replacing what was stored before. Empty data, or a
   * timeout of 0, deletes the session.
   */
  save(sessionId: string, data: SessionData, timeout: number): MaybePromise<unknown>;
}
