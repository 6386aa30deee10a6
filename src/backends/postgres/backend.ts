import { refuseUnknown } from "../../store/known-options.ts";
import type { MaybePromise } from "../../store/maybe-promise.ts";
import type {
  ForwardingNote,
  SessionInfo,
  SessionRecord,
  SessionTimes,
} from "../../store/record.ts";
import { NOTE_LIFETIME } from "../../store/record.ts";
import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { SessionStore } from "../../store/session-store.ts";
import { hasSameFacts } from "../rows.ts";
import { checkName, DEFAULT_TABLE } from "../tables.ts";
import type { TableNames } from "./migrations.ts";
import { migrate } from "./migrations.ts";
import type { PostgresPool, Rows } from "./pool.ts";
import { adoptPool, openPool } from "./pool.ts";
import { sessionsTable } from "./schema.ts";
import type { Statement, Statements } from "./statements.ts";
import { parseInfo, parseRow, parseTimes, prepareStatements } from "./statements.ts";
import { PostgresWriter } from "./writer.ts";

/** Options of {@link PostgresSessionBackend}. Times are in milliseconds, at most a day. */
export interface PostgresSessionBackendOptions {
  /** The maximum number of connections of each process, up to 1,000; 10 by default. Only with a URL. */
  readonly connections?: number;
  /** How long opening a connection may take; 600 by default. Only with a URL. */
  readonly connectionTimeout?: number;
  /**
   * How long an operation may take; 1,500 by default. An operation that fails by then is not
   * carried out later. Keep it below the `storeTimeout` of the sessions.
   */
  readonly queryTimeout?: number;
  /**
   * Whether a transaction pooler such as PgBouncer is in between, which gives each transaction
   * another connection; `false` by default. Only with a URL.
   */
  readonly pooler?: boolean;
  /**
   * The table's name, `"bunpie_sessions"` by default. Backends with different tables share nothing,
   * even in the same database.
   */
  readonly table?: string;
  /**
   * The schema of the table, which has to exist. By default, the first schema in the search_path.
   */
  readonly schema?: string;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULTS = {
  connections: 10,
  connectionTimeout: 600,
  queryTimeout: 1_500,
  pooler: false,
};

/** With ten times as many, Bun's pool takes 20 seconds for the first query. */
const MOST_CONNECTIONS = 1_000;

/** A day, in milliseconds. A timer of 25 days or more fires immediately. */
const LONGEST_TIMEOUT = 24 * 60 * 60 * 1000;

/** The options for opening connections. */
const FOR_URL = ["connections", "connectionTimeout", "pooler"] as const;

/** Less than every `touchedAt`. */
const BEGINNING = Number.MIN_SAFE_INTEGER;

/** unique_violation */
const TAKEN = "23505";

/** undefined_table */
const MISSING = "42P01";

/**
 * Keeps sessions in PostgreSQL, with Drizzle on Bun's own client. Any number of processes and
 * machines can share them.
 *
 * ```ts
 * new PostgresSessionBackend("postgres://user:password@localhost:5432/shop");
 * new PostgresSessionBackend(db); // an existing `Bun.SQL` or Drizzle database
 * ```
 *
 * It connects and creates its table at the first request, or earlier with {@link ready}. While the
 * database is down, every request tries again.
 */
export class PostgresSessionBackend extends SessionStore {
  readonly #pool: PostgresPool;
  readonly #writer: PostgresWriter;
  readonly #names: TableNames;
  readonly #statements: Statements;
  #migration: Promise<void> | undefined;
  #isMigrated = false;
  #pending = 0;
  /**
   * How far the last `deleteAll` got: the next call for that user continues from there. While a
   * long transaction keeps removed entries in the index, walking past them again for 90,000
   * sessions took 27 s instead of 1.
   */
  #lastDeleteAll = { userId: "", touchedAt: BEGINNING };
  #idle = Promise.withResolvers<void>();
  #closed: Promise<void> | undefined;

  /**
   * `source` is a URL or a pool of yours, which stays open when the backend closes. The server
   * lists the connections that are opened from a URL under its `application_name`, "bunpie" by
   * default, with a suffix. By this name the backend finds out whether connections that it has lost
   * may still carry out a statement.
   *
   * @throws TypeError for an invalid source or option.
   */
  constructor(
    source: string | Bun.SQL | { readonly $client: Bun.SQL },
    options: PostgresSessionBackendOptions = {},
  ) {
    super(options.now);
    const settings = resolveSettings(source, options);
    this.#names = toNames(options);
    this.#statements = prepareStatements(sessionsTable(this.#names.table, this.#names.schema));
    this.#pool =
      typeof source === "string"
        ? openPool(source, settings)
        : adoptPool(findClient(source), settings.queryTimeout);
    this.#writer = new PostgresWriter(this.#pool);
  }

  /**
   * Connects and migrates the table. The first request does this too; call `ready` at start-up to
   * learn early what is wrong.
   *
   * @throws Error if sessions cannot be kept there; the message says what to do.
   */
  async ready(): Promise<void> {
    await this.#withTable(() => undefined);
  }

  async read(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    const [row] = await this.#run(this.#statements.read, { id });
    return row === undefined ? undefined : parseRow(row);
  }

  /** Reads all in one statement: one by one, they cost the server four times as much. */
  override async readTimes(ids: readonly string[]): Promise<ReadonlyMap<string, SessionTimes>> {
    const values = { ids: JSON.stringify(ids), now: this.now() };
    return new Map((await this.#run(this.#statements.readTimes, values)).map(parseTimes));
  }

  async create(id: string, record: SessionRecord): Promise<boolean> {
    const rows = await this.#write(this.#statements.create, { ...record, id, now: this.now() });
    return rows.affectedRows === 1;
  }

  async replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    const { replace, replaceContents } = this.#statements;
    const statement = hasSameFacts(record, old) ? replaceContents : replace;
    const values = { ...record, id, was: old.version, now: this.now() };
    return (await this.#write(statement, values)).affectedRows === 1;
  }

  async rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): Promise<boolean> {
    const now = this.now();
    const noteExpiresAt = now + NOTE_LIFETIME;
    const channel = this.#names.table;
    const values = { ...record, id: oldId, newId, was: old.version, now, noteExpiresAt, channel };
    const deadline = this.#pool.deadline();
    for (;;) {
      try {
        return (await this.#write(this.#statements.rotate, values, deadline)).affectedRows === 1;
      } catch (error) {
        if (!hasCode(error, TAKEN)) throw error;
      }
      const cleared = await this.#run(this.#statements.removeExpired, { id: newId, now });
      if (cleared.affectedRows === 0) return false;
    }
  }

  async touch(id: string, expiresAt: number): Promise<boolean> {
    const rows = await this.#write(this.#statements.touch, { id, expiresAt, now: this.now() });
    return rows.affectedRows === 1;
  }

  async delete(id: string): Promise<string | undefined> {
    const deadline = this.#pool.deadline();
    const values = { id, channel: this.#names.table };
    const remove = (): Promise<Rows> => this.#write(this.#statements.remove, values, deadline);
    let rows = await remove();
    // If the DELETE waited for a rotate, the row has moved, and only a later statement sees the
    // note.
    if (rows.affectedRows === 0) rows = await remove();
    return (rows[0]?.[0] as string | null | undefined) ?? undefined;
  }

  async list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    const rows = await this.#run(this.#statements.list, { userId, limit, now: this.now() });
    return rows.map(parseInfo);
  }

  async deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const removed: string[] = [];
    const deadline = this.#pool.deadline();
    const last = this.#lastDeleteAll;
    let from = last.userId === userId ? last.touchedAt : BEGINNING;
    for (;;) {
      const [left, channel] = [limit - removed.length, this.#names.table];
      const values = { userId, exceptId: exceptId ?? "", limit: left, channel, from };
      const rows = await this.#write(this.#statements.removeAll, values, deadline);
      for (const [id] of rows) if (typeof id === "string") removed.push(id);
      if (rows.some(([id]) => id === null)) continue;
      const touchedAt = Math.max(BEGINNING, ...rows.map((row) => Number(row[1])));
      this.#lastDeleteAll = { userId, touchedAt };
      // No session is left from here on, but a clock that was set back may have put some before
      // this point.
      if (removed.length > 0 || from === BEGINNING) return removed;
      from = BEGINNING;
    }
  }

  async sweep(limit: number, before = this.now()): Promise<number> {
    return (await this.#run(this.#statements.sweep, { now: before, limit })).affectedRows;
  }

  /**
   * Listens on a separate connection to the channel named after the table. Unavailable with
   * `pooler`, because a pooler would give the connection to others.
   */
  override watchEnds(listener: EndListener): MaybePromise<StopWatching | undefined> {
    if (this.#closed !== undefined) throw new Error("The session database is closed.");
    return this.#pool.listen(this.#names.table, listener);
  }

  /** Waits for operations in progress, then closes the connections that were opened from a URL. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #run(statement: Statement, values: Record<string, unknown>): Promise<Rows> {
    return this.#withTable(() => this.#pool.run(statement(values)));
  }

  /** The deadline includes the time for creating the table: nothing is written late. */
  #write(
    statement: Statement,
    values: Record<string, unknown>,
    deadline = this.#pool.deadline(),
  ): Promise<Rows> {
    return this.#withTable(() => this.#writer.run(statement, values, deadline));
  }

  /** Concurrent callers share one attempt. After a failure, the next call tries again. */
  #migrate(): Promise<void> {
    this.#migration ??= migrate(this.#pool, this.#names).then(
      () => {
        this.#isMigrated = true;
      },
      (error: unknown) => {
        this.#forgetMigration();
        throw error;
      },
    );
    return this.#migration;
  }

  #forgetMigration(): void {
    this.#migration = undefined;
    this.#isMigrated = false;
  }

  /** Runs `work` after the table has been migrated. */
  async #withTable<T>(work: () => T): Promise<Awaited<T>> {
    if (this.#closed !== undefined) throw new Error("The session database is closed.");
    this.#pending++;
    try {
      if (!this.#isMigrated) await this.#migrate();
      return await work();
    } catch (error) {
      // The table was dropped: the next call creates it again, or says what to do.
      if (hasCode(error, MISSING)) this.#forgetMigration();
      throw error;
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#idle.resolve();
    }
  }

  async #close(): Promise<void> {
    if (this.#pending > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    await this.#pool.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Bun.SQL.PostgresError && error.errno === code;
}

/** Returns the app's pool from what it passed as the source. */
function findClient(source: Bun.SQL | { readonly $client: Bun.SQL }): Bun.SQL {
  const client: unknown = source instanceof Bun.SQL ? source : source?.$client;
  const isPool =
    client instanceof Bun.SQL &&
    client.options.adapter === "postgres" &&
    !("release" in client || "savepoint" in client);
  if (isPool) return client;
  throw new TypeError(
    'PostgresSessionBackend needs a URL such as "postgres://user@localhost/shop", a Bun.SQL for PostgreSQL, ' +
      "or a database of drizzle-orm/bun-sql; not a transaction or a reserved connection.",
  );
}

function toNames({ table = DEFAULT_TABLE, schema }: PostgresSessionBackendOptions): TableNames {
  checkName("table", table);
  if (schema !== undefined) checkName("schema", schema);
  return { table, schema };
}

const OPTIONS = [...FOR_URL, "queryTimeout", "table", "schema", "now"];

function resolveSettings(source: unknown, options: PostgresSessionBackendOptions): typeof DEFAULTS {
  refuseUnknown("PostgresSessionBackend", options, OPTIONS);
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
        `\`${misplaced}\` applies only to connections that are opened from a URL. Set it on your own pool.`,
      );
    }
  }
  const {
    connections = DEFAULTS.connections,
    connectionTimeout = DEFAULTS.connectionTimeout,
    queryTimeout = DEFAULTS.queryTimeout,
    pooler = DEFAULTS.pooler,
  } = options;
  if (!Number.isInteger(connections) || connections < 1 || connections > MOST_CONNECTIONS) {
    throw new TypeError(
      `\`connections\` is ${connections}; it has to be a whole number from 1 to ${MOST_CONNECTIONS}.`,
    );
  }
  for (const [name, time] of Object.entries({ connectionTimeout, queryTimeout })) {
    if (!Number.isFinite(time) || time <= 0 || time > LONGEST_TIMEOUT) {
      throw new TypeError(
        `\`${name}\` is ${time}; it has to be milliseconds, more than 0 and at most ${LONGEST_TIMEOUT}.`,
      );
    }
  }
  return { connections, connectionTimeout, queryTimeout, pooler };
}
