import type { Database } from "bun:sqlite";
import { SQLiteError } from "bun:sqlite";

import { restoreTable } from "./database.ts";
import { emptyLog } from "./log.ts";

/**
 * Repairs the cause of `error`, if that is possible immediately. Returns whether a retry may
 * succeed.
 *
 * @throws Error if the table is missing and cannot be created.
 */
export function repair(client: Database, table: string, error: unknown): boolean {
  if (!(error instanceof SQLiteError)) return false;
  const { code = "", message } = error;
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) {
    // SQLite caches the pages that it has read, damaged ones too, and would keep reporting them
    // after the file has been restored.
    client.run("PRAGMA shrink_memory");
    return false;
  }
  // SQLITE_IOERR_WRITE is how an exhausted disk quota shows.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_WRITE") return emptyLog(client);
  if (message !== `no such table: ${table}`) return false;
  restoreTable(client, table);
  return true;
}
