import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";

import type { Migration } from "../migration.ts";
import { DEFAULT_TABLE, migrationsTable, renameTable } from "../tables.ts";
import { isBusy, OpenTransaction } from "./busy.ts";
import { emptyLog, limitLog } from "./log.ts";
import { MIGRATIONS } from "./migration-files.ts";

/** At start-up nobody is served yet: there SQLite may wait for other processes inside the call. */
const STARTUP_BUSY_TIMEOUT = 5_000;
const MIGRATION_ATTEMPTS = 10;

/**
 * Opens the file, in WAL mode and with an up-to-date table. A new file is its owner's alone, and so are
 * those beside it, which get their permissions from it.
 *
 * @throws Error if it cannot be opened or written, with the remedy.
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
    throw new Error(
      `Cannot keep sessions in ${path}: ${messageOf(cause)}. Its folder has to exist, and this process ` +
        "has to be allowed to write the file, the folder, and the files that end in -wal and -shm beside it.",
      { cause },
    );
  }
}

/**
 * Takes a connection of the app's, whose pragmas stay as they are, and brings the table up to date.
 *
 * @throws TypeError if it is no connection of bun:sqlite.
 * @throws Error if it cannot be written, with the remedy.
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
      `Cannot keep sessions in the given database: ${messageOf(cause)}. The connection has to be ` +
        `open and allowed to write, and no table of your own may be called ${table}. The option ` +
        "`table` gives the backend another one.",
      { cause },
    );
  }
}

/**
 * Creates a database's file for its owner alone; one that is there stays as it is. SQLite itself would let the
 * umask decide, which is one for the whole process. What cannot be created SQLite will say.
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {}
}

/**
 * Creates the table again after somebody has dropped it.
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
      `The table ${table} is gone, and cannot be created again: ${messageOf(cause)}. Restore it, or ` +
        "remove what is in the way.",
      { cause },
    );
  }
}

/** Migrations that are done write nothing. Changing no row needs the right to write all the same. */
function checkWritable(client: Database, table: string): void {
  try {
    client.run(`DELETE FROM "${table}" WHERE FALSE`);
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
}

/** Brings the table up to date, while other processes may be at it too. */
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
 * Does what Drizzle's own migrator does, with the same entries. That one looks first and locks later, so
 * that of two processes one fails; and it knows one name of a table only.
 */
function migrate(client: Database, table: string, migrations: readonly Migration[]): void {
  const done = migrationsTable(table);
  const exists = client.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  const missing = (): readonly Migration[] => {
    if (exists.get(done) === null || exists.get(table) === null) return migrations;
    const last = client.query<{ last: number | null }, []>(
      `SELECT max(created_at) AS last FROM "${done}"`,
    );
    return migrations.filter(({ folderMillis }) => folderMillis > Number(last.get()?.last ?? 0));
  };
  // Where nothing is to be done, nobody who writes has to be waited for.
  if (missing().length === 0) return;
  client.run("BEGIN IMMEDIATE");
  try {
    client.run(
      `CREATE TABLE IF NOT EXISTS "${done}" (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
    );
    const due = missing();
    // All of them, although they were done: somebody has dropped the table.
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
