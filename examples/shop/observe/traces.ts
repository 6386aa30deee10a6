import { AsyncLocalStorage } from "node:async_hooks";

import type { SessionEvent } from "bunpie";

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
  readonly #events = new AsyncLocalStorage<SessionEvent[]>();

  /** Runs the handler of a request. */
  follow<Result>(answer: () => Result): Result {
    return this.#events.run([], answer);
  }

  /** For the sessions' `onEvent`. */
  noteEvent(event: SessionEvent): void {
    this.#events.getStore()?.push(event);
  }

  /** What the present request has done so far to a session with this data. */
  describe(request: string, data: object): Trace {
    const types = new Set(this.#events.getStore()?.map(({ type }) => type));
    const setsCookie = types.has("created") || types.has("rotated");
    const isStored = setsCookie || types.has("updated");
    const bytes = isStored ? Buffer.byteLength(JSON.stringify(data)) : undefined;
    return { request, bytes, setsCookie };
  }
}
