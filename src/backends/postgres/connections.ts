/** How long, in milliseconds, to wait before the server is asked. */
const PAUSE = 25;

/** How many bytes of an application's name PostgreSQL keeps. */
const LONGEST_NAME = 63;

/**
 * Whether the server has no connection named $2 any more. Asked from one that is named $1, if the names arrive as
 * they were given.
 */
const GONE = `SELECT current_setting('application_name') = $1
  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $2)`;

/** Connections to the database that are opened, and replaced, together. */
export class Connections {
  readonly client: Bun.SQL;
  readonly #name: string | undefined;
  #asking: Promise<boolean> | undefined;

  /** `name` is what the server calls them, and no others; `undefined` if it cannot tell them from others. */
  constructor(client: Bun.SQL, name?: string) {
    this.client = client;
    this.#name = name;
  }

  /**
   * Asks the server, from connections that have replaced these, whether it has none of these left: then nothing
   * can come any more of what they were sent. Who asks at the same time shares a question that is yet to be sent.
   * `undefined`: that can't be found out.
   */
  areGone(successors: Connections): Promise<boolean> | undefined {
    if (this.#name === undefined) return undefined;
    this.#asking ??= Bun.sleep(PAUSE).then(() => {
      this.#asking = undefined;
      return successors.#find(this.#name);
    });
    return this.#asking;
  }

  async #find(name: string | undefined): Promise<boolean> {
    try {
      const [row] = await this.client.unsafe<unknown[][]>(GONE, [this.#name, name]).values();
      return row?.[0] === true;
    } catch {
      return false;
    }
  }
}

/** Makes a name that the server shows for connections: the one in the URL, and a suffix that no others have. */
export function createName(url: string): string {
  const given = URL.parse(url)?.searchParams.get("application_name") ?? "bunpie";
  const suffix = ` ${crypto.randomUUID().slice(0, 8)}`;
  return given.replaceAll(/[^ -~]/g, "?").slice(0, LONGEST_NAME - suffix.length) + suffix;
}
