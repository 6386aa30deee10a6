import { AsyncLocalStorage } from "node:async_hooks";

import type { SomeOpenSession } from "../session/open-session.ts";
import type { SessionEnd } from "../session/watchlist.ts";
import type { ServerLike } from "./server-like.ts";

/** The part of a visit that outlives its response: for a stream, an event stream or a socket. */
export interface Host {
  /** The request as Bun's server knows it. */
  readonly arrived: Request;
  readonly server: ServerLike | undefined;
  readonly open: SomeOpenSession | undefined;
  readonly site: {
    readonly live: LiveSet;
    /** How long a connection may be silent, in seconds. */
    readonly idleTimeout: number;
    onSessionEnd(open: SomeOpenSession, listener: (reason: SessionEnd) => void): () => void;
  };
  report(error: unknown): void;
  /**
   * Reports changes of the session and the cookies that were made after the headers were sent, and
   * are stored nowhere. Never throws.
   */
  reportLost(): void;
}

/** The current visit. Shared by all apps: an async context handles one request at a time. */
export const hosts = new AsyncLocalStorage<Host>();

/** The streams and sockets that outlive their responses, to be ended when the service ends. */
export class LiveSet {
  readonly #members = new Set<() => void>();
  #isEnding = false;

  /**
   * Calls `end` once: when the service ends, or right away if it is ending. Returns a function that
   * prevents the call.
   */
  add(end: () => void): () => void {
    if (this.#isEnding) {
      queueMicrotask(end);
      return noop;
    }
    this.#members.add(end);
    return () => void this.#members.delete(end);
  }

  endAll(): void {
    this.#isEnding = true;
    const members = [...this.#members];
    this.#members.clear();
    for (const end of members) end();
  }
}

/** Calls `listener` when the visit's session ends. Returns a function that prevents the call. */
export function onSessionEnd(host: Host, listener: (reason: SessionEnd) => void): () => void {
  const { open, site } = host;
  return open === undefined ? noop : site.onSessionEnd(open, listener);
}

function noop(): void {}
