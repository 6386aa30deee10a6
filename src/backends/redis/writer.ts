import type { MaybePromise } from "../../store/maybe-promise.ts";
import { andThen } from "../../store/maybe-promise.ts";
import { ServerClock } from "../server-clock.ts";
import type { RedisLike } from "./connection.ts";
import { isReply, NotSent } from "./errors.ts";
import type { Script } from "./scripts.ts";

/**
 * Runs scripts that change something, and never late: when a script is reported as failed, it has
 * either been carried out or never will be.
 *
 * A network may deliver a command long after its failure was reported: a failed logout, for
 * example, would end the session in which the user has bought something since. So each script
 * carries a deadline after which it does nothing, and if the outcome is unknown, the failure is
 * reported only at the deadline.
 */
export class RedisWriter {
  readonly #redis: RedisLike;
  readonly #clock: ServerClock;
  readonly #timeout: number;

  /** `timeout` is how long, in milliseconds, a script may take to reach the server. */
  constructor(redis: RedisLike, timeout: number) {
    this.#redis = redis;
    this.#clock = new ServerClock(async () => {
      const [seconds, microseconds] = (await redis.send("TIME", [])) as [string, string];
      return Number(seconds) * 1000 + Number(microseconds) / 1000;
    });
    this.#timeout = timeout;
  }

  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const deadline = performance.now() + this.#timeout;
    try {
      return await this.#runBefore(deadline, script, keys, args);
    } catch (error) {
      if (!isReply(error, "LATE")) throw error;
      // Unless this process's clock agrees, the server's clock was set, or another server has taken
      // over.
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
