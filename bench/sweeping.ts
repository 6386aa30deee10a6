// `bun bench/sweeping.ts`: how sweeping an SQLite file affects visitors, beside the same load without a sweep. Rows
// expire while 16 clients visit a counter: none, 30 or 300 in a minute's sweep, and 5,000 per second all the time.
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { App } from "../src/app/app.ts";
import { SqliteSessionBackend } from "../src/backends/sqlite/backend.ts";
import { createId, hashId } from "../src/session/id.ts";
import { CLOCK_TOLERANCE } from "../src/store/sweeper.ts";
import { longestStall } from "../tests/support/processes/stall.ts";

const CLIENTS = 16;
const LIVE = 2_000;
const RATE = 5_000;
const SECONDS = Number(process.env["SECONDS"] ?? 5);
const ROUNDS = 5;
const HOUR = 60 * 60 * 1000;
const INSERT =
  "INSERT INTO bunpie_sessions (id, data, version, created_at, touched_at, expires_at)";

/** What the server reports about a period of time. */
interface Stretch {
  /** The longest time that its event loop was blocked, in milliseconds. */
  readonly stall: number;
  /** Its CPU time, in microseconds. */
  readonly cpu: number;
}

if (process.argv[2] === undefined) await compare();
else serve(process.argv[2]);

function serve(path: string): void {
  const app = new (class extends App<{ visits: number }> {
    index(): number {
      const { session } = this.request;
      session.visits = (session.visits ?? 0) + 1;
      return session.visits;
    }
  })({ sessionBackend: new SqliteSessionBackend(path), session: { sweepInterval: 0 }, log: false });
  const server = app.listen(0);
  process.on("message", async () => {
    const begun = process.cpuUsage();
    const ends = performance.now() + SECONDS * 1000;
    const sweep = async (): Promise<void> => {
      while (performance.now() < ends) {
        await app.sessions.sweep();
        await Bun.sleep(200);
      }
    };
    const stall = await longestStall(Promise.all([sweep(), Bun.sleep(SECONDS * 1000)]));
    const { user, system } = process.cpuUsage(begun);
    process.send?.({ stall, cpu: user + system } satisfies Stretch);
  });
  process.send?.(server.port);
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bunpie-sweeping-"));
  const path = join(folder, "sessions.db");
  await new SqliteSessionBackend(path).close();
  const database = new Database(path);
  const ids = Array.from({ length: LIVE }, createId);
  const insert = database.query(`${INSERT} VALUES (?1, '{}', 1, ?2, ?2, ?3)`);
  const now = Date.now();
  database.transaction(() => {
    for (const id of ids) insert.run(hashId(id), now, now + HOUR);
  })();
  // Spreads rows over many pages, as on a site that has been in use.
  expire(database, 300_000, 0, now + HOUR);

  let answer = Promise.withResolvers<unknown>();
  const child = Bun.spawn([process.execPath, import.meta.path, path], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (message) => answer.resolve(message),
  });
  const port = (await answer.promise) as number;
  let times: number[] = [];
  const traffic = { isOver: false };
  const visit = async (first: number): Promise<void> => {
    for (let index = first; !traffic.isOver; index = (index + CLIENTS) % LIVE) {
      const begun = performance.now();
      const headers = { cookie: `session_id=${ids[index]}` };
      await (await fetch(`http://localhost:${port}/`, { headers })).text();
      times.push(performance.now() - begun);
    }
  };
  const visitors = Promise.all(Array.from({ length: CLIENTS }, (_, index) => visit(index)));

  const works: readonly [name: string, rows: number, spread: number][] = [
    ["nothing expires", 0, 0],
    ["30 rows in one sweep", 30, 0],
    ["300 rows in one sweep", 300, 0],
    [`${RATE} rows a second`, RATE * SECONDS, SECONDS * 1000],
  ];
  const results = new Map<string, Record<string, number>[]>(works.map(([name]) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, rows, spread] of works) {
      expire(database, rows, spread, Date.now() - CLOCK_TOLERANCE);
      times = [];
      answer = Promise.withResolvers();
      child.send("go");
      const { stall, cpu } = (await answer.promise) as Stretch;
      const sorted = times.toSorted((one, other) => one - other);
      const left = database
        .query<{ left: number }, [number]>(
          "SELECT count(*) AS left FROM bunpie_sessions WHERE expires_at <= ?",
        )
        .get(Date.now() - CLOCK_TOLERANCE);
      // The first round warms up.
      if (round === 0) continue;
      results.get(name)?.push({
        "requests/s": sorted.length / SECONDS,
        "µs CPU": cpu / sorted.length,
        "p50 ms": sorted[Math.floor(sorted.length * 0.5)] ?? 0,
        "p99 ms": sorted[Math.floor(sorted.length * 0.99)] ?? 0,
        "stall ms": stall,
        "rows left": left?.left ?? 0,
      });
    }
  }
  traffic.isOver = true;
  await visitors;
  child.kill();
  await child.exited;
  database.close();
  rmSync(folder, { recursive: true });
  console.info(`Medians of ${ROUNDS} stretches of ${SECONDS} s each, in turn:`);
  console.table(Object.fromEntries([...results].map(([name, runs]) => [name, findMedians(runs)])));
}

/** Adds rows that expire one after the other within `spread` milliseconds, from `first` on. */
function expire(database: Database, rows: number, spread: number, first: number): void {
  if (rows === 0) return;
  database.run("PRAGMA busy_timeout = 10000");
  database.run(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
     ${INSERT} SELECT substr(hex(randomblob(22)), 1, 43), '{"visits":1}', 1, ?2, ?2, ?2 + i * ?3 / ?1 FROM n`,
    [rows, Math.floor(first), spread],
  );
}

function findMedians(runs: readonly Record<string, number>[]): Record<string, number> {
  const median = (name: string): number => {
    const values = runs.map((run) => run[name] ?? 0).toSorted((one, other) => one - other);
    return Number((values[Math.floor(values.length / 2)] ?? 0).toFixed(2));
  };
  return Object.fromEntries(Object.keys(runs[0] ?? {}).map((name) => [name, median(name)]));
}
