import type { MaybePromise } from "../store/maybe-promise.ts";

/** How long a reading of a server's clock is reused, in milliseconds. */
const GOOD_FOR = 60_000;

/** Estimates the time on a server's clock. */
export class ServerClock {
  readonly #ask: () => Promise<number>;
  #lead = 0;
  #goodUntil = -Infinity;

  /** `ask` fetches the server's time, in Unix milliseconds. */
  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  /**
   * The server's time at a moment of `performance.now()`, in Unix milliseconds. It is never ahead
   * of the server's clock, and behind it by at most the time that the server's answer took to
   * arrive.
   */
  at(moment: number): MaybePromise<number> {
    return performance.now() < this.#goodUntil
      ? Math.floor(moment + this.#lead)
      : this.#look().then(() => Math.floor(moment + this.#lead));
  }

  /** Discards the last reading: the clock was set, or another server has taken over. */
  forget(): void {
    this.#goodUntil = -Infinity;
  }

  async #look(): Promise<void> {
    const time = await this.#ask();
    const now = performance.now();
    this.#lead = time - now;
    this.#goodUntil = now + GOOD_FOR;
  }
}
