import { describe } from "bun:test";

import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { hasRedisServer, RedisServer } from "../support/redis-server.ts";
import { brittle, Keyspace, redis } from "../support/redis.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { Trial } from "./figure.ts";
import { guarantee } from "./figure.ts";
import type { Mend } from "./outages.ts";
import { liveThrough } from "./outages.ts";

function outage(what: string, show: (trial: Trial) => Promise<void>): void {
  guarantee(
    {
      id: "G11",
      name: `Redis ${what}: 503 in time, pages for who has no session, nothing acknowledged lost, and all well a second later`,
      quick: 1,
      full: 40,
      of: "outages",
    },
    show,
  );
}

/** How the line to the server breaks. */
const FAULTS: readonly [string, (proxy: TcpProxy, trial: Trial) => void][] = [
  ["refuses connections", (proxy) => proxy.refuse()],
  ["is behind a network that swallows everything", (proxy) => proxy.swallow()],
  ["is behind a network that delivers everything late", (proxy) => proxy.hold()],
  ["is cut off in the middle of replies", (proxy, trial) => proxy.cut(trial.random(300))],
];

describe.skipIf(!redis.isThere)("outages of the line to Redis", () => {
  for (const [what, fault] of FAULTS) {
    outage(what, async (trial) => {
      await using space = new Keyspace();
      const { proxy, url } = await brittle(redis.url);
      await using _ = proxy;
      const backend = new RedisSessionBackend(url, { prefix: space.prefix });
      await liveThrough(trial, backend, (): Mend => {
        fault(proxy, trial);
        return () => proxy.pass();
      });
    });
  }
});

describe.skipIf(!hasRedisServer)("outages of Redis", () => {
  outage("stands still", async (trial) => {
    await using server = await RedisServer.start();
    await liveThrough(trial, new RedisSessionBackend(server.url), (): Mend => {
      server.freeze();
      return () => server.thaw();
    });
  });

  outage("is killed, and reads its log when it comes back", async (trial) => {
    await using server = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    await liveThrough(trial, new RedisSessionBackend(server.url), async (): Promise<Mend> => {
      await server.kill();
      return () => server.start();
    });
  });

  outage("has no memory left", async (trial) => {
    await using server = await RedisServer.start();
    await liveThrough(trial, new RedisSessionBackend(server.url), async (): Promise<Mend> => {
      await server.command("CONFIG", "SET", "maxmemory", "1");
      return () => server.command("CONFIG", "SET", "maxmemory", "0");
    });
  });
});
