import { Database } from "bun:sqlite";

import type { ServerProcess } from "./server-process.ts";

const BUSY_TIMEOUT = 20_000;

const COLUMNS = "id, data, version, created_at, touched_at, expires_at";
/** Unused sessions, each with an id as long as Bunpie's and a counter's data. */
const DATA = `'{"visits":1}'`;
const LIFETIME = 8 * 60 * 60 * 1000;

/** Stores `count` sessions, and returns the cookies of some of them. */
export async function fillStore(
  server: ServerProcess,
  count: number,
  keep: number,
): Promise<string[]> {
  const { storage } = server.subject;
  const isTable = storage !== "memory";
  const made = isTable ? Math.min(count, keep) : count;
  const creation = { count: made, keep: Math.min(made, keep), path: "/", method: "GET" };
  const cookies = (await server.ask({ name: "create", ...creation })) as string[];
  if (isTable && count > made) await addRows(server, count - made);
  return cookies;
}

async function addRows({ subject, place }: ServerProcess, count: number): Promise<void> {
  const now = Date.now();
  if (subject.storage === "postgres") {
    const sql = new Bun.SQL(place.target, { max: 1 });
    await sql.unsafe(
      `INSERT INTO ${place.name}.bunpie_sessions (${COLUMNS})
       SELECT substr(md5(i::text) || md5((-i)::text), 1, 43), ${DATA}, 1, ${now}, ${now}, ${now + LIFETIME} FROM generate_series(1, ${count}) AS i`,
    );
    await sql.close();
    return;
  }
  const database = new Database(place.target);
  database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  database.run(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO bunpie_sessions (${COLUMNS})
     SELECT substr(hex(randomblob(22)), 1, 43), ${DATA}, 1, ${now}, ${now}, ${now + LIFETIME} FROM n`,
  );
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
