import { Database } from "bun:sqlite";

import { createId, makePage, readId } from "./by-hand.ts";

const EIGHT_HOURS = 8 * 60 * 60 * 1000;

/**
 * A hand-written counter on raw `bun:sqlite`: every request reads and upserts a row, and each upsert is its own
 * transaction. With `onlyReads`, the visit is not counted.
 */
export function createSqliteCounter(
  file: string,
  synchronous: string,
): (request: Request, onlyReads?: boolean) => Response {
  const db = new Database(file);
  db.run("PRAGMA journal_mode = WAL");
  db.run(`PRAGMA synchronous = ${synchronous}`);
  db.run("CREATE TABLE sessions (id TEXT PRIMARY KEY, data TEXT, expires_at INTEGER)");
  db.run("CREATE INDEX sessions_expires_at ON sessions (expires_at)");
  const find = db.query<{ data: string }, [string, number]>(
    "SELECT data FROM sessions WHERE id = ? AND expires_at > ?",
  );
  const upsert = db.query<void, [string, string, number]>(
    "INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE " +
      "SET data = excluded.data, expires_at = excluded.expires_at",
  );
  return (request, onlyReads = false) => {
    const now = Date.now();
    const known = readId(request);
    const row = known === undefined ? null : find.get(known, now);
    const session = row === null ? { visits: 0 } : (JSON.parse(row.data) as { visits: number });
    if (onlyReads) return makePage(session.visits);
    const newId = row === null ? createId() : undefined;
    session.visits++;
    upsert.run(newId ?? known ?? "", JSON.stringify(session), now + EIGHT_HOURS);
    return makePage(session.visits, newId);
  };
}
