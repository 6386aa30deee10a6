import type { MaybePromise } from "../../store/maybe-promise.ts";
import { andThen } from "../../store/maybe-promise.ts";
import { ServerClock } from "../server-clock.ts";
import type { PostgresPool, Rows } from "./pool.ts";
import type { Statement } from "./statements.ts";

const CLOCK = { text: "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000", params: [] };

/** division_by_zero: what a statement fails with once its deadline has passed. */
const LATE = "22012";

/**
 * Runs statements that change something, and none of them late: what is reported as failed has been
 * carried out by then, or never will be.
 *
 * A network, a pooler or somebody's lock may hold a statement back until everybody has long gone on: a
 * logout, say, that failed, and then ends the session in which the user has bought something
 * meanwhile. So each statement is told the time from which on the server must undo it, and where it is
 * open whether it was carried out, its failure is not reported before that, unless the server is back
 * earlier and has nothing left that could still carry it out.
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
      // Unless it is late by our clock too, the server's was set, or the server is another.
      this.#clock.forget();
    }
    try {
      return await this.#runBefore(deadline, statement, values);
    } catch (cause) {
      if (!isLate(cause)) throw cause;
      throw new Error("PostgreSQL was reached too late, and has not carried it out.", { cause });
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
