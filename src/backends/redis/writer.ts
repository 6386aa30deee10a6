import type { MaybePromise } from "../../store/maybe-promise.ts";
import { andThen } from "../../store/maybe-promise.ts";
import { ServerClock } from "../server-clock.ts";
import type { RedisLike } from "./connection.ts";
import { isReply, NotSent } from "./errors.ts";
import type { Script } from "./scripts.ts";

/**
 * Runs scripts that change something, and none of them late: what is reported as failed has been
 * carried out by then, or never will be.
 *
 * A network may hold a command back and deliver it when everybody has long gone on: a logout, say,
 * that failed, and then ends the session in which the user has bought something meanwhile. So each
 * script is told the time from which on it must do nothing, and where it is open whether it was
 * carried out, its failure is not reported before that.
 */
export class RedisWriter {
  readonly #redis: RedisLike;
  readonly #clock: ServerClock;
  readonly #patience: number;

  /** `patience` is how long, in milliseconds, a script may take to reach the server. */
  constructor(redis: RedisLike, patience: number) {
    this.#redis = redis;
    this.#clock = new ServerClock(async () => {
      const [seconds, microseconds] = (await redis.send("TIME", [])) as [string, string];
      return Number(seconds) * 1000 + Number(microseconds) / 1000;
    });
    this.#patience = patience;
  }

  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const deadline = performance.now() + this.#patience;
    try {
      return await this.#runBefore(deadline, script, keys, args);
    } catch (error) {
      if (!isReply(error, "LATE")) throw error;
      // Unless it is late by our clock too, the server's was set, or the server is another.
      this.#clock.forget();
      return this.#runBefore(deadline, script, keys, args);
    }
  }

  #runBefore(
    deadline: number,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): MaybePromise<unknown> {
    return andThen(this.#clock.at(deadline), (latest) =>
      script
        .run(this.#redis, keys, [String(latest), ...args])
        .catch((error: unknown) => this.#settle(error, deadline)),
    );
  }

  async #settle(error: unknown, deadline: number): Promise<never> {
    const isSettled = isReply(error) || error instanceof NotSent;
    if (!isSettled) await Bun.sleep(Math.max(0, deadline - performance.now()));
    throw error;
  }
}
