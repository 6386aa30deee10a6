import { channel } from "node:diagnostics_channel";

import type { StoreUse } from "../store/guarded-store.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { escapeError } from "./log.ts";

/**
 * What happens to sessions, for logs and metrics. `handle` identifies a session for
 * `sessions.revoke()` and opens nothing; no event carries an id or a session's data. Every event is
 * also published on the channel `bunpie:session` of `node:diagnostics_channel`.
 */
export type SessionEvent =
  /** A session was stored for the first time. */
  | { readonly type: "created"; readonly handle: string; readonly userId: string | null }
  /** Changes to a session were stored. */
  | { readonly type: "updated"; readonly handle: string }
  /** A session was given a new id by `regenerate()` or `login()`; `from` is its former handle. */
  | {
      readonly type: "rotated";
      readonly handle: string;
      readonly from: string;
      readonly userId: string | null;
    }
  /**
   * `count` sessions were ended: by `destroy()`, by a handler that emptied one, by `revoke()`, by a
   * login beyond `maxPerUser`, or by `revokeAll()`, which sends one event per step. `handles`
   * includes the former handles of a session that was rotated meanwhile.
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
   * A cookie opened no session. `malformed`: it does not have the form of an id. `unknown`: the
   * store has no such session. `superseded`: it holds the former id of a session that has a new
   * one. `ambiguous`: several cookies of the name each opened a live session.
   */
  | {
      readonly type: "rejected";
      readonly reason: "malformed" | "unknown" | "superseded" | "ambiguous";
    }
  /** Two requests changed one session at the same time, and both changes were kept. */
  | { readonly type: "merged"; readonly handle: string }
  /** The same, but both changed these keys: the values of the earlier write are lost. */
  | { readonly type: "overwritten"; readonly handle: string; readonly keys: readonly string[] }
  /**
   * A change was dropped: the session has ended or has another id, or another site's page caused
   * the request and the change would have begun a session. In the latter case there is no handle.
   */
  | { readonly type: "dropped"; readonly handle: string | null }
  /** `count` expired sessions and forwarding notes were removed from the store. */
  | { readonly type: "swept"; readonly count: number }
  /** The store failed, or a stored session could not be read. */
  | { readonly type: "failed"; readonly operation: string; readonly error: unknown };

/**
 * How often each event has occurred since the manager was created, and how the store was used.
 * `destroyed` and `swept` are the sums of their `count`.
 */
export type SessionStats = Record<SessionEvent["type"], number> & {
  /** Count and times of the store's reads. */
  readonly loads: StoreUse;
  /** Count and times of the store's writes. */
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

  /** `onEvent` is the app's; `watch` is called before it and must not throw. */
  constructor(
    onEvent: ((event: SessionEvent) => void) | undefined,
    watch?: (event: SessionEvent) => void,
  ) {
    this.#onEvent = onEvent;
    this.#watch = watch;
  }

  /** What `onEvent` throws is logged and does not fail the request. */
  emit(event: SessionEvent): void {
    this.#counts[event.type] += "count" in event ? event.count : 1;
    this.#watch?.(event);
    if (CHANNEL.hasSubscribers) CHANNEL.publish(event);
    if (this.#onEvent !== undefined) notify(this.#onEvent, event);
  }

  /** How often each event has occurred; `destroyed` and `swept` count sessions. */
  get counts(): Readonly<Record<SessionEvent["type"], number>> {
    return { ...this.#counts };
  }
}

function notify(onEvent: (event: SessionEvent) => void, event: SessionEvent): void {
  const report = (error: unknown): void => {
    console.error('onEvent failed for the event "%s":', event.type, escapeError(error));
  };
  try {
    const answer: unknown = onEvent(event);
    if (isPromise(answer)) answer.then(undefined, report);
  } catch (error) {
    report(error);
  }
}
