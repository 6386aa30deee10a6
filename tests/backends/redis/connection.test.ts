import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";

import { RedisConnection } from "../../../src/backends/redis/connection.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";
import { brittle, Keyspace, redis } from "../../support/servers/redis.ts";
import { TcpProxy } from "../../support/servers/tcp-proxy.ts";

/** For replies that come: longer than any machine takes. For those that do not come: short. */
const REPLY_TIMEOUT = 60_000;
const HASTY_TIMEOUT = 200;

/** How long a lost connection may go unnoticed, in milliseconds: 50 times as long as on a quiet machine. */
const NOTICED = HASTY_TIMEOUT * 1.25 * 50;

const LOST = /^Error: Redis at [\w.:]+ (.*)\. The command may or may not have been carried out\.$/;

/** How a command ends, and after how many milliseconds. */
async function outcome(reply: Promise<unknown>): Promise<{ text: string; after: number }> {
  const begun = performance.now();
  const text = await reply.then(String, String);
  return { text, after: performance.now() - begun };
}

/** Settles once it answers, however often it is too hasty for that. */
async function untilThere(connection: RedisConnection): Promise<void> {
  while ((await outcome(connection.send("PING", []))).text !== "PONG") await Bun.sleep(1);
}

describe.skipIf(!redis.isThere)("a connection to Redis", () => {
  let space: Keyspace;
  let proxy: TcpProxy;
  let url: string;
  let connection: RedisConnection;
  /** By how much `performance.now()` is ahead of itself, in milliseconds. */
  let ahead = 0;
  let clock: { mockRestore(): void };

  beforeEach(async () => {
    space = new Keyspace();
    ({ proxy, url } = await brittle(redis.url));
    connection = new RedisConnection(url, REPLY_TIMEOUT);
    const read = performance.now.bind(performance);
    clock = spyOn(performance, "now").mockImplementation(() => read() + ahead);
  });
  afterEach(async () => {
    clock.mockRestore();
    connection.close();
    await proxy[Symbol.asyncDispose]();
    await space.drop();
  });

  const ping = (by = connection): Promise<unknown> => by.send("PING", []);
  const count = (): Promise<unknown> => connection.send("INCR", [`${space.prefix}count`]);

  test("is made on demand, and shared by all concurrent requests", async () => {
    expect(proxy.connections).toBe(0);
    const pings = Array.from({ length: 50 }, () => ping());
    expect(await Promise.all(pings)).toEqual(Array<string>(50).fill("PONG"));
    expect(await ping()).toBe("PONG");
    expect(proxy.connections).toBe(1);
  });

  test("passes on an error of the server unchanged, and stays open", async () => {
    await connection.send("SET", [`${space.prefix}text`, "a"]);
    const { text } = await outcome(connection.send("INCR", [`${space.prefix}text`]));
    expect(text).toEndWith(": ERR value is not an integer or out of range");
    expect(await ping()).toBe("PONG");
    expect(proxy.connections).toBe(1);
  });

  describe("while nothing listens", () => {
    test("fails at once, and is there again with the server", async () => {
      await ping();
      proxy.refuse();
      // It waits for nothing: least of all for the minute that a reply may take.
      const patient = new RedisConnection(url, 60_000);
      const pings = Array.from({ length: 1000 }, () => patient.send("PING", []));
      const { text, after } = await outcome(Promise.any(pings));
      expect(text).toContain("AggregateError");
      expect(after).toBeLessThan(30_000);
      await proxy.pass();
      ahead += 100;
      expect(await patient.send("PING", [])).toBe("PONG");
      patient.close();
    });

    test("is attempted at most ten times a second", async () => {
      let now = 0;
      using _ = spyOn(performance, "now").mockImplementation(() => now);
      proxy.target = 1;
      for (const [time, attempts] of [
        [0, 1],
        [99, 1],
        [100, 2],
        [199, 2],
        [200, 3],
      ] as const) {
        now = time;
        expect((await outcome(ping())).text).toContain("cannot be reached");
        // Each attempt is one connection, and one more to find out why it failed.
        expect(proxy.connections).toBe(2 * attempts);
      }
    });

    test("sends nothing later that was asked before", async () => {
      await count();
      proxy.refuse();
      await Promise.allSettled(Array.from({ length: 10 }, count));
      await proxy.pass();
      ahead += 100;
      expect(await count()).toBe(2);
    });
  });

  test("is given up if it is not made in time", async () => {
    proxy.swallow();
    const hasty = new RedisConnection(url, HASTY_TIMEOUT);
    const { text, after } = await outcome(hasty.send("PING", []));
    expect(text).toContain("cannot be reached: it does not answer in time.");
    expect(after).toBeWithin(HASTY_TIMEOUT - 20, NOTICED);
    await proxy.pass();
    ahead += 100;
    await untilThere(hasty);
  });

  test("is replaced if no reply comes", async () => {
    const hasty = new RedisConnection(url, HASTY_TIMEOUT);
    await untilThere(hasty);
    const { connections } = proxy;
    proxy.swallow();
    const lost = await Promise.all([outcome(ping(hasty)), outcome(ping(hasty))]);
    await proxy.pass();
    for (const { text, after } of lost) {
      expect(LOST.exec(text)?.[1]).toBe(`did not answer for ${HASTY_TIMEOUT} ms`);
      expect(after).toBeWithin(HASTY_TIMEOUT - 20, NOTICED);
    }
    await untilThere(hasty);
    expect(proxy.connections).toBeGreaterThan(connections);
  });

  test("is kept if this process was suspended", async () => {
    const hasty = new RedisConnection(url, HASTY_TIMEOUT);
    await untilThere(hasty);
    const { connections } = proxy;
    const reply = ping(hasty);
    const until = performance.now() + HASTY_TIMEOUT * 3;
    while (performance.now() < until);
    expect(await reply).toBe("PONG");
    expect(proxy.connections).toBe(connections);
  });

  test.each([0, 1, 2])(
    "cut after %d bytes of a reply, fails and sends nothing twice",
    async (after) => {
      expect(await count()).toBe(1);
      proxy.cut(after);
      const { text } = await outcome(count());
      await proxy.pass();
      expect(LOST.exec(text)?.[1]).toBe("closed the connection before it answered");
      expect(await space.send("GET", "count")).toBe("2");
      expect(await count()).toBe(3);
    },
  );

  test("is replaced after a minute of silence, because firewalls may have dropped it", async () => {
    let now = 0;
    using _ = spyOn(performance, "now").mockImplementation(() => now);
    await ping();
    now += 59_999;
    await ping();
    expect(proxy.connections).toBe(1);
    now += 60_000;
    await Promise.all([ping(), ping()]);
    expect(proxy.connections).toBe(2);
    const waiting = connection.send("BLPOP", [`${space.prefix}nothing`, "0.05"]);
    now += 60_000;
    await Promise.all([ping(), waiting]);
    expect(proxy.connections).toBe(2);
  });

  test("shows the server's name and never the password", async () => {
    const { host } = new URL(url);
    const secret = new RedisConnection(`redis://user:secret@${host}/3`, 20 * REPLY_TIMEOUT);
    const error: unknown = await secret.send("PING", []).catch((reason: unknown) => reason);
    expect(String(error)).toBe(
      `Error: Redis at ${host} cannot be reached: it does not accept the URL's user name and password ` +
        "(WRONGPASS invalid username-password pair or user is disabled.). Correct the URL.",
    );
    expect(Bun.inspect(error)).not.toContain("secret");
    expect((error as Error).cause).toBeInstanceOf(Error);
  });

  test("fails for a database that the server does not have", async () => {
    const wrong = new RedisConnection(new URL("/9999", url).href, REPLY_TIMEOUT);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect((await outcome(wrong.send("PING", []))).text).toContain("DB index is out of range");
    }
  });

  test("does not keep its process alive", async () => {
    const code = `
      import { RedisConnection } from ${JSON.stringify(join(import.meta.dir, "../../../src/backends/redis/connection.ts"))};
      console.log(await new RedisConnection("${redis.url}", 60_000).send("PING", []));
    `;
    const child = Bun.spawn([process.execPath, "-e", code]);
    expect(await child.stdout.text()).toBe("PONG\n");
    expect(await child.exited).toBe(0);
  });
});

describe.skipIf(!hasRedisServer)("a connection to a Redis server", () => {
  test("is kept while replies come, however long the last one takes", async () => {
    await using server = await RedisServer.start();
    const connection = new RedisConnection(server.url, 800);
    await connection.send("PING", []);
    const replies: Promise<unknown>[] = [];
    // Each is asked for while the server is busy with the one before it, so that something is awaited
    // for longer than the timeout. What the server reads at once, it answers at once.
    for (let index = 0; index < 3; index++) {
      await replies[index - 2];
      await Bun.sleep(100);
      replies.push(connection.send("DEBUG", ["SLEEP", "0.5"]));
    }
    expect(await Promise.all(replies)).toEqual(["OK", "OK", "OK"]);
    connection.close();
  });

  test("leads to the new primary once the old one has been demoted", async () => {
    await using old = await RedisServer.start();
    await using fresh = await RedisServer.start();
    await using proxy = await TcpProxy.to(old.port);
    const connection = new RedisConnection(`redis://127.0.0.1:${proxy.port}`, 20 * REPLY_TIMEOUT);
    await connection.send("SET", ["key", "old"]);
    await old.command("REPLICAOF", "127.0.0.1", "1");
    proxy.target = fresh.port;
    const refused = connection.send("SET", ["key", "new"]);
    const slow = connection.send("XREAD", ["BLOCK", "100", "STREAMS", "nothing", "$"]);
    expect(await refused.then(String, String)).toContain("READONLY You can't write");
    expect(await connection.send("SET", ["key", "new"])).toBe("OK");
    expect(await fresh.command("GET", "key")).toBe("new");
    expect(await slow).toBeNull();
    connection.close();
  });
});
