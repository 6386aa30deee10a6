import { AsyncLocalStorage } from "node:async_hooks";

import type { SomeOpenSession } from "../session/open-session.ts";
import type { SessionEnd } from "../session/watchlist.ts";
import type { ServerLike } from "./server-like.ts";

/** A request's visit, as far as what outlives its response needs it: a stream, an event stream, a socket. */
export interface Host {
  /** The request as Bun's server knows it. */
  readonly arrived: Request;
  readonly server: ServerLike | undefined;
  readonly open: SomeOpenSession | undefined;
  readonly site: {
    readonly live: LiveSet;
    /** For how many seconds a connection may be silent. */
    readonly idleTimeout: number;
    onSessionEnd(open: SomeOpenSession, listener: (reason: SessionEnd) => void): () => void;
  };
  report(error: unknown): void;
  /** Reports what was written to the session and the cookies when the headers had left, and stored nowhere. Never throws. */
  reportLost(): void;
}

/** The visit that is going on. One for all apps: each call answers one request at a time. */
export const hosts = new AsyncLocalStorage<Host>();

/** What outlives its response, and is told to end when the service does. */
export class LiveSet {
  readonly #members = new Set<() => void>();
  #isEnding = false;

  /** Calls `end` once, when the service ends: at once if it is ending. Returns what prevents that. */
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

/** Calls `listener` when the visit's session ends. Returns what prevents that. */
export function onSessionEnd(host: Host, listener: (reason: SessionEnd) => void): () => void {
  const { open, site } = host;
  return open === undefined ? noop : site.onSessionEnd(open, listener);
}

function noop(): void {}
