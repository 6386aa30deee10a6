import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import { subscribe } from "../../../src/backends/redis/subscribe.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";
import { becomesTrue } from "../../../src/testing/until.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";

const TIMEOUT = 20_000;
setDefaultTimeout(TIMEOUT + 10_000);

/** Notes what a listener is told; `"?"` where some may have ended. */
function record() {
  const told: string[] = [];
  return { told, listen: (ids: readonly string[] = ["?"]) => void told.push(...ids) };
}

async function hears(told: readonly string[], what: string): Promise<void> {
  expect(await becomesTrue(TIMEOUT, async () => told.includes(what))).toBe(true);
}

/** A client that can do the least that is asked of one. */
const LEAST = { send: async (): Promise<unknown> => null };

describe.skipIf(!hasRedisServer)("RedisSessionBackend.watchEnds", () => {
  const opened: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
  });

  async function serve(): Promise<RedisServer> {
    const server = await RedisServer.start();
    opened.push(server);
    return server;
  }

  function open(...args: ConstructorParameters<typeof RedisSessionBackend>): RedisSessionBackend {
    const backend = new RedisSessionBackend(...args);
    opened.push({ [Symbol.asyncDispose]: () => backend.close() });
    return backend;
  }

  /** A client with Bun's own settings: it connects again by itself. */
  function makeClient(server: RedisServer): Bun.RedisClient {
    const client = new Bun.RedisClient(server.url);
    opened.push({ [Symbol.asyncDispose]: async () => client.close() });
    return client;
  }

  test.each([
    ["a URL", (server: RedisServer) => server.url],
    ["a client of the app's", makeClient],
  ] as const)("subscribes again, given %s, when the connection is lost", async (_, source) => {
    const server = await serve();
    const backend = open(source(server));
    const { told, listen } = record();
    const stop = await backend.watchEnds(listen);
    const end = async (): Promise<string> => {
      const id = randomId();
      await backend.create(id, makeRecord());
      await backend.delete(id);
      return id;
    };
    for (let round = 0; round < 2; round++) {
      await hears(told, await end());
      expect(await server.command("CLIENT", "KILL", "TYPE", "pubsub")).toBe(1);
      await hears(told, "?");
      told.length = 0;
    }
    await hears(told, await end());
    expect(told).toHaveLength(1);
    await stop?.();
    const isLeft = async (): Promise<boolean> =>
      String(await server.command("PUBSUB", "NUMSUB", "bunpie:ends")) === "bunpie:ends,0";
    expect(await becomesTrue(TIMEOUT, isLeft)).toBe(true);
  });

  test("retries for as long as the server is away, and no longer once it is stopped", async () => {
    const server = await serve();
    const { told, listen } = record();
    const stop = await open(server.url).watchEnds(listen);
    await server.kill();
    await server.start();
    await hears(told, "?");
    await stop?.();
    let attempts = 0;
    const lost = Promise.withResolvers<void>();
    const stopFailing = await subscribe(
      async () => {
        attempts++;
        if (attempts === 1) return makeClient(server);
        if (attempts === 3) lost.resolve();
        throw new Error("There is no connection.");
      },
      "ends",
      listen,
    );
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await lost.promise;
    await stopFailing();
    expect(attempts).toBe(3);
  });

  test("closes a connection that is made after it was stopped", async () => {
    const server = await serve();
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const clients: Bun.RedisClient[] = [];
    const stop = await subscribe(
      async () => {
        if (clients.length > 0) {
          reached.resolve();
          await gate.promise;
        }
        const client = makeClient(server);
        clients.push(client);
        return client;
      },
      "ends",
      () => undefined,
    );
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await reached.promise;
    await stop();
    gate.resolve();
    const isClosed = async (): Promise<boolean> => clients[1]?.connected === false;
    expect(await becomesTrue(TIMEOUT, isClosed)).toBe(true);
  });

  test("L6: lets a user log out who may not publish", async () => {
    const server = await serve();
    await server.command("ACL", "SETUSER", "app", "on", ">secret", "~*", "resetchannels", "+@all");
    const url = server.url.replace("redis://", "redis://app:secret@");
    const backend = open(url);
    const id = randomId();
    const old = makeRecord({ userId: "Ann" });
    await backend.create(id, old);
    const newId = randomId();
    expect(await backend.rotate(id, newId, { ...old, version: 2 }, old)).toBe(true);
    expect(await backend.delete(newId)).toBeUndefined();
    expect(await backend.read(newId)).toBeUndefined();
    const refused = (async () => backend.watchEnds(() => undefined))();
    expect(await refused.catch((error: Error) => error.message)).toContain("NOPERM");
    await server.command("ACL", "SETUSER", "app", "&bunpie:ends");
    const { told, listen } = record();
    const stop = await backend.watchEnds(listen);
    await backend.delete(newId);
    await hears(told, newId);
    await stop?.();
  });

  test("does nothing with a client that has no duplicate(), and fails once closed", async () => {
    expect(open(LEAST).watchEnds(() => undefined)).toBeUndefined();
    const backend = open(LEAST);
    await backend.close();
    expect(() => backend.watchEnds(() => undefined)).toThrow("The session store is closed.");
  });
});
