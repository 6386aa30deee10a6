import type { EndListener, StopWatching } from "./session-store.ts";

/** Those who want to know which sessions end. */
export class EndListeners {
  readonly #listeners = new Set<{ readonly call: EndListener }>();

  /** Returns what takes the listener out again. */
  add(call: EndListener): StopWatching {
    const entry = { call };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Tells all of them which sessions have ended; without ids, that some may have. */
  tell(ids?: readonly string[]): void {
    for (const { call } of this.#listeners) call(ids);
  }
}
