import type { MaybePromise } from "../../store/maybe-promise.ts";
import { andThen } from "../../store/maybe-promise.ts";
import { ServerClock } from "../server-clock.ts";
import type { PostgresPool, Rows } from "./pool.ts";
import type { Statement } from "./statements.ts";

const CLOCK = { text: "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000", params: [] };

/** division_by_zero: the error of a statement whose deadline has passed. */
const LATE = "22012";

/**
 * Runs statements that change something, and never late: when a statement is reported as failed, it
 * has either been carried out or never will be.
 *
 * A network, a pooler or a lock may delay a statement until long after its failure was reported: a
 * failed logout, for example, would end the session in which the user has bought something since.
 * So each statement carries a deadline after which the server rolls it back. If the outcome is
 * unknown, the failure is reported only at the deadline, or earlier once the server is back and has
 * no connection left that could still carry it out.
 */
export class PostgresWriter {
  readonly #pool: Pick<PostgresPool, "run" | "settle">;
  readonly #clock: ServerClock;

  constructor(pool: Pick<PostgresPool, "run" | "settle">) {
    this.#pool = pool;
    this.#clock = new ServerClock(async () => {
      const [[time] = []] = await pool.run(CLOCK);
      return Number(time);
    });
  }

  /** `deadline` is a moment of `performance.now()`. */
  async run(
    statement: Statement,
    values: Record<string, unknown>,
    deadline: number,
  ): Promise<Rows> {
    try {
      return await this.#runBefore(deadline, statement, values);
    } catch (error) {
      if (!isLate(error)) throw error;
      // Unless this process's clock agrees, the server's clock was set, or another server has taken
      // over.
      this.#clock.forget();
    }
    try {
      return await this.#runBefore(deadline, statement, values);
    } catch (cause) {
      if (!isLate(cause)) throw cause;
      throw new Error("The statement reached PostgreSQL too late and was not carried out.", {
        cause,
      });
    }
  }

  #runBefore(
    deadline: number,
    statement: Statement,
    values: Record<string, unknown>,
  ): MaybePromise<Rows> {
    return andThen(this.#clock.at(deadline), (latest) =>
      this.#pool
        .run(statement({ ...values, deadline: latest }), deadline)
        .catch((error: unknown) => this.#settle(error, deadline)),
    );
  }

  async #settle(error: unknown, deadline: number): Promise<never> {
    await this.#pool.settle(error, deadline);
    throw error;
  }
}

function isLate(error: unknown): boolean {
  return error instanceof Bun.SQL.PostgresError && error.errno === LATE;
}
