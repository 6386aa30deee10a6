import type { Database } from "bun:sqlite";
import { SQLiteError } from "bun:sqlite";

import { restoreTable } from "./database.ts";
import { emptyLog } from "./log.ts";

/**
 * Mends what `error` says is wrong with the database, if that can be done at once. Returns whether another
 * try may succeed.
 *
 * @throws Error if the table is missing and cannot be created.
 */
export function repair(client: Database, table: string, error: unknown): boolean {
  if (!(error instanceof SQLiteError)) return false;
  const { code = "", message } = error;
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) {
    // SQLite keeps in memory what it has read, damaged pages too, and would go on to complain of them when
    // the file has long been restored.
    client.run("PRAGMA shrink_memory");
    return false;
  }
  // The second is what a disk quota looks like that is used up.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_WRITE") return emptyLog(client);
  if (message !== `no such table: ${table}`) return false;
  restoreTable(client, table);
  return true;
}
