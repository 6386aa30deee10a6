// `bun bench/postgres.ts [url]`: CPU time of this process for each operation of the PostgreSQL backend,
// beside Bun's own client. Uses a schema of its own in the database, and removes it.
import { PostgresSessionBackend } from "../src/backends/postgres/backend.ts";
import { createId, hashId } from "../src/session/id.ts";
import type { SessionRecord } from "../src/store/record.ts";

const SESSIONS = 2_000;
const OPERATIONS = 40_000;
/** How many operations run concurrently. */
const AT_ONCE = [1, 100];

const [, , server = "postgres://postgres@127.0.0.1:5432/test"] = process.argv;
const schema = `bunpie_bench_${process.pid}`;
const url = new URL(server);
url.searchParams.set("search_path", schema);

const sql = new Bun.SQL(url);
await sql.unsafe(`CREATE SCHEMA ${schema}`);
const direct = new PostgresSessionBackend(url.href);
const pooled = new PostgresSessionBackend(url.href, { pooler: true });
await direct.ready();

const now = Date.now();
const ids = Array.from({ length: SESSIONS }, () => hashId(createId()));
const versions = new Map<string, number>();
for (const id of ids) await direct.create(id, record(1));

const SELECT = `SELECT data, flash, version, created_at, touched_at, expires_at, user_id, authenticated_at,
  remember FROM bunpie_sessions WHERE id = $1`;

for (const atOnce of AT_ONCE) {
  await measure("Bun's client, SELECT", atOnce, (id) => sql.unsafe(SELECT, [id]).values());
  await measure("read", atOnce, (id) => direct.read(id));
  await measure("replace", atOnce, (id) => replace(direct, id));
  await measure("read, pooler: true", atOnce, (id) => pooled.read(id));
  await measure("replace, pooler: true", atOnce, (id) => replace(pooled, id));
}

await Promise.all([direct.close(), pooled.close()]);
await sql.unsafe(`DROP SCHEMA ${schema} CASCADE`);
await sql.close();

async function replace(backend: PostgresSessionBackend, id: string): Promise<void> {
  const version = versions.get(id) ?? 1;
  if (await backend.replace(id, record(version + 1), record(version)))
    versions.set(id, version + 1);
}

/** The best of three runs: other work on the machine only adds to a time. */
async function measure(
  name: string,
  atOnce: number,
  operation: (id: string) => PromiseLike<unknown>,
): Promise<void> {
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    let left = atOnce === 1 ? OPERATIONS / 10 : OPERATIONS;
    const operations = left;
    const work = async (): Promise<void> => {
      while (left-- > 0) await operation(ids[left % SESSIONS] ?? "");
    };
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: atOnce }, work));
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / operations);
  }
  const best = Math.min(...times)
    .toFixed(1)
    .padStart(6);
  console.info(`${name.padEnd(24)} ${String(atOnce).padStart(3)} at once ${best} µs`);
}

function record(version: number): SessionRecord {
  return {
    data: '{"visits":1,"cart":["tea","cup"]}',
    flash: null,
    version,
    createdAt: now,
    touchedAt: now,
    expiresAt: now + 3_600_000,
    userId: null,
    authenticatedAt: null,
    remember: null,
    label: null,
  };
}
