// `bun bench/remote.ts redis|postgres [rounds]`: CPU time of this process and of the store's server for each visit
// to a counter on `App`, beside a counter that is written by hand; both in turn, with 1 and 100 concurrent visits.
// Starts and stops a server of its own.
import { readdirSync, readFileSync } from "node:fs";

import { App } from "../src/app/app.ts";
import { PostgresSessionBackend } from "../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../src/backends/redis/backend.ts";
import type { SessionBackend } from "../src/store/backend.ts";
import { PostgresServer } from "../tests/support/servers/postgres-server.ts";
import { RedisServer } from "../tests/support/servers/redis-server.ts";
import { createId } from "./servers/by-hand.ts";

const SESSIONS = 500;
const EIGHT_HOURS = 8 * 60 * 60;
const AT_ONCE = [1, 100];
/** Visits in a round: few enough for many rounds, and enough for a clock with a resolution of 10 ms. */
const VISITS: Readonly<Record<number, number>> = { 1: 1_000, 100: 10_000 };

type Visit = (request: Request) => Promise<Response>;

/** A server, and the two counters that keep their sessions there. */
interface Setting extends AsyncDisposable {
  readonly backend: SessionBackend;
  readonly byHand: Visit;
  /** The CPU time that the server has used so far, in microseconds. */
  serverTime(): Promise<number>;
}

class Counter extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }
}

const [, , store, rounds = "15"] = process.argv;
await using setting = await (store === "postgres" ? usePostgres() : useRedis());
const app = new Counter({ sessionBackend: setting.backend });
const counters: Readonly<Record<string, Visit>> = {
  "by hand": setting.byHand,
  App: async (request) => app.fetch(request),
};
const cookies = new Map<string, string[]>();
for (const [name, visit] of Object.entries(counters)) {
  const ids = Array.from({ length: SESSIONS }, async () => {
    const response = await visit(new Request("http://localhost/"));
    return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  });
  cookies.set(name, await Promise.all(ids));
}

for (const atOnce of AT_ONCE) {
  const best = new Map<string, Cost>();
  for (let round = 0; round < Number(rounds); round++) {
    for (const [name, visit] of Object.entries(counters)) {
      const cost = await run(visit, cookies.get(name) ?? [], atOnce);
      const known = best.get(name) ?? cost;
      best.set(name, {
        client: Math.min(known.client, cost.client),
        server: Math.min(known.server, cost.server),
        both: Math.min(known.both, cost.both),
        elapsed: Math.min(known.elapsed, cost.elapsed),
      });
    }
  }
  const base = best.get("by hand");
  for (const [name, cost] of best) {
    const columns = (["client", "server", "both", "elapsed"] as const).map((what) => {
      const ratio = (cost[what] / (base?.[what] ?? 0)).toFixed(2);
      return `${what} ${cost[what].toFixed(1).padStart(6)} µs (${ratio} ×)`;
    });
    console.info(`${name.padEnd(8)} ${String(atOnce).padStart(3)} at once  ${columns.join("  ")}`);
  }
}
await app.sessions.close();

/** What a visit costs, in microseconds. */
interface Cost {
  readonly client: number;
  readonly server: number;
  /** CPU time of the client and of the server. */
  readonly both: number;
  readonly elapsed: number;
}

async function run(visit: Visit, ids: readonly string[], atOnce: number): Promise<Cost> {
  const visits = VISITS[atOnce] ?? 0;
  let left = visits;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const cookie = ids[left % SESSIONS] ?? "";
      await (await visit(new Request("http://localhost/", { headers: { cookie } }))).text();
    }
  };
  const serverBefore = await setting.serverTime();
  const [begun, before] = [performance.now(), process.cpuUsage()];
  await Promise.all(Array.from({ length: atOnce }, work));
  const { user, system } = process.cpuUsage(before);
  const elapsed = (performance.now() - begun) * 1000;
  const client = (user + system) / visits;
  const server = ((await setting.serverTime()) - serverBefore) / visits;
  return { client, server, both: client + server, elapsed: elapsed / visits };
}

/** A counter with a minimal session layer: the last write wins. */
function countByHand(
  load: (id: string) => Promise<string | undefined>,
  save: (id: string, data: string) => Promise<unknown>,
): Visit {
  return async (request) => {
    const known = new Bun.CookieMap(request.headers.get("cookie") ?? "").get("session_id");
    const id = known ?? createId();
    const session = JSON.parse((await load(id)) ?? "{}") as { visits?: number };
    session.visits = (session.visits ?? 0) + 1;
    await save(id, JSON.stringify(session));
    const response = new Response(`You have visited ${session.visits} times.`);
    if (known === null) response.headers.set("set-cookie", `session_id=${id}; HttpOnly`);
    return response;
  };
}

async function useRedis(): Promise<Setting> {
  const server = await RedisServer.start();
  const client = new Bun.RedisClient(server.url);
  return {
    backend: new RedisSessionBackend(server.url),
    byHand: countByHand(
      async (id) => (await client.get(id)) ?? undefined,
      (id, data) => client.send("SET", [id, data, "EX", String(EIGHT_HOURS)]),
    ),
    async serverTime() {
      const info = String(await client.send("INFO", ["cpu"]));
      const seconds = [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)];
      return seconds.reduce((sum, [, used]) => sum + Number(used), 0) * 1_000_000;
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function usePostgres(): Promise<Setting> {
  const server = await PostgresServer.start();
  const sql = new Bun.SQL(server.url);
  await sql`CREATE TABLE by_hand (id text PRIMARY KEY, data text NOT NULL, expires_at bigint NOT NULL)`;
  return {
    backend: new PostgresSessionBackend(server.url),
    byHand: countByHand(
      async (id) => {
        const [row] =
          await sql`SELECT data FROM by_hand WHERE id = ${id} AND expires_at > ${Date.now()}`;
        return row?.data;
      },
      (id, data) => sql`
        INSERT INTO by_hand VALUES (${id}, ${data}, ${Date.now() + EIGHT_HOURS * 1000})
        ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
    ),
    async serverTime() {
      const backends = await sql`SELECT pid FROM pg_stat_activity`;
      return backends.reduce((sum: number, { pid }: { pid: number }) => sum + readTime(pid), 0);
    },
    async [Symbol.asyncDispose]() {
      await sql.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The CPU time of all threads of a process, in microseconds. */
function readTime(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1000;
}
