import { isPromise } from "../store/maybe-promise.ts";
import type { SessionTimes } from "../store/record.ts";
import type { Life } from "./life.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { escapeError } from "./log.ts";
import type { SomeOpenSession } from "./open-session.ts";

/**
 * Why a session has ended. `destroyed`: by `destroy()`, `revoke()`, `revokeAll()`, a login beyond
 * `maxPerUser`, or a handler that emptied it. `superseded`: another request gave it a new id.
 * `expired`: its idle timeout or absolute lifetime has passed.
 */
export type SessionEnd = "destroyed" | "superseded" | "expired";

type Listener = (reason: SessionEnd) => unknown;

/** A session that a request has open, with the listeners for its end. */
interface Watched {
  readonly open: SomeOpenSession;
  readonly life: Life;
  readonly listeners: Set<{ readonly call: Listener }>;
  /** The session's key in the store; `undefined` before it is stored, and after its end. */
  key: string | undefined;
  /** Why the session under the key has ended, while a login() may still replace it by another. */
  ended: SessionEnd | undefined;
}

/** All watchers of one stored session. */
interface Place {
  readonly watched: Set<Watched>;
  /** When the session expires, in Unix milliseconds, as far as is known. */
  endsAt: number;
}

/** The sessions whose end is listened for, by their keys in the store. */
export class Watchlist {
  readonly #lifetimes: Lifetimes;
  readonly #now: () => number;
  readonly #lives = new WeakMap<Life, Watched>();
  readonly #places = new Map<string, Place>();
  /** Keys on the list that were not read since they were added. */
  readonly #added = new Set<string>();
  /** No session on the list expires before this time, in Unix milliseconds. */
  #firstEnd = Infinity;
  #isUsed = false;

  constructor(lifetimes: Lifetimes, now: () => number) {
    this.#lifetimes = lifetimes;
    this.#now = now;
  }

  /** How many stored sessions are on the list. */
  get size(): number {
    return this.#places.size;
  }

  /** The keys of all sessions on the list, which the caller reads. */
  takeAll(): readonly string[] {
    this.#added.clear();
    return [...this.#places.keys()];
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  /**
   * Calls `listener` once, when the handler's present session ends. Returns a function that removes
   * the listener.
   */
  add(open: SomeOpenSession, listener: Listener): () => void {
    const { life } = open;
    this.#isUsed = true;
    const watched = this.#lives.get(life) ?? createWatched(open, life);
    this.#lives.set(life, watched);
    const entry = { call: listener };
    watched.listeners.add(entry);
    this.#settle(watched);
    return () => {
      watched.listeners.delete(entry);
      if (watched.listeners.size === 0) this.#forget(watched);
    };
  }

  /**
   * Called after a request's own write, which may have stored, renamed or ended its session, and
   * after a request that has failed.
   */
  follow(life: Life): void {
    const watched = this.#isUsed ? this.#lives.get(life) : undefined;
    if (watched !== undefined) this.#settle(watched);
  }

  /** Records when the session under a key expires, by what the store returned. */
  prolong(key: string, times: SessionTimes): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    place.endsAt = this.#lifetimes.findEnd(times);
    this.#firstEnd = Math.min(this.#firstEnd, place.endsAt);
  }

  /**
   * The keys of sessions that may have ended, which the caller reads: they have expired unless
   * another process has used them, or may have ended before they were added.
   */
  takeDoubtful(): readonly string[] {
    const doubtful = new Set([...this.#added, ...this.#findExpired()]);
    this.#added.clear();
    return [...doubtful];
  }

  /** Whether a session has expired, unless another process has used it. */
  seemsExpired(key: string): boolean {
    return (this.#places.get(key)?.endsAt ?? Infinity) <= this.#now();
  }

  /** Calls the listeners of the session under this key, which has ended. */
  end(key: string, reason: SessionEnd): void {
    for (const watched of this.#places.get(key)?.watched ?? []) this.#end(watched, reason);
  }

  /**
   * Like {@link end}, but spares a request that has itself given its open session a new id and has
   * not yet taken over the result: for that request the session goes on.
   */
  async endForOthers(key: string, reason: SessionEnd): Promise<void> {
    const places = [...(this.#places.get(key)?.watched ?? [])];
    await Promise.all(
      places.map(async (watched) => {
        // A synchronous store's notice arrives before the request takes over the result, in this
        // turn.
        await undefined;
        await Promise.allSettled([watched.open.turn]);
        if (watched.key === key) this.#end(watched, reason);
      }),
    );
  }

  /** Empties the list without calling any listener. */
  clear(): void {
    for (const { watched } of this.#places.values()) for (const each of watched) this.#forget(each);
  }

  #findExpired(): readonly string[] {
    const now = this.#now();
    if (now < this.#firstEnd) return [];
    const places = [...this.#places];
    this.#firstEnd = places.reduce((first, [, { endsAt }]) => Math.min(first, endsAt), Infinity);
    return places.filter(([, { endsAt }]) => endsAt <= now).map(([key]) => key);
  }

  /** Updates the list by where the session is now. */
  #settle(watched: Watched): void {
    const { place } = watched.life;
    const { key } = watched;
    switch (place.at) {
      case "store":
        if (key !== place.key) this.#put(watched, place.key);
        if (watched.ended !== undefined) this.#end(watched, watched.ended);
        return this.prolong(place.key, place.record);
      case "superseded":
        return this.#end(watched, "superseded");
      case "ended": {
        const isExpired = key !== undefined && this.seemsExpired(key);
        return this.#end(watched, isExpired ? "expired" : "destroyed");
      }
      case "nowhere":
      case "lapsed":
        // With a key, its handler has emptied it. Without one, it is not stored yet.
        if (key !== undefined) this.#end(watched, "destroyed");
    }
  }

  #put(watched: Watched, key: string): void {
    this.#remove(watched);
    watched.key = key;
    watched.ended = undefined;
    this.#added.add(key);
    const place = this.#places.get(key);
    if (place === undefined) {
      this.#places.set(key, { watched: new Set([watched]), endsAt: Infinity });
    } else place.watched.add(watched);
  }

  #end(watched: Watched, reason: SessionEnd): void {
    const { open, life } = watched;
    if (open.life === life && open.isLoggingIn) {
      watched.ended ??= reason;
      return;
    }
    this.#forget(watched);
    const listeners = [...watched.listeners];
    watched.listeners.clear();
    // Deferred, because this may be in the middle of a write, and a listener may use the session.
    const first = watched.ended ?? reason;
    for (const { call } of listeners) queueMicrotask(() => notify(call, first));
  }

  #forget(watched: Watched): void {
    this.#remove(watched);
    // A listener that was added since may have made another entry.
    if (this.#lives.get(watched.life) === watched) this.#lives.delete(watched.life);
  }

  #remove(watched: Watched): void {
    const { key } = watched;
    if (key === undefined) return;
    watched.key = undefined;
    const place = this.#places.get(key);
    place?.watched.delete(watched);
    if (place?.watched.size !== 0) return;
    this.#places.delete(key);
    this.#added.delete(key);
  }
}

function createWatched(open: SomeOpenSession, life: Life): Watched {
  return { open, life, listeners: new Set(), key: undefined, ended: undefined };
}

/** Reports what a listener throws, so that the other listeners are still called. */
function notify(call: Listener, reason: SessionEnd): void {
  try {
    const answer = call(reason);
    if (isPromise(answer)) answer.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

function report(error: unknown): void {
  console.error("A listener of sessions.onEnd() threw:", escapeError(error));
}
