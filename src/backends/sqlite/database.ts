import { Database } from "bun:sqlite";

import { DrizzleError } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { migrate } from "drizzle-orm/bun-sqlite/migrator";

import { migrationsFolder } from "../migrations-folder.ts";
import { isBusy } from "./group-commit.ts";

/** At start-up nobody is served yet: there SQLite may wait for other processes inside the call. */
const STARTUP_BUSY_TIMEOUT = 5_000;
const MIGRATION_ATTEMPTS = 10;

/** Drizzle compares dates within one table: sharing the app's would make one side skip its own. */
const MIGRATIONS_TABLE = "bunpie_migrations";

/**
 * Opens the file, in WAL mode and with an up-to-date table.
 *
 * @throws Error if it cannot be opened or written, with the remedy.
 */
export function openDatabase(path: string, synchronous: "normal" | "full"): Database {
  const migrations = migrationsFolder("sqlite");
  let client: Database | undefined;
  try {
    client = new Database(path, { create: true, readwrite: true });
    client.run(`PRAGMA busy_timeout = ${STARTUP_BUSY_TIMEOUT}`);
    client.run(`PRAGMA synchronous = ${synchronous}`);
    prepare(client, migrations, "PRAGMA journal_mode = WAL");
    client.run("PRAGMA busy_timeout = 0");
    checkWritable(client);
    return client;
  } catch (cause) {
    client?.close();
    throw new Error(
      `Cannot keep sessions in ${path}: ${messageOf(rootOf(cause))}. Its folder has to exist, and this process ` +
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
export function adoptDatabase(source: Database | { readonly $client: Database }): Database {
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
  const migrations = migrationsFolder("sqlite");
  try {
    prepare(client, migrations);
    checkWritable(client);
    return client;
  } catch (cause) {
    throw new Error(
      `Cannot keep sessions in the given database: ${messageOf(rootOf(cause))}. The connection has to be ` +
        "open and allowed to write, and no table of your own may be called bunpie_sessions.",
      { cause },
    );
  }
}

/** Migrations that are done write nothing. Changing no row needs the right to write all the same. */
function checkWritable(client: Database): void {
  try {
    client.run("DELETE FROM bunpie_sessions WHERE FALSE");
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
}

/**
 * Several processes may open a new file at once. Drizzle looks first and locks later, so whoever
 * comes second fails on what the first has just made, and finds it done on the next attempt.
 */
function prepare(client: Database, migrations: string, pragma?: string): void {
  const config = { migrationsFolder: migrations, migrationsTable: MIGRATIONS_TABLE };
  const deadline = performance.now() + STARTUP_BUSY_TIMEOUT;
  for (let attempt = 1; ; attempt++) {
    try {
      if (pragma !== undefined) client.run(pragma);
      migrate(drizzle(client), config);
      return;
    } catch (error) {
      const isLate = attempt === MIGRATION_ATTEMPTS || performance.now() > deadline;
      if (isLate || !mayPass(rootOf(error))) throw error;
      Bun.sleepSync(attempt * 5);
    }
  }
}

function mayPass(error: unknown): boolean {
  return isBusy(error) || /already exists/.test(String(error));
}

/** What SQLite said. Drizzle's own error names the statement only. */
function rootOf(error: unknown): unknown {
  return error instanceof DrizzleError ? error.cause : error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
