import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import type { RedisLike } from "../../../src/backends/redis/connection.ts";
import { RedisConnection } from "../../../src/backends/redis/connection.ts";
import { Script } from "../../../src/backends/redis/scripts.ts";
import { RedisWriter } from "../../../src/backends/redis/writer.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";
import { brittle, Keyspace, redis } from "../../support/servers/redis.ts";
import type { TcpProxy } from "../../support/servers/tcp-proxy.ts";
import { describeLong } from "../../support/trials.ts";

/** How long a write may take to reach the server, in milliseconds. */
const REPLY_TIMEOUT = 1_000;

/** The same where six servers are tried at once. */
const HELD_BACK = 5_000;

/** So long that whoever waited for it would be found out on any machine. */
const A_MINUTE = 60_000;

const COUNT = new Script('return redis.call("INCR", KEYS[1])');

describe.skipIf(!redis.isThere)("a write to Redis", () => {
  let space: Keyspace;
  let proxy: TcpProxy;
  let url: string;
  let connection: RedisConnection;
  let writer: RedisWriter;

  beforeEach(async () => {
    space = new Keyspace();
    ({ proxy, url } = await brittle(redis.url));
    connection = new RedisConnection(url, REPLY_TIMEOUT);
    writer = new RedisWriter(connection, REPLY_TIMEOUT);
  });
  afterEach(async () => {
    connection.close();
    await proxy[Symbol.asyncDispose]();
    await space.drop();
  });

  /** Counts by a script, and gives what came out, and after how many milliseconds. */
  async function count(by = writer): Promise<{ text: string; after: number }> {
    const begun = performance.now();
    const text = await by.run(COUNT, [`${space.prefix}count`], ["0", ""]).then(String, String);
    return { text, after: performance.now() - begun };
  }

  test("fails at once if there is no connection, because it can have no effect", async () => {
    await count();
    proxy.refuse();
    while (!String(await connection.send("PING", []).catch(String)).includes("cannot be reached"));
    const { text, after } = await count(new RedisWriter(connection, A_MINUTE));
    expect(text).toContain("cannot be reached");
    expect(after).toBeLessThan(A_MINUTE / 2);
  });

  test("fails at once if the server refuses it", async () => {
    await count();
    await space.send("SET", "count", "many");
    const { text, after } = await count(new RedisWriter(connection, A_MINUTE));
    expect(text).toContain("ERR value is not an integer");
    expect(after).toBeLessThan(A_MINUTE / 2);
  });

  test("does not fail before it is certain to have no later effect", async () => {
    await count();
    proxy.hold();
    const counting = count();
    while (proxy.held === 0) await Bun.sleep(1);
    proxy.refuse();
    const { text, after } = await counting;
    expect(text).toContain("closed the connection before it answered");
    expect(after).toBeGreaterThanOrEqual(REPLY_TIMEOUT - 1);
  });

  test("is executed even if the server's clock was set", async () => {
    await count();
    let lag = 3_600;
    const asked: string[] = [];
    const server: RedisLike = {
      async send(command, args) {
        asked.push(command);
        const reply = await connection.send(command, args);
        if (command !== "TIME") return reply;
        const [seconds, microseconds] = reply as [string, string];
        return [String(Number(seconds) - lag), microseconds];
      },
    };
    const one = new RedisWriter(server, REPLY_TIMEOUT);
    expect((await count(one)).text).toContain("LATE The script reached the server too late");
    expect(asked).toEqual(["TIME", "EVALSHA", "TIME", "EVALSHA"]);
    lag = 0;
    expect(await count(one)).toMatchObject({ text: "2" });
    expect(asked).toHaveLength(7);
    expect(await count(one)).toMatchObject({ text: "3" });
    expect(asked).toHaveLength(8);
  });

  test("asks for the server's time once a minute", async () => {
    let now = 0;
    using _ = spyOn(performance, "now").mockImplementation(() => now);
    const send = spyOn(connection, "send");
    const times = (): number => send.mock.calls.filter(([command]) => command === "TIME").length;
    await count();
    now += 59_999;
    await count();
    expect(times()).toBe(1);
    now += 1;
    expect(await count()).toMatchObject({ text: "3" });
    expect(times()).toBe(2);
  });

  test("is not executed late, even if a client keeps it until the server is back", async () => {
    const client = new Bun.RedisClient(url);
    const backend = new RedisSessionBackend(client, { prefix: space.prefix });
    await backend.create("id", makeRecord());
    proxy.refuse();
    while (client.connected) await Bun.sleep(1);
    const begun = performance.now();
    const ending = backend.delete("id").then(String, String);
    await Bun.sleep(800);
    await proxy.pass();
    expect(await ending).toContain("LATE The script reached the server too late");
    expect(performance.now() - begun).toBeGreaterThan(800);
    expect(await backend.read("id")).toMatchObject({ version: 1 });
    client.close();
  });
});

describeLong(hasRedisServer, "a write that a network holds back", () => {
  const record = makeRecord({ userId: "Ann" });

  // Side by side, because each has to wait for its time to be over.
  test.concurrent.each<[string, (backend: RedisSessionBackend) => Promise<unknown>]>([
    ["create", (backend) => backend.create("new", makeRecord({ userId: "Ann" }))],
    ["replace", (backend) => backend.replace("id", makeRecord({ version: 2 }), makeRecord())],
    ["update", (backend) => backend.replace("id", { ...record, version: 2 }, record)],
    ["rotate", (backend) => backend.rotate("id", "new", makeRecord({ version: 2 }), makeRecord())],
    ["touch", (backend) => backend.touch("id", Date.now() + 60_000)],
    ["delete", (backend) => backend.delete("id")],
    ["deleteAll", (backend) => backend.deleteAll("Ann", undefined, 10)],
  ])(
    "has no effect once it has failed: %s",
    async (_, write) => {
      await using server = await RedisServer.start();
      await using line = (await brittle(server.url)).proxy;
      const url = `redis://127.0.0.1:${line.port}`;
      const backend = new RedisSessionBackend(url, { replyTimeout: HELD_BACK });
      await backend.create("id", record);
      await write(backend);
      for (const id of ["id", "new"]) await backend.delete(id);
      await backend.create("id", record);
      line.hold();
      expect(await write(backend).then(String, String)).toContain(
        "may or may not have been carried out",
      );
      const calls = await server.calls("evalsha");
      await line.pass();
      while ((await server.calls("evalsha")) === calls) await Bun.sleep(1);
      expect(await backend.read("id")).toEqual(record);
      expect(await backend.read("new")).toBeUndefined();
      await backend.close();
    },
    60_000,
  );
});
