// A counter as one writes it by hand on raw `bun:sqlite`: a row is read and upserted on every
// request, each upsert commits by itself.
//
// bun sqlite-counter.ts normal|full <file>
import { Database } from "bun:sqlite";

import { ADDRESS, announce, tally } from "./announce.ts";
import { createId, idOf, isBare, isPage, pageOf } from "./by-hand.ts";

const EIGHT_HOURS = 8 * 60 * 60 * 1000;

const [synchronous, file] = process.argv.slice(2);
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

function count(request: Request): Response {
  tally.handled++;
  if (isBare(request)) return new Response("hello");
  const now = Date.now();
  const known = idOf(request);
  const row = known === undefined ? null : find.get(known, now);
  const session = row === null ? { visits: 0 } : (JSON.parse(row.data) as { visits: number });
  const newId = row === null ? createId() : undefined;
  if (isPage(request)) return pageOf(session.visits);
  session.visits++;
  upsert.run(newId ?? known ?? "", JSON.stringify(session), now + EIGHT_HOURS);
  return pageOf(session.visits, newId);
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
