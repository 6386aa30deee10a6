import { describe, expect, test } from "bun:test";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import type { RedisLike } from "../../../src/backends/redis/connection.ts";
import { NotSent } from "../../../src/backends/redis/errors.ts";
import { OwnClient } from "../../../src/backends/redis/own-client.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";

const GIVEN_UP =
  /^Error: The Bun\.RedisClient no longer reconnects: .* Call its `connect\(\)`, or pass a URL/;
const NOT_CONNECTED =
  /^Error: The Bun\.RedisClient is not connected\. Call `await client\.connect\(\)` at start-up\./;

describe.skipIf(!hasRedisServer)("a client of the app's own", () => {
  test("is reported if it has given up reconnecting, and is connected again by ready()", async () => {
    await using server = await RedisServer.start();
    const client = new Bun.RedisClient(server.url, { enableOfflineQueue: false, maxRetries: 1 });
    const backend = new RedisSessionBackend(client);
    await backend.ready();
    await backend.create("id", makeRecord());

    await server.kill();
    let told = "";
    while (!GIVEN_UP.test(told)) {
      told = await backend.delete("id").then(String, String);
      await Bun.sleep(1);
    }
    expect(await backend.read("id").then(String, String)).toMatch(GIVEN_UP);

    await server.start();
    expect(await backend.read("id").then(String, String)).toMatch(GIVEN_UP);
    await backend.ready();
    expect(await backend.create("id", makeRecord())).toBe(true);
    client.close();
    expect(await backend.read("id").then(String, String)).toMatch(GIVEN_UP);
  });

  test("is reported if it was never connected and has no offline queue", async () => {
    await using server = await RedisServer.start();
    const client = new Bun.RedisClient(server.url, { enableOfflineQueue: false });
    const backend = new RedisSessionBackend(client);
    expect(await backend.create("id", makeRecord()).then(String, String)).toMatch(NOT_CONNECTED);
    await client.connect();
    expect(await backend.create("id", makeRecord())).toBe(true);
    client.close();
  });

  test("makes ready() fail, without waiting forever, if its server is away", async () => {
    const client = new Bun.RedisClient("redis://127.0.0.1:1");
    const failure: unknown = await new OwnClient(client, 50).connect().catch((error) => error);
    expect(failure).toBeInstanceOf(NotSent);
    expect(String(failure)).toContain("Check its URL, user and certificates");
    expect(String((failure as Error).cause)).toBe("Error: No connection after 50 ms.");
    client.close();
  });

  test("is used as it is if it cannot say whether it is connected", async () => {
    const failure = new Error("Connection has failed");
    const client: RedisLike = { send: () => Promise.reject(failure) };
    const own = new OwnClient(client);
    await own.connect();
    expect(await own.send("GET", ["key"]).catch((error: unknown) => error)).toBe(failure);
  });
});
