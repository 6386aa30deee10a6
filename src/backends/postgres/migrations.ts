import type { Migration } from "../migration.ts";
import { migrationsTable, renameTable } from "../tables.ts";
import { MIGRATIONS } from "./migration-files.ts";
import type { PostgresPool } from "./pool.ts";

/** How long the migration may take, in milliseconds, including the wait for other processes. */
const MIGRATION_TIMEOUT = 30_000;

/** The number of the advisory lock; any number that nothing else in a database uses. */
const LOCK = 7_120_530_925_046;

/** Where the sessions are. These names become part of statements, so they have been checked. */
export interface TableNames {
  readonly table: string;
  /** By default, the first schema in the search_path. */
  readonly schema: string | undefined;
}

const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/** What to do about a server error, by its code. */
function toRemedies({ table, schema }: TableNames): Readonly<Record<string, string>> {
  const done = migrationsTable(table);
  return {
    "08P01": "If there is a pooler such as PgBouncer in between, give the option `pooler: true`.",
    "25006": "The server is a standby or read-only: name the primary in the URL.",
    "28000": "Name a user in the URL that the server accepts from this host.",
    "28P01": "Give the user's password in the URL.",
    "3D000": "Create the database, or name another one in the URL.",
    "3F000":
      schema === undefined
        ? "Set the user's search_path to a schema that exists."
        : `Run CREATE SCHEMA "${schema}" first, or give the option \`schema\` another name.`,
    "42501":
      "Grant the user CREATE on the schema. Or start once as a user who has that right, and then grant " +
      `SELECT on ${done} and ${RIGHTS.join(", ")} on ${table}.`,
    "42P01": `Drop ${done} too: both tables are then created again.`,
    "42P05":
      "If there is a pooler such as PgBouncer in between, create the pool with `prepare: false`.",
    "42P07": `No table of your own may be called ${table}. Use the option \`table\` to choose another name.`,
    "53300": "Raise the server's max_connections, or lower the backend's `connections`.",
  };
}

/**
 * Creates or migrates the table. Processes that start at the same time take turns. An up-to-date
 * table is only read, so that a service can run as a user without further rights.
 *
 * @throws Error if sessions cannot be kept there; the message says what to do.
 */
export async function migrate(pool: PostgresPool, names: TableNames): Promise<void> {
  try {
    await checkEncoding(pool);
    if (await isUpToDate(pool, names, MIGRATIONS).catch(returnFalseIfMissing)) return;
    await pool.transact((transaction) => apply(names, MIGRATIONS, transaction), MIGRATION_TIMEOUT);
    await isUpToDate(pool, names, MIGRATIONS);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause);
    throw new Error(
      `Cannot keep sessions in PostgreSQL at ${pool.address}: ${message}. ${findRemedy(cause, names)}`,
      { cause },
    );
  }
}

/** In other encodings, some characters of a session could not be stored. */
const ENCODINGS = new Set(["UTF8", "SQL_ASCII"]);

async function checkEncoding(pool: PostgresPool): Promise<void> {
  const [[encoding] = []] = await pool.run({ text: "SHOW server_encoding", params: [] });
  if (!ENCODINGS.has(String(encoding))) throw new LacksCharacters(String(encoding));
}

class LacksCharacters extends Error {
  constructor(encoding: string) {
    super(`The database's encoding is ${encoding}, which lacks most characters`);
  }
}

/** Fails if a table is missing or the user lacks rights on it. */
async function isUpToDate(
  pool: PostgresPool,
  names: TableNames,
  migrations: readonly Migration[],
): Promise<boolean> {
  const rights = RIGHTS.map(
    (right) => `has_table_privilege('${quote(names, names.table)}', '${right}')`,
  );
  const [[last, isAllowed] = []] = await pool.run({
    text: `SELECT max(created_at), ${rights.join(" AND ")} FROM ${quote(names, migrationsTable(names.table))}`,
    params: [],
  });
  if (isAllowed === false) throw new NotAllowed(names.table);
  return migrations.every(({ folderMillis }) => folderMillis <= Number(last));
}

function returnFalseIfMissing(error: unknown): false {
  if (readErrorCode(error) === "42P01") return false;
  throw error;
}

/**
 * Does what Drizzle's own migrator does, with the same entries. Drizzle's fails when processes
 * start at the same time, and needs the right to create schemas even with nothing to do.
 */
async function apply(
  names: TableNames,
  migrations: readonly Migration[],
  transaction: Bun.TransactionSQL,
): Promise<void> {
  await transaction.unsafe(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT}`);
  await transaction.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
  // The migrations do not name a schema.
  if (names.schema !== undefined) {
    await transaction.unsafe(`SET LOCAL search_path = "${names.schema}"`);
  }
  const done = `"${migrationsTable(names.table)}"`;
  await transaction.unsafe(
    `CREATE TABLE IF NOT EXISTS ${done} (hash text NOT NULL, created_at bigint NOT NULL)`,
  );
  const [row] = await transaction.unsafe<{ last: string | null }[]>(
    `SELECT max(created_at) AS last FROM ${done}`,
  );
  for (const { sql, hash, folderMillis } of migrations) {
    if (folderMillis <= Number(row?.last)) continue;
    for (const statement of sql) await transaction.unsafe(renameTable(statement, names.table));
    await transaction.unsafe(`INSERT INTO ${done} (hash, created_at) VALUES ($1, $2)`, [
      hash,
      folderMillis,
    ]);
  }
}

/** A table's name, quoted for SQL. */
function quote({ schema }: TableNames, table: string): string {
  return schema === undefined ? `"${table}"` : `"${schema}"."${table}"`;
}

class NotAllowed extends Error {
  constructor(table: string) {
    super(`The user may not read and write ${table}`);
  }
}

function findRemedy(error: unknown, names: TableNames): string {
  if (error instanceof LacksCharacters) {
    return "Create a database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 and name it in the URL.";
  }
  const code = error instanceof NotAllowed ? "42501" : readErrorCode(error);
  return (
    toRemedies(names)[code ?? ""] ??
    "Check that the server is running, reachable from here, and the one that the URL names."
  );
}

/** The server's error code; errors that Bun raises itself have none. */
function readErrorCode(error: unknown): string | undefined {
  return error instanceof Bun.SQL.PostgresError ? error.errno : undefined;
}
