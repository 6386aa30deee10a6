import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";

import type { Migration } from "../migration.ts";
import { DEFAULT_TABLE, migrationsTable, renameTable } from "../tables.ts";
import { isBusy, OpenTransaction } from "./busy.ts";
import { emptyLog, limitLog } from "./log.ts";
import { MIGRATIONS } from "./migration-files.ts";

/** At start-up no request is blocked, so SQLite may wait for other processes inside the call. */
const STARTUP_BUSY_TIMEOUT = 5_000;
const MIGRATION_ATTEMPTS = 10;

/**
 * Opens the file in WAL mode and migrates the table. A new file is readable and writable by its
 * owner only; SQLite gives the files beside it the same permissions.
 *
 * @throws Error if it cannot be opened or written; the message says what to do.
 */
export function openDatabase(
  path: string,
  synchronous: "normal" | "full",
  table = DEFAULT_TABLE,
): Database {
  let client: Database | undefined;
  try {
    if (path !== ":memory:") createPrivately(path);
    client = new Database(path, { create: true, readwrite: true });
    client.run(`PRAGMA busy_timeout = ${STARTUP_BUSY_TIMEOUT}`);
    client.run(`PRAGMA synchronous = ${synchronous}`);
    prepare(client, table, MIGRATIONS, "PRAGMA journal_mode = WAL");
    limitLog(client);
    emptyLog(client);
    client.run("PRAGMA busy_timeout = 0");
    checkWritable(client, table);
    return client;
  } catch (cause) {
    client?.close();
    const isOther = cause instanceof SQLiteError && cause.code === "SQLITE_NOTADB";
    throw new Error(
      `Cannot keep sessions in ${path}: ${describeError(cause)}. ${isOther ? ANOTHER_KIND : NO_RIGHT}`,
      { cause },
    );
  }
}

const NO_RIGHT =
  "Its folder has to exist, and this process has to be allowed to write the file, the folder, " +
  "and the files that end in -wal and -shm beside it.";

const ANOTHER_KIND = "It is a file of another kind, or damaged: name another file.";

/**
 * Uses a connection of the app's, without changing its pragmas, and migrates the table.
 *
 * @throws TypeError if it is not a connection of bun:sqlite.
 * @throws Error if it cannot be written; the message says what to do.
 */
export function adoptDatabase(
  source: Database | { readonly $client: Database },
  table = DEFAULT_TABLE,
): Database {
  const client: unknown = source instanceof Database ? source : source?.$client;
  if (!(client instanceof Database)) {
    throw new TypeError(
      'SqliteSessionBackend needs a path such as "sessions.db", a Database of bun:sqlite, or a ' +
        "database of drizzle-orm/bun-sqlite.",
    );
  }
  const one = client.query<{ one: unknown }, []>("SELECT 1 AS one").get()?.one;
  if (typeof one !== "number") {
    throw new TypeError(
      "SqliteSessionBackend needs numbers: open the database without `safeIntegers`.",
    );
  }
  try {
    prepare(client, table, MIGRATIONS);
    checkWritable(client, table);
    return client;
  } catch (cause) {
    throw new Error(
      `Cannot keep sessions in the given database: ${describeError(cause)}. The connection has to be ` +
        `open and allowed to write, and no table of your own may be called ${table}. Use the option ` +
        "`table` to choose another name.",
      { cause },
    );
  }
}

/**
 * Creates the database file with access for its owner only; an existing file is left alone. SQLite
 * would apply the umask, which belongs to the whole process. If the file cannot be created, opening
 * it reports why.
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {}
}

/**
 * Recreates the table after it was dropped.
 *
 * @throws Error if it cannot be created, with the reason.
 */
export function restoreTable(client: Database, table: string): void {
  if (client.inTransaction) throw new OpenTransaction();
  try {
    migrate(client, table, MIGRATIONS);
  } catch (cause) {
    if (isBusy(cause)) throw cause;
    throw new Error(
      `The table ${table} is missing and cannot be created again: ${describeError(cause)}. Restore the table, or ` +
        "remove what prevents its creation.",
      { cause },
    );
  }
}

/**
 * Fails if the connection is read-only, which migrations that are already applied do not notice. A
 * DELETE that matches no row needs write access all the same.
 */
function checkWritable(client: Database, table: string): void {
  try {
    client.run(`DELETE FROM "${table}" WHERE FALSE`);
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
}

/** Migrates the table, retrying while other processes migrate it too. */
function prepare(
  client: Database,
  table: string,
  migrations: readonly Migration[],
  pragma?: string,
): void {
  const deadline = performance.now() + STARTUP_BUSY_TIMEOUT;
  for (let attempt = 1; ; attempt++) {
    try {
      if (pragma !== undefined) client.run(pragma);
      migrate(client, table, migrations);
      return;
    } catch (error) {
      const isLate = attempt === MIGRATION_ATTEMPTS || performance.now() > deadline;
      if (isLate || !isBusy(error)) throw error;
      Bun.sleepSync(attempt * 5);
    }
  }
}

/**
 * Does what Drizzle's own migrator does, with the same entries. Drizzle's checks before it locks,
 * so that one of two concurrent processes fails, and it supports only one table name.
 */
function migrate(client: Database, table: string, migrations: readonly Migration[]): void {
  const done = migrationsTable(table);
  const exists = client.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  const findMissing = (): readonly Migration[] => {
    if (exists.get(done) === null || exists.get(table) === null) return migrations;
    const last = client.query<{ last: number | null }, []>(
      `SELECT max(created_at) AS last FROM "${done}"`,
    );
    return migrations.filter(({ folderMillis }) => folderMillis > Number(last.get()?.last ?? 0));
  };
  // With nothing to do, do not wait for another process's write lock.
  if (findMissing().length === 0) return;
  client.run("BEGIN IMMEDIATE");
  try {
    client.run(
      `CREATE TABLE IF NOT EXISTS "${done}" (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
    );
    const due = findMissing();
    // All migrations are due although some are recorded: the table was dropped.
    if (due.length === migrations.length) client.run(`DELETE FROM "${done}"`);
    for (const { sql, hash, folderMillis } of due) {
      for (const statement of sql) client.run(renameTable(statement, table));
      client.run(`INSERT INTO "${done}" (hash, created_at) VALUES (?, ?)`, [hash, folderMillis]);
    }
    client.run("COMMIT");
  } catch (error) {
    if (client.inTransaction) client.run("ROLLBACK");
    throw error;
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
