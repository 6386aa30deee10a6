import { isPromise } from "../store/maybe-promise.ts";

/**
 * What happens to sessions, for logs and metrics. `handle` names a session towards
 * `sessions.revoke()` and opens nothing; no event carries an id or a session's data.
 */
export type SessionEvent =
  /** A session was stored for the first time. */
  | { readonly type: "created"; readonly handle: string; readonly userId: string | null }
  /** A session got a new id: `regenerate()` or `login()`. */
  | {
      readonly type: "rotated";
      readonly handle: string;
      readonly from: string;
      readonly userId: string | null;
    }
  /** A session was ended: `destroy()`, `revoke()` or, for all of a user's, `revokeAll()`. */
  | {
      readonly type: "destroyed";
      readonly handle: string | null;
      readonly userId: string | null;
      readonly count: number;
    }
  /** A cookie named a session whose time is over. */
  | { readonly type: "expired"; readonly handle: string }
  /** A cookie named no session: `malformed` never had the form of an id, `unknown` was not found. */
  | { readonly type: "rejected"; readonly reason: "malformed" | "unknown" }
  /** Two requests changed one session, and both changes were kept. */
  | { readonly type: "merged"; readonly handle: string }
  /** A request changed a session that had ended meanwhile. The change was dropped. */
  | { readonly type: "dropped"; readonly handle: string }
  /** Expired sessions were removed from the store. */
  | { readonly type: "swept"; readonly count: number }
  /** The store failed, or a stored session could not be read. */
  | { readonly type: "failed"; readonly operation: string; readonly error: unknown };

/** How often each event has happened since the manager was made. */
export type SessionStats = Record<SessionEvent["type"], number>;

/** Counts events and passes them on to `onEvent`. */
export class EventLog {
  readonly #counts: SessionStats = {
    created: 0,
    rotated: 0,
    destroyed: 0,
    expired: 0,
    rejected: 0,
    merged: 0,
    dropped: 0,
    swept: 0,
    failed: 0,
  };
  readonly #onEvent: ((event: SessionEvent) => void) | undefined;

  constructor(onEvent: ((event: SessionEvent) => void) | undefined) {
    this.#onEvent = onEvent;
  }

  /** An observer that throws is reported and otherwise ignored: it cannot fail a request. */
  emit(event: SessionEvent): void {
    this.#counts[event.type] += "count" in event ? event.count : 1;
    const report = (error: unknown): void => {
      console.error('onEvent threw while it was told of "%s":', event.type, error);
    };
    try {
      const answer: unknown = this.#onEvent?.(event);
      if (isPromise(answer)) answer.then(undefined, report);
    } catch (error) {
      report(error);
    }
  }

  stats(): SessionStats {
    return { ...this.#counts };
  }
}
