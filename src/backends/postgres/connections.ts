/** How long to wait before asking the server, in milliseconds. */
const PAUSE = 25;

/** The number of bytes that PostgreSQL keeps of an application's name. */
const LONGEST_NAME = 63;

/**
 * Whether the server has no connection named $2 any more. False, too, unless the asking connection
 * is named $1: otherwise names do not arrive unchanged.
 */
const GONE = `SELECT current_setting('application_name') = $1
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $2)`;

/**
 * Whether the server has nothing to do on the connections named $2: no statement of theirs has
 * arrived that is still unanswered. False, too, unless the server shows the asking connection at
 * work under the name $1: otherwise names do not arrive unchanged, or activities are not tracked.
 */
const IDLE = `EXISTS (SELECT FROM pg_stat_activity
    WHERE pid = pg_backend_pid() AND application_name = $1 AND state = 'active')
  AND NOT EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = $2 AND state IS DISTINCT FROM 'idle')`;

/** Ends the connections named $2 if they are idle. Whether it has. */
const END = `SELECT CASE WHEN ${IDLE} THEN (
    SELECT count(pg_terminate_backend(pid)) >= 0
    FROM pg_stat_activity WHERE application_name = $2) ELSE false END`;

/** Connections to the database that are opened and replaced together. */
export class Connections {
  readonly client: Bun.SQL;
  readonly #name: string | undefined;
  #asking: Promise<boolean> | undefined;

  /**
   * `name` is the name under which the server lists these connections and no others; `undefined` if
   * it cannot tell them apart.
   */
  constructor(client: Bun.SQL, name?: string) {
    this.client = client;
    this.#name = name;
  }

  /** Whether the server can tell these connections from others. */
  get isNamed(): boolean {
    return this.#name !== undefined;
  }

  /**
   * Asks the server, on another connection, whether it has nothing to do on these. Rejects if the
   * server does not answer.
   */
  areIdle(asker: Connections): Promise<boolean> {
    return asker.#ask(`SELECT ${IDLE}`, this.#name);
  }

  /** Has the server end these connections if they are idle. Returns whether it has. */
  endIdle(asker: Connections): Promise<boolean> {
    return asker.#ask(END, this.#name);
  }

  /**
   * Asks the server, on the connections that have replaced these, whether all of these are gone:
   * then no statement sent on them can still take effect. Concurrent callers share one query.
   * Returns `undefined` if that cannot be found out.
   */
  areGone(successors: Connections): Promise<boolean> | undefined {
    if (this.#name === undefined) return undefined;
    this.#asking ??= Bun.sleep(PAUSE).then(() => {
      this.#asking = undefined;
      return successors.#ask(GONE, this.#name).catch(() => false);
    });
    return this.#asking;
  }

  async #ask(question: string, name: string | undefined): Promise<boolean> {
    const [row] = await this.client.unsafe<unknown[][]>(question, [this.#name, name]).values();
    return row?.[0] === true;
  }
}

/**
 * Makes a name under which the server lists connections: the `application_name` of the URL and a
 * unique suffix.
 */
export function createName(url: string): string {
  const given = URL.parse(url)?.searchParams.get("application_name") ?? "bunpie";
  const suffix = ` ${crypto.randomUUID().slice(0, 8)}`;
  return given.replaceAll(/[^ -~]/g, "?").slice(0, LONGEST_NAME - suffix.length) + suffix;
}
