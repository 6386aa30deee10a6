import { AsyncLocalStorage } from "node:async_hooks";

import type { AppRequest, SessionEvent } from "bunpie";

import type { ShopSession } from "../session.ts";

/** What one request did to its visitor's session. */
export interface Trace {
  /** `POST /add`. */
  readonly request: string;
  /** The size of the data that it stored, in bytes of JSON; `undefined` if it stored nothing. */
  readonly bytes: number | undefined;
  /** Whether the session got a new id, so that the response sets the cookie. */
  readonly setsCookie: boolean;
}

/** Observes what a request does to its session, by the events emitted meanwhile. */
export class Traces {
  readonly #running = new AsyncLocalStorage<SessionEvent[]>();
  /** For error pages, which are made after the handler has thrown. */
  readonly #events = new WeakMap<AppRequest<ShopSession>, SessionEvent[]>();

  /** Runs the handler of a request. */
  follow<Result>(request: AppRequest<ShopSession>, answer: () => Result): Result {
    const events: SessionEvent[] = [];
    this.#events.set(request, events);
    return this.#running.run(events, answer);
  }

  /** For the sessions' `onEvent`. */
  noteEvent(event: SessionEvent): void {
    this.#running.getStore()?.push(event);
  }

  /** What a request has done so far to its session. */
  describe(request: AppRequest<ShopSession>): Trace {
    const types = new Set(this.#events.get(request)?.map(({ type }) => type));
    const setsCookie = types.has("created") || types.has("rotated");
    const isStored = setsCookie || types.has("updated");
    const bytes = isStored ? Buffer.byteLength(JSON.stringify(request.session)) : undefined;
    return { request: `${request.method} ${request.path}`, bytes, setsCookie };
  }
}
