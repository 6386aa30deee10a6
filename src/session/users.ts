import type { SessionInfo } from "../store/record.ts";

/** One of a user's sessions, as `sessions.list()` returns it. */
export interface ListedSession extends SessionInfo {
  /** Whether this is the session whose handle was passed as `current`. */
  readonly current: boolean;
}

/** Options of `sessions.list()`. */
export interface ListOptions {
  /** The handle of the visitor's own session, `session.meta.handle`; none by default. */
  readonly current?: string | null;
}

/** Options of `sessions.revokeAll()`. */
export interface RevokeAllOptions {
  /**
   * The handle of one session to keep; none by default. Pass `session.meta.handle` to sign the user
   * out everywhere else.
   */
  readonly except?: string | null;
}
