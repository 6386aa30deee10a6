import { Database } from "bun:sqlite";
import { stat } from "node:fs/promises";

import { fillStore } from "./fill.ts";
import { formatNumber, toTable } from "./report.ts";
import { ServerProcess } from "./server-process.ts";
import { bunpieOn } from "./subjects.ts";
import { establish } from "./workloads.ts";
import { CONNECTIONS, load } from "./wrk.ts";

const SECONDS = 2;

/** How much space a session takes in each store, and how much a request writes, as Markdown. */
export async function measureSizes(
  isQuick: boolean,
  progress: (line: string) => void,
): Promise<string> {
  const count = isQuick ? 10_000 : 1_000_000;
  const rows: string[][] = [];
  for (const [name, measure] of [
    ["memory", measureMemory],
    ["SQLite", measureSqlite],
    ["Redis", measureRedis],
    ["PostgreSQL", measurePostgres],
  ] as const) {
    try {
      progress(`${name}: bytes for each session`);
      rows.push([name, ...(await measure(count))]);
    } catch (error) {
      rows.push([name, "not measured", "", error instanceof Error ? error.message : String(error)]);
    }
  }
  return [
    "### Size",
    "How much space a session with `{ visits: 1 }` takes in each store, and how much a counter's request writes to disk.",
    toTable(["", "bytes for each session", "bytes written for each request", "how"], rows),
  ].join("\n\n");
}

type Size = [session: string, request: string, how: string];

async function measureMemory(count: number): Promise<Size> {
  await using server = await ServerProcess.start(bunpieOn("memory"));
  await fillStore(server, 1_000, 1);
  const before = (await server.ask({ name: "collect" })) as Memory;
  await fillStore(server, count, 1);
  const after = (await server.ask({ name: "collect" })) as Memory;
  const resident = formatNumber((after.resident - before.resident) / count);
  const how = `JavaScript heap with ${count.toLocaleString("en")} sessions more; resident memory grew by ${resident}, with what their requests left behind`;
  return [formatNumber((after.heap - before.heap) / count), "0", how];
}

interface Memory {
  readonly resident: number;
  readonly heap: number;
}

async function measureSqlite(count: number): Promise<Size> {
  await using server = await ServerProcess.start(bunpieOn("normal"));
  await fillStore(server, count, 1_000);
  const file = server.place.target;
  const database = new Database(file);
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  const { size } = await stat(file);
  const before = await countWritten(server);
  const { handled } = await loadCounter(server);
  const written = (await countWritten(server)) - before;
  const log = (await stat(`${file}-wal`)).size;
  const how = `file with ${count.toLocaleString("en")} rows; writes as the kernel counts them, of log and file; log afterwards ${formatNumber(log / 2 ** 20)} MB`;
  return [formatNumber(size / count), formatNumber(written / handled), how];
}

async function measureRedis(): Promise<Size> {
  await using server = await ServerProcess.start(bunpieOn("redis"));
  await fillStore(server, 1, 1);
  const client = new Bun.RedisClient(server.place.target);
  const [, keys] = await client.scan("0", "MATCH", `${server.place.name}*`, "COUNT", 1_000_000);
  const sizes = await Promise.all(
    keys.map((key) => client.send("MEMORY", ["USAGE", key]) as Promise<number>),
  );
  client.close();
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return [formatNumber(total), "–", "`MEMORY USAGE` of its keys"];
}

async function measurePostgres(count: number): Promise<Size> {
  await using server = await ServerProcess.start(bunpieOn("postgres"));
  await fillStore(server, count, 1_000);
  const { name, target } = server.place;
  const sql = new Bun.SQL(target, { max: 1 });
  const ask = async (text: string): Promise<number> => {
    const [row] = (await sql.unsafe(text)) as { value: string }[];
    return Number(row?.value);
  };
  const size = await ask(`SELECT pg_total_relation_size('${name}.bunpie_sessions') AS value`);
  const position = "SELECT pg_current_wal_insert_lsn() - '0/0' AS value";
  const before = await ask(position);
  const { handled } = await loadCounter(server);
  const written = (await ask(position)) - before;
  await sql.close();
  const how = `table and indexes with ${count.toLocaleString("en")} rows; write-ahead log of the whole server`;
  return [formatNumber(size / count), formatNumber(written / handled), how];
}

async function loadCounter(server: ServerProcess): Promise<{ handled: number }> {
  const cookies = await establish(server, "/", CONNECTIONS);
  const before = await server.report();
  const requests = cookies.map((cookie) => ({ path: "/", cookie }));
  await load(server.url("/"), { requests }, SECONDS, server.folder);
  const after = await server.drained();
  return { handled: after.handled - before.handled };
}

/** How many bytes the server's processes have written to disk; see `man 5 proc`. */
async function countWritten({ pids }: ServerProcess): Promise<number> {
  const texts = await Promise.all(pids.map((pid) => Bun.file(`/proc/${pid}/io`).text()));
  return texts.reduce((sum, text) => sum + Number(/^write_bytes: (\d+)$/m.exec(text)?.[1]), 0);
}
