import { Database } from "bun:sqlite";

import { Folder } from "../support/folder.ts";
import { PostgresServer } from "../support/servers/postgres-server.ts";
import { RedisServer } from "../support/servers/redis-server.ts";
import { TcpProxy } from "../support/servers/tcp-proxy.ts";

/** Whole numbers below the limit. */
export type Random = (limit: number) => number;

/** What is done to a store: begins it, and settles once all is well again. */
export interface StoreFault {
  readonly name: string;
  run(random: Random): Promise<void>;
}

/** Where the sessions are, and what can go wrong there. */
export interface ChaosStore extends AsyncDisposable {
  readonly name: StoreName;
  /** What each of the servers is told to connect to. */
  readonly targets: readonly string[];
  readonly faults: readonly StoreFault[];
  /** Whether the documentation says that what was answered with 503 is not carried out later. */
  readonly isRefusalFinal: boolean;
}

/** Rows stay locked for milliseconds at each commit, so that others come between more often. */
const SLOW_COMMITS = ["fsync=on", "commit_delay=3000", "commit_siblings=0"];

const STARTS = {
  sqlite: startSqlite,
  redis: startRedis,
  postgres: startPostgres,
  /** A folder, for servers that know no store. */
  files: startFiles,
};
export type StoreName = keyof typeof STARTS;

export function startStore(name: StoreName, servers: number): Promise<ChaosStore> {
  return STARTS[name](servers);
}

/** How long something stays broken, in milliseconds: mostly short, at times longer than anybody waits. */
export function span(random: Random): number {
  return 50 + random(50) ** 2;
}

async function startFiles(servers: number): Promise<ChaosStore> {
  const folder = new Folder();
  return {
    name: "files",
    targets: Array.from({ length: servers }, () => folder.path),
    faults: [],
    isRefusalFinal: true,
    [Symbol.asyncDispose]: async () => folder.remove(),
  };
}

async function startSqlite(servers: number): Promise<ChaosStore> {
  const folder = new Folder();
  const path = folder.file("sessions.db");
  const lock = async (random: Random): Promise<void> => {
    const client = new Database(path);
    client.run("PRAGMA busy_timeout = 1000");
    try {
      client.run("BEGIN IMMEDIATE");
      await Bun.sleep(span(random));
      client.run("ROLLBACK");
    } catch {
      // Others have held it all the while.
    } finally {
      client.close();
    }
  };
  return {
    name: "sqlite",
    targets: Array.from({ length: servers }, () => path),
    faults: [{ name: "the file locked", run: lock }],
    isRefusalFinal: true,
    [Symbol.asyncDispose]: async () => folder.remove(),
  };
}

async function startRedis(servers: number): Promise<ChaosStore> {
  const redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
  const proxies = await Promise.all(Array.from({ length: servers }, () => TcpProxy.to(redis.port)));
  const kill = async (random: Random): Promise<void> => {
    await redis.kill();
    await Bun.sleep(span(random));
    await redis.start();
  };
  const freeze = async (random: Random): Promise<void> => {
    redis.freeze();
    await Bun.sleep(span(random));
    redis.thaw();
  };
  return {
    name: "redis",
    targets: proxies.map(({ port }) => `redis://127.0.0.1:${port}`),
    faults: [
      { name: "Redis killed", run: kill },
      { name: "Redis stopped", run: freeze },
      ...lineFaults(proxies),
    ],
    isRefusalFinal: true,
    [Symbol.asyncDispose]: async () => {
      for (const proxy of proxies) proxy.refuse();
      await redis[Symbol.asyncDispose]();
    },
  };
}

async function startPostgres(servers: number): Promise<ChaosStore> {
  const postgres = await PostgresServer.start(...SLOW_COMMITS);
  const { port } = new URL(postgres.url);
  const proxies = await Promise.all(
    Array.from({ length: servers }, () => TcpProxy.to(Number(port))),
  );
  const terminate = async (): Promise<void> => {
    const sql = new Bun.SQL(postgres.url, { max: 1 });
    try {
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`;
    } finally {
      await sql.close();
    }
  };
  const crash = async (random: Random): Promise<void> => {
    await postgres.crash();
    await Bun.sleep(span(random));
    await postgres.start();
  };
  return {
    name: "postgres",
    targets: proxies.map((proxy) => {
      const url = new URL(postgres.url);
      url.port = String(proxy.port);
      return url.href;
    }),
    faults: [
      { name: "pg_terminate_backend", run: terminate },
      { name: "pg_terminate_backend", run: terminate },
      { name: "PostgreSQL crashed", run: crash },
      ...lineFaults(proxies),
    ],
    // A statement that the network holds back reaches the server when the app has long given it up.
    isRefusalFinal: true,
    [Symbol.asyncDispose]: async () => {
      for (const proxy of proxies) proxy.refuse();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** One server's line to the store, or all of them at once. */
function lineFaults(proxies: readonly TcpProxy[]): StoreFault[] {
  const broken = (name: string, harm: (proxy: TcpProxy, random: Random) => void): StoreFault => ({
    name,
    run: async (random) => {
      const one = random(proxies.length + 1);
      const chosen = proxies.filter((_, index) => one === proxies.length || index === one);
      for (const proxy of chosen) harm(proxy, random);
      await Bun.sleep(span(random));
      await Promise.all(chosen.map((proxy) => proxy.pass()));
    },
  });
  return [
    broken("connections refused", (proxy) => proxy.refuse()),
    broken("connections cut in replies", (proxy, random) => proxy.cut(random(2_000))),
    broken("bytes held back", (proxy) => proxy.hold()),
    broken("bytes swallowed", (proxy) => proxy.swallow()),
  ];
}
