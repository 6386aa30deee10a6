import type { Migration } from "../migration.ts";
import { migrationsTable, renameTable } from "../tables.ts";
import { MIGRATIONS } from "./migration-files.ts";
import type { PostgresPool } from "./pool.ts";

/** How long making or updating the table may take, in milliseconds, other processes included. */
const MIGRATION_TIMEOUT = 30_000;

/** The number of the lock under which it is done; any that nothing else in a database uses. */
const LOCK = 7_120_530_925_046;

/** Where the sessions are, by names that were checked: they become part of statements. */
export interface TableNames {
  readonly table: string;
  /** By default, the first in the search_path. */
  readonly schema: string | undefined;
}

const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/** What to do about an error of the server, by its code. */
function toRemedies({ table, schema }: TableNames): Readonly<Record<string, string>> {
  const done = migrationsTable(table);
  return {
    "08P01": "If there is a pooler such as PgBouncer in between, give the option `pooler: true`.",
    "25006": "It is a standby, or set to be read only: name the primary.",
    "28000": "Name a user in the URL whom the server knows and lets in from here.",
    "28P01": "Give the user's password in the URL.",
    "3D000": "Create the database, or name another one in the URL.",
    "3F000":
      schema === undefined
        ? "Its search_path has to name a schema that exists."
        : `Run CREATE SCHEMA "${schema}" first, or give the option \`schema\` another name.`,
    "42501":
      "Allow the user CREATE on the schema. Or start once as somebody who may do that, and then allow the " +
      `user SELECT on ${done} and ${RIGHTS.join(", ")} on ${table}.`,
    "42P01": `Drop ${done} too: then both are made anew.`,
    "42P05":
      "If there is a pooler such as PgBouncer in between, make the pool with `prepare: false`.",
    "42P07": `No table of your own may be called ${table}. The option \`table\` gives the backend another one.`,
    "53300": "Raise the server's max_connections, or lower the backend's `connections`.",
  };
}

/**
 * Makes the table, or brings it up to date. Processes that start at once take turns. Where there is
 * nothing to do it only looks, so that a service can run as a user who may do no more.
 *
 * @throws Error if sessions cannot be kept there, with the remedy.
 */
export async function migrate(pool: PostgresPool, names: TableNames): Promise<void> {
  try {
    await checkEncoding(pool);
    if (await isUpToDate(pool, names, MIGRATIONS).catch(falseIfMissing)) return;
    await pool.transact((transaction) => apply(names, MIGRATIONS, transaction), MIGRATION_TIMEOUT);
    await isUpToDate(pool, names, MIGRATIONS);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause);
    throw new Error(
      `Cannot keep sessions in PostgreSQL at ${pool.address}: ${message}. ${remedyFor(cause, names)}`,
      { cause },
    );
  }
}

/** In others, a session with a character that they lack could not be written. */
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

/** Fails if a table is missing, or may not be used. */
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

function falseIfMissing(error: unknown): false {
  if (codeOf(error) === "42P01") return false;
  throw error;
}

/**
 * Does what Drizzle's own migrator does, with the same entries. That one is not made for processes
 * that start at once, and needs the right to create schemas even where there is nothing to do.
 */
async function apply(
  names: TableNames,
  migrations: readonly Migration[],
  transaction: Bun.TransactionSQL,
): Promise<void> {
  await transaction.unsafe(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT}`);
  await transaction.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
  // The migrations name no schema.
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

/** A table's name as SQL has it. */
function quote({ schema }: TableNames, table: string): string {
  return schema === undefined ? `"${table}"` : `"${schema}"."${table}"`;
}

class NotAllowed extends Error {
  constructor(table: string) {
    super(`The user may not read and write ${table}`);
  }
}

function remedyFor(error: unknown, names: TableNames): string {
  if (error instanceof LacksCharacters) {
    return "Name one in the URL that CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 has made.";
  }
  const code = error instanceof NotAllowed ? "42501" : codeOf(error);
  return (
    toRemedies(names)[code ?? ""] ??
    "The server has to be running, reachable from here, and the one that the URL names."
  );
}

/** The server's code for its error. One that Bun raises itself has none. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Bun.SQL.PostgresError ? error.errno : undefined;
}
