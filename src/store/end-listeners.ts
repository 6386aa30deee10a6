import type { EndListener, StopWatching } from "./session-store.ts";

/** The listeners that are called when sessions end. */
export class EndListeners {
  readonly #listeners = new Set<{ readonly call: EndListener }>();

  /** Returns a function that removes the listener. */
  add(call: EndListener): StopWatching {
    const entry = { call };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /**
   * Calls every listener with the ids of sessions that have ended; without ids, some may have
   * ended.
   */
  tell(ids?: readonly string[]): void {
    for (const { call } of this.#listeners) call(ids);
  }
}
