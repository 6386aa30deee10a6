import { channel } from "node:diagnostics_channel";

import type { StoreUse } from "../store/guarded-store.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { escapeError } from "./log.ts";

/**
 * What happens to sessions, for logs and metrics. `handle` names a session towards
 * `sessions.revoke()` and opens nothing; no event carries an id or a session's data. Every event is
 * also published on the channel `bunpie:session` of `node:diagnostics_channel`.
 */
export type SessionEvent =
  /** A session was stored for the first time. */
  | { readonly type: "created"; readonly handle: string; readonly userId: string | null }
  /** What a session holds was stored anew. */
  | { readonly type: "updated"; readonly handle: string }
  /** A session got a new id: `regenerate()` or `login()`. */
  | {
      readonly type: "rotated";
      readonly handle: string;
      readonly from: string;
      readonly userId: string | null;
    }
  /**
   * Sessions were ended: by `destroy()`, by a handler that emptied one, by `revoke()`, by
   * `revokeAll()`, in steps, or by a login beyond `maxPerUser`. `handles` are their own and, where one
   * was rotated on the way, its earlier ones.
   */
  | {
      readonly type: "destroyed";
      readonly handles: readonly string[];
      readonly userId: string | null;
      readonly count: number;
    }
  /** A cookie named a session that has expired. */
  | { readonly type: "expired"; readonly handle: string }
  /**
   * A cookie opened no session. `malformed` never had the form of an id, `unknown` was not found,
   * `superseded` is the earlier id of a session that has another one by now, and of `ambiguous` ones
   * there were several that each named a live session.
   */
  | {
      readonly type: "rejected";
      readonly reason: "malformed" | "unknown" | "superseded" | "ambiguous";
    }
  /** Two requests changed one session at once, and both changes were kept. */
  | { readonly type: "merged"; readonly handle: string }
  /** The same, but both changed these keys: the values of the earlier one are lost. */
  | { readonly type: "overwritten"; readonly handle: string; readonly keys: readonly string[] }
  /**
   * A change was dropped: its session has ended or has another id, or it came from another site's page
   * and would have begun a session. Then there is no handle.
   */
  | { readonly type: "dropped"; readonly handle: string | null }
  /** Expired sessions were removed from the store. */
  | { readonly type: "swept"; readonly count: number }
  /** The store failed, or a stored session could not be read. */
  | { readonly type: "failed"; readonly operation: string; readonly error: unknown };

/** How often each event has happened since the manager was made, and how the store was used. */
export type SessionStats = Record<SessionEvent["type"], number> & {
  /** How often sessions were read, and how long that took. */
  readonly loads: StoreUse;
  /** How often something was written, and how long that took. */
  readonly stores: StoreUse;
};

const CHANNEL = channel("bunpie:session");

/** Counts events and passes them on to `onEvent` and to subscribers of the channel. */
export class EventLog {
  readonly #counts: Record<SessionEvent["type"], number> = {
    created: 0,
    updated: 0,
    rotated: 0,
    destroyed: 0,
    expired: 0,
    rejected: 0,
    merged: 0,
    overwritten: 0,
    dropped: 0,
    swept: 0,
    failed: 0,
  };
  readonly #onEvent: ((event: SessionEvent) => void) | undefined;
  readonly #watch: ((event: SessionEvent) => void) | undefined;

  /** `onEvent` is the app's; `watch` is told first, and must not throw. */
  constructor(
    onEvent: ((event: SessionEvent) => void) | undefined,
    watch?: (event: SessionEvent) => void,
  ) {
    this.#onEvent = onEvent;
    this.#watch = watch;
  }

  /** An observer that throws is reported and otherwise ignored: it cannot fail a request. */
  emit(event: SessionEvent): void {
    this.#counts[event.type] += "count" in event ? event.count : 1;
    this.#watch?.(event);
    if (CHANNEL.hasSubscribers) CHANNEL.publish(event);
    if (this.#onEvent !== undefined) tell(this.#onEvent, event);
  }

  /** How often each has happened. */
  get counts(): Readonly<Record<SessionEvent["type"], number>> {
    return { ...this.#counts };
  }
}

function tell(onEvent: (event: SessionEvent) => void, event: SessionEvent): void {
  const report = (error: unknown): void => {
    console.error('onEvent threw while it was told of "%s":', event.type, escapeError(error));
  };
  try {
    const answer: unknown = onEvent(event);
    if (isPromise(answer)) answer.then(undefined, report);
  } catch (error) {
    report(error);
  }
}
