import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import type { RedisLike } from "../../../src/backends/redis/connection.ts";
import { checkServer, COMMANDS } from "../../../src/backends/redis/readiness.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { quiet } from "../../support/quiet.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";
import { PATIENT } from "../../support/servers/redis.ts";
import { closeAfterEach } from "../opened.ts";

const SOURCE = join(import.meta.dir, "../../../src/backends/redis");
const GUIDE = readFileSync(join(import.meta.dir, "../../../docs/deploying.md"), "utf8");

/** The rights that the guide tells its reader to grant. */
const [, USER = "", RIGHTS = ""] = /^ACL SETUSER (\w+) on >PASSWORD (.*)$/m.exec(GUIDE) ?? [];
const PREFIX = "bunpie:";

describe("the rights in the guide", () => {
  test("are those for what the backend sends and calls in scripts, and no others", () => {
    const source = ["backend", "scripts", "writer"]
      .map((name) => readFileSync(join(SOURCE, `${name}.ts`), "utf8"))
      .join("\n");
    const sent = [...source.matchAll(/(?:\.send|redis\.p?call)\("([A-Z]+)"/g)].map(
      ([, name]) => name,
    );
    // Without PUBLISH, and SUBSCRIBE on Bun's own client, everything works, but notices arrive late.
    const commands = [...Object.keys(COMMANDS), "PUBLISH"];
    expect([...new Set(sent)].toSorted()).toEqual(commands.toSorted());
    const rights = [...commands, "SUBSCRIBE"].map((name) => `+${name.toLowerCase()}`);
    expect(RIGHTS.split(" ").toSorted()).toEqual(
      ["~bunpie:*", "&bunpie:ends", ...rights].toSorted(),
    );
  });
});

/** All that a session can go through. Fails where one step is refused. */
async function live(store: RedisSessionBackend): Promise<void> {
  const [id, next] = [randomId(), randomId()];
  const record: SessionRecord = makeRecord({ userId: "Ann" });
  await store.create(id, record);
  await store.read(id);
  await store.replace(id, { ...record, version: 2, touchedAt: record.touchedAt + 1 }, record);
  await store.rotate(id, next, { ...record, version: 3 }, { ...record, version: 2 });
  await store.touch(next, record.expiresAt + 1);
  await store.list("Ann", 10);
  await store.delete(next);
  await store.delete(id);
  await store.create(id, record);
  await store.deleteAll("Ann", undefined, 10);
}

describe.skipIf(!hasRedisServer)("ready()", () => {
  let server: RedisServer;
  const closing = closeAfterEach(async () => {
    await server.command("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction");
    await server.command("FLUSHALL");
  });

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  beforeEach(async () => {
    await grant(...RIGHTS.split(" "));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function grant(...rights: string[]): Promise<void> {
    await server.command("ACL", "SETUSER", USER, "reset", "on", ">password", ...rights);
    // The scripts are to be sent again, so that EVAL is needed too.
    await server.command("SCRIPT", "FLUSH");
  }

  const url = (user = `${USER}:password@`): string => server.url.replace("//", `//${user}`);

  function open(source: string | RedisLike = url(), prefix = PREFIX): RedisSessionBackend {
    return closing(new RedisSessionBackend(source, { prefix }));
  }

  test("accepts a user with the rights in the guide, and leaves next to nothing behind", async () => {
    using warn = quiet("warn");
    await open().ready();
    expect(warn).not.toHaveBeenCalled();
    const keys = (await server.command("KEYS", "*")) as string[];
    expect(keys).toHaveLength(1);
    expect(await server.command("PTTL", keys[0] ?? "")).toBeWithin(1, 61_001);
    await live(open());
  });

  test.each(Object.keys(COMMANDS))(
    "names a missing right without which nothing works: %s",
    async (name) => {
      await grant(...RIGHTS.split(" ").filter((right) => right !== `+${name.toLowerCase()}`));
      expect(await open().ready().then(String, String)).toBe(
        `Error: Redis at 127.0.0.1:${server.port} does not let its user ${USER} run ${name}. ` +
          `Grant the rights: ACL SETUSER ${USER} +${name.toLowerCase()}`,
      );
      expect(await live(open()).then(String, String)).toMatch(
        /(NOPERM|can't run this command|ACL failure).*[^.]\. `await backend\.ready\(\)` names the rights that the user lacks\.$/,
      );
    },
  );

  test("names all missing rights", async () => {
    await grant("~bunpie:*", "+@read", "+@scripting");
    expect(await open().ready().then(String, String)).toContain(
      `run PEXPIRE, SET, TIME, UNLINK, ZADD, ZREM. Grant the rights: ACL SETUSER ${USER} +pexpire +set +time +unlink`,
    );
  });

  test.each(["~other:*", "~bunpie:session:*", "%R~bunpie:*"])(
    "names the keys that the user may not use, where they are %s",
    async (keys) => {
      await grant(...RIGHTS.replace("~bunpie:*", keys).split(" "));
      expect(await open().ready().then(String, String)).toBe(
        `Error: Redis at 127.0.0.1:${server.port} does not let its user ${USER} use keys that begin with ` +
          `"bunpie:". Grant the right: ACL SETUSER ${USER} ~bunpie:*`,
      );
    },
  );

  test("names a placeholder for the user of the app's own client", async () => {
    const client = new Bun.RedisClient(url());
    await grant("~*", "+@all", "-time");
    expect(await open(client).ready().then(String, String)).toBe(
      "Error: Redis does not let its user NAME run TIME. Grant the rights: ACL SETUSER NAME +time",
    );
    client.close();
  });

  test.each(["allkeys-lru", "volatile-ttl"])(
    "warns of a policy that evicts sessions: %s",
    async (policy) => {
      using warn = quiet("warn");
      await server.command("CONFIG", "SET", "maxmemory-policy", policy);
      await open(server.url).ready();
      expect(warn).not.toHaveBeenCalled();
      await server.command("CONFIG", "SET", "maxmemory", "1gb");
      await open().ready();
      expect(warn).not.toHaveBeenCalled();
      await open(server.url).ready();
      expect(warn.mock.calls).toEqual([
        [
          `Redis at 127.0.0.1:${server.port} has the maxmemory-policy ${policy}: when its memory is full, it evicts ` +
            "sessions that are in use. Set the policy to noeviction.",
        ],
      ]);
      await grant(...RIGHTS.split(" "), "+info");
      await open().ready();
      expect(warn).toHaveBeenCalledTimes(2);
    },
  );

  test("rejects a server that refuses to write", async () => {
    await server.command("CONFIG", "SET", "maxmemory", "1");
    expect(await open().ready().then(String, String)).toContain(
      `Redis at 127.0.0.1:${server.port} refuses to write: OOM command not allowed`,
    );
  });

  test("fails on a backend that is closed", async () => {
    const backend = open();
    await backend.close();
    expect(await backend.ready().then(String, String)).toBe("Error: The session store is closed.");
  });

  test("rejects a replica", async () => {
    await using replica = await RedisServer.start("--replicaof", "127.0.0.1", "1");
    expect(await open(replica.url).ready().then(String, String)).toBe(
      `Error: Redis at 127.0.0.1:${replica.port} is a replica. Use the URL of the primary.`,
    );
  });
});

if (hasRedisServer) {
  describe("a user with the rights in the guide", async () => {
    const server = await RedisServer.prepare();
    beforeAll(async () => {
      await server.start();
      // The channel is named after the prefix, which here is each test's own.
      const rights = RIGHTS.replace("&bunpie:ends", "&bunpie:*").split(" ");
      await server.command("ACL", "SETUSER", USER, "on", ">password", ...rights);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    testSessionBackend("RedisSessionBackend", (now) => {
      const url = server.url.replace("//", `//${USER}:password@`);
      return new RedisSessionBackend(url, { ...PATIENT, prefix: `${PREFIX}${randomId()}:`, now });
    });
  });
}

/** What is found wrong with a server that answers so. */
async function check(hello: unknown, script: () => unknown = () => []): Promise<string> {
  const client: RedisLike = {
    send: async (command) => (command === "HELLO" ? hello : script()),
  };
  const account = { server: "Redis", user: "app" };
  return checkServer(client, account, "bunpie:").then(String, String);
}

/** A script that the server answers with an error. */
function failing(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

describe("the check of a server", () => {
  const HELLO = { server: "redis", version: "7.0.15", mode: "standalone", role: "master" };

  test("reads what HELLO says in either version of the protocol", async () => {
    const old = { ...HELLO, version: "6.2.14" };
    for (const reply of [old, Object.entries(old).flat()]) {
      expect(await check(reply)).toBe(
        "Error: Redis has version 6.2.14. Sessions need Redis 7.0 or newer: upgrade it.",
      );
    }
  });

  test.each(["7.0.15", "7.4.0", "8.0.1", "10.0"])("accepts version %s", async (version) => {
    expect(await check({ ...HELLO, version })).toBe("undefined");
  });

  test("rejects a Sentinel", async () => {
    expect(await check({ ...HELLO, mode: "sentinel" })).toBe(
      "Error: Redis is a Sentinel. Use the URL of the primary that it watches.",
    );
  });

  test("rejects the wrong node of a cluster", async () => {
    expect(await check({ ...HELLO, mode: "cluster" }, failing("MOVED 3999 10.0.0.2:6379"))).toBe(
      'Error: Redis is a node of a cluster and does not hold the slot of the prefix "bunpie:": MOVED 3999 10.0.0.2:6379. ' +
        "Use the URL of the node that does.",
    );
  });

  test("passes on other errors", async () => {
    expect(await check(HELLO, failing("LOADING Redis is loading the dataset in memory"))).toBe(
      "Error: LOADING Redis is loading the dataset in memory",
    );
  });
});
