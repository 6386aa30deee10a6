import type { RedisLike } from "./connection.ts";

/** How long an answer about the server's clock is relied on, in milliseconds. */
const GOOD_FOR = 60_000;

/** Knows what the clock of a Redis server shows. */
export class RedisClock {
  readonly #redis: RedisLike;
  #lead = 0;
  #goodUntil = -Infinity;

  constructor(redis: RedisLike) {
    this.#redis = redis;
  }

  /** What the server's clock shows at a moment of `performance.now()`, in Unix milliseconds. */
  async at(moment: number): Promise<number> {
    if (performance.now() >= this.#goodUntil) await this.#ask();
    return Math.floor(moment + this.#lead);
  }

  /** Asks anew next time: the clock was set, or the server is another. */
  forget(): void {
    this.#goodUntil = -Infinity;
  }

  async #ask(): Promise<void> {
    const [seconds, microseconds] = (await this.#redis.send("TIME", [])) as [string, string];
    const now = performance.now();
    this.#lead = Number(seconds) * 1000 + Number(microseconds) / 1000 - now;
    this.#goodUntil = now + GOOD_FOR;
  }
}
