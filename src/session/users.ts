import type { SessionInfo } from "../store/record.ts";

/** One of a user's sessions, as `sessions.list()` returns it. */
export interface ListedSession extends SessionInfo {
  /** Whether it is the one named as `current`. */
  readonly current: boolean;
}

/** What may be said when a user's sessions are listed. */
export interface ListOptions {
  /** The handle of the session that asks: `session.meta.handle`. */
  readonly current?: string | null;
}

/** What may be said when a user's sessions are revoked. */
export interface RevokeAllOptions {
  /** The handle of a session to leave alone: `session.meta.handle` for "everywhere else". */
  readonly except?: string | null;
}
