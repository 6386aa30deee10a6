import { Database } from "bun:sqlite";

import type { MigrationMeta } from "drizzle-orm/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";

import { migrationsFolder } from "../migrations-folder.ts";
import { DEFAULT_TABLE, migrationsTable, renameTable } from "../tables.ts";
import { isBusy } from "./group-commit.ts";

/** At start-up nobody is served yet: there SQLite may wait for other processes inside the call. */
const STARTUP_BUSY_TIMEOUT = 5_000;
const MIGRATION_ATTEMPTS = 10;

/**
 * Opens the file, in WAL mode and with an up-to-date table.
 *
 * @throws Error if it cannot be opened or written, with the remedy.
 */
export function openDatabase(
  path: string,
  synchronous: "normal" | "full",
  table = DEFAULT_TABLE,
): Database {
  const migrations = readMigrations();
  let client: Database | undefined;
  try {
    client = new Database(path, { create: true, readwrite: true });
    client.run(`PRAGMA busy_timeout = ${STARTUP_BUSY_TIMEOUT}`);
    client.run(`PRAGMA synchronous = ${synchronous}`);
    prepare(client, table, migrations, "PRAGMA journal_mode = WAL");
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
  const migrations = readMigrations();
  try {
    prepare(client, table, migrations);
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

function readMigrations(): readonly MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder: migrationsFolder("sqlite") });
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
  migrations: readonly MigrationMeta[],
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
function migrate(client: Database, table: string, migrations: readonly MigrationMeta[]): void {
  const done = migrationsTable(table);
  const exists = client.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  const missing = (): readonly MigrationMeta[] => {
    if (exists.get(done) === null) return migrations;
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
    for (const { sql, hash, folderMillis } of missing()) {
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
