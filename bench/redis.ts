// `bun bench/redis.ts [url]`: CPU time of this process and of the server for each operation of the Redis
// backend, beside Bun's own client, and for each visit to a counter, beside one that is written by hand on
// GET and SET. Uses keys of its own, and removes them.
import { App } from "../src/app/app.ts";
import { RedisSessionBackend } from "../src/backends/redis/backend.ts";
import { createId, hashId } from "../src/session/id.ts";
import type { SessionRecord } from "../src/store/record.ts";

const SESSIONS = 2_000;
const OPERATIONS = 40_000;
/** How many operations are under way at once. */
const AT_ONCE = [1, 100];
const EIGHT_HOURS = 8 * 60 * 60;

const [, , url = "redis://127.0.0.1:6379"] = process.argv;
const prefix = `bunpie-bench:${process.pid}:`;
const client = new Bun.RedisClient(url);
const backend = new RedisSessionBackend(url, { prefix });

class Counter extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }
}
const app = new Counter({ sessionBackend: backend });

const now = Date.now();
const ids = Array.from({ length: SESSIONS }, createId);
const versions = new Map<string, number>();
for (const id of ids) await backend.create(hashId(id), record(1));
for (const id of ids) await visitByHand(id);

for (const atOnce of AT_ONCE) {
  await measure("Bun's client, GET", atOnce, (id) => client.get(prefix + id));
  await measure("read", atOnce, (id) => backend.read(hashId(id)));
  await measure("Bun's client, SET", atOnce, (id) =>
    client.send("SET", [prefix + id, '{"visits":1}']),
  );
  await measure("replace", atOnce, replace);
  await measure("counter by hand, GET and SET", atOnce, visitByHand);
  await measure("counter on App", atOnce, async (id) => app.fetch(requestOf(id)));
}

await app.sessions.close();
for (const key of await client.keys(`${prefix}*`)) await client.del(key);
client.close();

async function replace(id: string): Promise<void> {
  const version = versions.get(id) ?? 1;
  if (await backend.replace(hashId(id), record(version + 1), record(version)))
    versions.set(id, version + 1);
}

function requestOf(id: string): Request {
  return new Request("http://localhost/", { headers: { cookie: `session_id=${id}` } });
}

/** What most session layers do, and nothing else: the last one to write wins. */
async function visitByHand(id: string): Promise<Response> {
  const known = new Bun.CookieMap(requestOf(id).headers.get("cookie") ?? "").get("session_id");
  const key = `${prefix}${known}`;
  const session = JSON.parse((await client.get(key)) ?? "{}") as { visits?: number };
  session.visits = (session.visits ?? 0) + 1;
  await client.send("SET", [key, JSON.stringify(session), "EX", String(EIGHT_HOURS)]);
  return new Response(`You have visited ${session.visits} times.`);
}

/** The best of three runs: whatever else the machine does only adds to it. */
async function measure(
  name: string,
  atOnce: number,
  operation: (id: string) => PromiseLike<unknown>,
): Promise<void> {
  const ours: number[] = [];
  const servers: number[] = [];
  for (let run = 0; run < 3; run++) {
    let left = atOnce === 1 ? OPERATIONS / 10 : OPERATIONS;
    const operations = left;
    const work = async (): Promise<void> => {
      while (left-- > 0) await operation(ids[left % SESSIONS] ?? "");
    };
    const serverBefore = await serverTime();
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: atOnce }, work));
    const { user, system } = process.cpuUsage(before);
    ours.push((user + system) / operations);
    servers.push(((await serverTime()) - serverBefore) / operations);
  }
  const [here, there] = [ours, servers].map((times) =>
    Math.min(...times)
      .toFixed(1)
      .padStart(6),
  );
  const load = `${String(atOnce).padStart(3)} at once`;
  console.info(`${name.padEnd(30)} ${load} ${here} µs, and ${there} µs of the server`);
}

/** The CPU time that the server has used so far, in microseconds. */
async function serverTime(): Promise<number> {
  const info = String(await client.send("INFO", ["cpu"]));
  const seconds = [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)].map(([, used]) =>
    Number(used),
  );
  return seconds.reduce((sum, each) => sum + each, 0) * 1_000_000;
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
