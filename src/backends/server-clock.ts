import type { MaybePromise } from "../store/maybe-promise.ts";

/** How long an answer about a server's clock is relied on, in milliseconds. */
const GOOD_FOR = 60_000;

/** Knows what the clock of a server shows. */
export class ServerClock {
  readonly #ask: () => Promise<number>;
  #lead = 0;
  #goodUntil = -Infinity;

  /** `ask` gets the time from the server, in Unix milliseconds. */
  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  /**
   * What the server's clock shows at a moment of `performance.now()`, in Unix milliseconds: never later
   * than that, and earlier by as much as the server's answer took to get here.
   */
  at(moment: number): MaybePromise<number> {
    return performance.now() < this.#goodUntil
      ? Math.floor(moment + this.#lead)
      : this.#look().then(() => Math.floor(moment + this.#lead));
  }

  /** Asks anew next time: the clock was set, or the server is another. */
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
