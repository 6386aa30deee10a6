import type { SessionInfo, SessionRecord } from "../../store/backend.ts";
import { SessionStore } from "../../store/backend.ts";
import { migrate } from "./migrations.ts";
import type { PostgresPool, Rows } from "./pool.ts";
import { adoptPool, openPool } from "./pool.ts";
import type { Statement } from "./statements.ts";
import { infoOf, recordOf, statements } from "./statements.ts";

export { sessions } from "./schema.ts";

/** How the PostgreSQL backend is set up. Times are in milliseconds. */
export interface PostgresSessionBackendOptions {
  /** How many connections each process has at most; 10 by default. Only for a URL. */
  readonly connections?: number;
  /** How long opening a connection may take; 600 by default. Only for a URL. */
  readonly connectionTimeout?: number;
  /** How long a statement may take; 1,500 by default. */
  readonly queryTimeout?: number;
  /**
   * Whether a pooler such as PgBouncer, which hands a connection on after each transaction, is in
   * between; `false` by default. Only for a URL.
   */
  readonly pooler?: boolean;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULTS = {
  connections: 10,
  connectionTimeout: 600,
  queryTimeout: 1_500,
  pooler: false,
};

/** The options that go into opening connections. */
const FOR_URL = ["connections", "connectionTimeout", "pooler"] as const;

/** unique_violation */
const TAKEN = "23505";

/**
 * Keeps sessions in PostgreSQL, by Drizzle on Bun's own client. Any number of processes and machines
 * can share them.
 *
 * ```ts
 * new PostgresSessionBackend("postgres://user:password@localhost:5432/shop");
 * new PostgresSessionBackend(db); // a `Bun.SQL` or Drizzle database that you already have
 * ```
 *
 * It connects and makes its table at the first request, or with {@link ready} before that. While the
 * database is down every request tries again.
 */
export class PostgresSessionBackend extends SessionStore {
  readonly #pool: PostgresPool;
  #migration: Promise<void> | undefined;
  #isMigrated = false;
  #underWay = 0;
  #idle = Promise.withResolvers<void>();
  #closed: Promise<void> | undefined;

  /**
   * `source` is a URL, or a pool of yours: that one stays open when the backend closes.
   *
   * @throws TypeError for a source or an option that makes no sense.
   */
  constructor(
    source: string | Bun.SQL | { readonly $client: Bun.SQL },
    options: PostgresSessionBackendOptions = {},
  ) {
    super(options.now);
    const settings = settingsOf(source, options);
    this.#pool =
      typeof source === "string"
        ? openPool(source, settings)
        : adoptPool(clientOf(source), settings.queryTimeout);
  }

  /**
   * Connects, and brings the table up to date. Happens by itself at the first request; who waits for it
   * at start-up learns there and then what is wrong.
   *
   * @throws Error if sessions cannot be kept there, with the remedy.
   */
  async ready(): Promise<void> {
    this.#begin();
    try {
      await this.#migrate();
    } finally {
      this.#end();
    }
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const [row] = await this.#run(statements.read, { id });
    return row === undefined ? undefined : recordOf(row);
  }

  async create(id: string, record: SessionRecord): Promise<boolean> {
    const rows = await this.#run(statements.create, { ...record, id, now: this.now() });
    return rows.affectedRows === 1;
  }

  async replace(id: string, record: SessionRecord, version: number): Promise<boolean> {
    const values = { ...record, id, was: version, now: this.now() };
    return (await this.#run(statements.replace, values)).affectedRows === 1;
  }

  async rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    version: number,
  ): Promise<boolean> {
    const now = this.now();
    const values = { ...record, id: oldId, newId, was: version, now };
    for (;;) {
      try {
        return (await this.#run(statements.rotate, values)).affectedRows === 1;
      } catch (error) {
        if (!(error instanceof Bun.SQL.PostgresError && error.errno === TAKEN)) throw error;
      }
      const cleared = await this.#run(statements.removeExpired, { id: newId, now });
      if (cleared.affectedRows === 0) return false;
    }
  }

  async touch(id: string, expiresAt: number): Promise<boolean> {
    const rows = await this.#run(statements.touch, { id, expiresAt, now: this.now() });
    return rows.affectedRows === 1;
  }

  async delete(id: string): Promise<void> {
    await this.#run(statements.remove, { id });
  }

  async list(userId: string): Promise<readonly SessionInfo[]> {
    const rows = await this.#run(statements.list, { userId, now: this.now() });
    return rows.map(infoOf);
  }

  async deleteAll(userId: string, exceptId = ""): Promise<number> {
    const rows = await this.#run(statements.removeAll, { userId, exceptId, now: this.now() });
    return Number(rows[0]?.[0]);
  }

  async sweep(limit: number): Promise<number> {
    return (await this.#run(statements.sweep, { now: this.now(), limit })).affectedRows;
  }

  /** Waits for what was begun, and closes the connections that were opened from a URL. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #run(statement: Statement, values: Record<string, unknown>): Promise<Rows> {
    this.#begin();
    try {
      if (!this.#isMigrated) await this.#migrate();
      return await this.#pool.run(statement(values));
    } finally {
      this.#end();
    }
  }

  /** Those who come while it is under way share it. After a failure the next one tries again. */
  #migrate(): Promise<void> {
    this.#migration ??= migrate(this.#pool).then(
      () => {
        this.#isMigrated = true;
      },
      (error: unknown) => {
        this.#migration = undefined;
        throw error;
      },
    );
    return this.#migration;
  }

  #begin(): void {
    if (this.#closed !== undefined) throw new Error("The session database is closed.");
    this.#underWay++;
  }

  #end(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#idle.resolve();
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    await this.#pool.close();
  }
}

/** The pool itself, of what the app has. */
function clientOf(source: Bun.SQL | { readonly $client: Bun.SQL }): Bun.SQL {
  const client: unknown = source instanceof Bun.SQL ? source : source?.$client;
  const isPool =
    client instanceof Bun.SQL &&
    client.options.adapter === "postgres" &&
    !("release" in client || "savepoint" in client);
  if (isPool) return client;
  throw new TypeError(
    'PostgresSessionBackend needs a URL such as "postgres://user@localhost/shop", a Bun.SQL for PostgreSQL, ' +
      "or a database of drizzle-orm/bun-sql; not a transaction or a reserved connection of one.",
  );
}

function settingsOf(source: unknown, options: PostgresSessionBackendOptions): typeof DEFAULTS {
  if (typeof source === "string") {
    if (!/^postgres(?:ql)?:\/\//.test(source)) {
      throw new TypeError(
        "The URL of the database has to begin with postgres:// or postgresql://, as in " +
          '"postgres://user:password@localhost:5432/shop".',
      );
    }
  } else {
    const misplaced = FOR_URL.find((name) => options[name] !== undefined);
    if (misplaced !== undefined) {
      throw new TypeError(
        `\`${misplaced}\` is for connections that are opened from a URL. Set up a pool of yours yourself.`,
      );
    }
  }
  const {
    connections = DEFAULTS.connections,
    connectionTimeout = DEFAULTS.connectionTimeout,
    queryTimeout = DEFAULTS.queryTimeout,
    pooler = DEFAULTS.pooler,
  } = options;
  if (!Number.isInteger(connections) || connections < 1) {
    throw new TypeError(`\`connections\` is ${connections}; it has to be a whole number above 0.`);
  }
  for (const [name, time] of Object.entries({ connectionTimeout, queryTimeout })) {
    if (!Number.isFinite(time) || time <= 0) {
      throw new TypeError(`\`${name}\` is ${time}; it has to be milliseconds, more than 0.`);
    }
  }
  return { connections, connectionTimeout, queryTimeout, pooler };
}
