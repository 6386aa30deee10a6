import { serviceAt } from "./services.ts";

/** The server that the tests use. */
export const postgres = await serviceAt("postgres");

/**
 * A schema of one test file in the shared database, so that runs at the same time do not meet. Gone
 * with everything in it at the end of the block that holds it, or on `drop`.
 */
export class Schema implements AsyncDisposable {
  readonly name = `bunpie_${crypto.randomUUID().replaceAll("-", "_")}`;
  /** For connections that see this schema only, and that the server knows by its name. */
  readonly url: string;
  /** A connection for the test itself. */
  readonly sql: Bun.SQL;

  private constructor(server: string) {
    const url = new URL(server);
    url.searchParams.set("search_path", this.name);
    url.searchParams.set("application_name", this.name);
    this.url = url.href;
    this.sql = new Bun.SQL(this.url, { max: 4, connection: { application_name: "test" } });
  }

  static async create(server = postgres.url): Promise<Schema> {
    const schema = new Schema(server);
    await schema.sql.unsafe(`CREATE SCHEMA ${schema.name}`);
    return schema;
  }

  /** The same database through another address, such as a proxy's. */
  urlAt(port: number): string {
    const url = new URL(this.url);
    url.hostname = "127.0.0.1";
    url.port = String(port);
    return url.href;
  }

  /** All that is stored. */
  async rows(): Promise<Record<string, unknown>[]> {
    return [...(await this.sql`SELECT * FROM bunpie_sessions ORDER BY created_at, id`)];
  }

  /** Removes all that is stored, and keeps the table. */
  async clear(): Promise<void> {
    await this.sql`DELETE FROM bunpie_sessions`;
  }

  /** Runs a statement in a transaction that stays open, until it is ended or its block is. */
  async begin(statement: string): Promise<OpenTransaction> {
    const connection = await this.sql.reserve();
    const transaction = new OpenTransaction(connection);
    await transaction.run("BEGIN");
    // Who else is in a deadlock with it is to find out.
    await transaction.run("SET LOCAL deadlock_timeout = '1min'");
    await transaction.run(statement);
    return transaction;
  }

  /** Settles once so many statements, of connections by the URL, wait for somebody's lock. */
  async waiting(expected: number): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const [row] = await this.sql`
        SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE starts_with(application_name, ${this.name}) AND wait_event_type = 'Lock'`;
      if (row.count === expected) return;
      if (performance.now() > deadline) throw new Error(`${row.count} statements are waiting.`);
    }
  }

  async drop(): Promise<void> {
    await this.sql.unsafe(`DROP SCHEMA IF EXISTS ${this.name} CASCADE`);
    await this.sql.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drop();
  }
}

/** A database of one test, for what concerns a whole one. */
export class OwnDatabase implements AsyncDisposable {
  readonly #name = `bunpie_${crypto.randomUUID().replaceAll("-", "_")}`;
  readonly url: string;

  private constructor() {
    const url = new URL(postgres.url);
    url.pathname = this.#name;
    this.url = url.href;
  }

  /** Takes options of CREATE DATABASE. */
  static async create(options = ""): Promise<OwnDatabase> {
    const database = new OwnDatabase();
    await database.#command(`CREATE DATABASE ${database.#name} ${options}`);
    return database;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#command(`DROP DATABASE ${this.#name} WITH (FORCE)`);
  }

  async #command(text: string): Promise<void> {
    await using sql = new Bun.SQL(postgres.url, { max: 1 });
    await sql.unsafe(text);
  }
}

/**
 * For backends whose limits on time are not what a test is about: a busy machine may take longer than
 * a visitor waits. Two connections, because Bun opens all of them at the first statement.
 */
export const PATIENT = { connections: 2, connectionTimeout: 60_000, queryTimeout: 60_000 } as const;

/** The same for a source of any kind: the app's own pool is already set up. */
export function patient(source: unknown): Partial<typeof PATIENT> {
  return typeof source === "string" ? PATIENT : { queryTimeout: PATIENT.queryTimeout };
}

/** The port in a server's URL. */
export function readPort(url: string): number {
  return Number(new URL(url).port || 5432);
}

/** A transaction of somebody else's. */
class OpenTransaction implements AsyncDisposable {
  readonly #connection: Bun.ReservedSQL;
  #isOver = false;

  constructor(connection: Bun.ReservedSQL) {
    this.#connection = connection;
  }

  async run(statement: string): Promise<void> {
    await this.#connection.unsafe(statement);
  }

  commit(): Promise<void> {
    return this.#end("COMMIT");
  }

  rollback(): Promise<void> {
    return this.#end("ROLLBACK");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.rollback();
  }

  async #end(how: string): Promise<void> {
    this.#isOver = true;
    await this.run(how);
    await this.#connection.release();
  }
}
