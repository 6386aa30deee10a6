import type { MigrationMeta } from "drizzle-orm/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";

import { migrationsFolder } from "../migrations-folder.ts";
import type { PostgresPool } from "./pool.ts";

/** How long making or updating the table may take, in milliseconds, other processes included. */
const MIGRATION_TIMEOUT = 30_000;

/** The number of the lock under which it is done; any that nothing else in a database uses. */
const LOCK = 7_120_530_925_046;

const IS_ALLOWED = ["SELECT", "INSERT", "UPDATE", "DELETE"]
  .map((right) => `has_table_privilege('bunpie_sessions', '${right}')`)
  .join(" AND ");

/** What to do about an error of the server, by its code. */
const REMEDIES: Readonly<Record<string, string>> = {
  "08P01": "If there is a pooler such as PgBouncer in between, give the option `pooler: true`.",
  "25006": "It is a standby, or set to be read only: name the primary.",
  "28000": "Name a user in the URL whom the server knows and lets in from here.",
  "28P01": "Give the user's password in the URL.",
  "3D000": "Create the database, or name another one in the URL.",
  "3F000": "Its search_path has to name a schema that exists.",
  "42501":
    "Allow the user CREATE on the schema. Or start once as somebody who may do that, and then allow the " +
    "user SELECT on bunpie_migrations and SELECT, INSERT, UPDATE, DELETE on bunpie_sessions.",
  "42P01": "Drop bunpie_migrations too: then both are made anew.",
  "42P07": "No table of your own may be called bunpie_sessions.",
  "53300": "Raise the server's max_connections, or lower the backend's `connections`.",
};

/**
 * Makes the table, or brings it up to date. Processes that start at once take turns. Where there is
 * nothing to do it only looks, so that a service can run as a user who may do no more.
 *
 * @throws Error if sessions cannot be kept there, with the remedy.
 */
export async function migrate(pool: PostgresPool): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder: migrationsFolder("postgres") });
  try {
    if (await isUpToDate(pool, migrations).catch(falseIfMissing)) return;
    await pool.transact((transaction) => apply(migrations, transaction), MIGRATION_TIMEOUT);
    await isUpToDate(pool, migrations);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause);
    throw new Error(
      `Cannot keep sessions in PostgreSQL at ${pool.address}: ${message}. ${remedyFor(cause)}`,
      { cause },
    );
  }
}

/** Fails if a table is missing, or may not be used. */
async function isUpToDate(
  pool: PostgresPool,
  migrations: readonly MigrationMeta[],
): Promise<boolean> {
  const [[last, isAllowed] = []] = await pool.run({
    text: `SELECT max(created_at), ${IS_ALLOWED} FROM bunpie_migrations`,
    params: [],
  });
  if (isAllowed === false) throw new NotAllowed();
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
  migrations: readonly MigrationMeta[],
  transaction: Bun.TransactionSQL,
): Promise<void> {
  await transaction.unsafe(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT}`);
  await transaction.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
  await transaction.unsafe(
    "CREATE TABLE IF NOT EXISTS bunpie_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)",
  );
  const [row] = await transaction.unsafe<{ last: string | null }[]>(
    "SELECT max(created_at) AS last FROM bunpie_migrations",
  );
  for (const { sql, hash, folderMillis } of migrations) {
    if (folderMillis <= Number(row?.last)) continue;
    for (const statement of sql) await transaction.unsafe(statement);
    await transaction.unsafe("INSERT INTO bunpie_migrations (hash, created_at) VALUES ($1, $2)", [
      hash,
      folderMillis,
    ]);
  }
}

class NotAllowed extends Error {
  override readonly message = "The user may not read and write bunpie_sessions";
}

function remedyFor(error: unknown): string {
  const code = error instanceof NotAllowed ? "42501" : codeOf(error);
  return (
    REMEDIES[code ?? ""] ??
    "The server has to be running, reachable from here, and the one that the URL names."
  );
}

/** The server's code for its error. One that Bun raises itself has none. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Bun.SQL.PostgresError ? error.errno : undefined;
}
