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

  /**
   * Asks the server, on the connections that have replaced these, whether all of these are gone:
   * then no statement sent on them can still take effect. Concurrent callers share one query.
   * Returns `undefined` if that cannot be found out.
   */
  areGone(successors: Connections): Promise<boolean> | undefined {
    if (this.#name === undefined) return undefined;
    this.#asking ??= Bun.sleep(PAUSE).then(() => {
      this.#asking = undefined;
      return successors.#isGone(this.#name);
    });
    return this.#asking;
  }

  async #isGone(name: string | undefined): Promise<boolean> {
    try {
      const [row] = await this.client.unsafe<unknown[][]>(GONE, [this.#name, name]).values();
      return row?.[0] === true;
    } catch {
      return false;
    }
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
