import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmdirSync } from "node:fs";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import { Sessions } from "../../../src/http/sessions.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { quiet } from "../../support/quiet.ts";
import { hasRedisServer, RedisServer } from "../../support/servers/redis-server.ts";
import { PATIENT } from "../../support/servers/redis.ts";
import type { Page } from "../../support/visitor.ts";
import { Visitor } from "../../support/visitor.ts";
import { tellFailures } from "../checks.ts";

const REPLY_TIMEOUT = 1_000;
/** What a visitor may wait for at most, in milliseconds: 50 times as long as on a quiet machine. */
const DEADLINE = 50 * REPLY_TIMEOUT;

const read: Page = (session) => String(session["text"]?.[0] ?? "nobody");
const logIn: Page = (session) => ((session["text"] = "what"), session.login("Ann"), "in");
const end: Page = (session) => (session.destroy(), "ended");

function write(text: string): Page {
  return (session) => ((session["text"] = text.repeat(2000)), "written");
}

/** What befalls a server. Gives what mends it. */
type Fault = (server: RedisServer) => Promise<() => unknown>;

/** A command that breaks it, with more to be run after it, and one that mends it. */
function run(broken: string, mended: string, ...next: readonly string[]): Fault {
  return async (server) => {
    for (const command of [broken, ...next]) await say(server, command);
    return () => say(server, mended);
  };
}

function say(server: RedisServer, command: string): Promise<unknown> {
  const [name = "", ...args] = command.split(" ");
  return server.command(name, ...args.map((arg) => (arg === "''" ? "" : arg)));
}

function set(name: string, broken: string, mended: string, ...next: readonly string[]): Fault {
  return run(`CONFIG SET ${name} ${broken}`, `CONFIG SET ${name} ${mended}`, ...next);
}

/** Takes rights from the user, and gives them back. */
function forbid(...rights: readonly string[]): Fault {
  const change = (sign: string): string =>
    `ACL SETUSER default ${rights.map((right) => sign + right).join(" ")}`;
  return run(change("-"), change("+"));
}

/** A folder stands where the file is to be written. */
const diskFails: Fault = async (server) => {
  const obstacle = server.folder.file("dump.rdb");
  mkdirSync(obstacle);
  await server.command("CONFIG", "SET", "save", "3600 1");
  await save(server, "err");
  return async () => {
    rmdirSync(obstacle);
    await save(server, "ok");
  };
};

async function save(server: RedisServer, status: string): Promise<void> {
  await server.command("BGSAVE");
  const done = ["rdb_bgsave_in_progress:0", `rdb_last_bgsave_status:${status}`];
  for (let info = ""; !done.every((part) => info.includes(part)); await Bun.sleep(5)) {
    info = String(await server.command("INFO", "persistence"));
  }
}

const runsAScript: Fault = async (server) => {
  await server.command("CONFIG", "SET", "busy-reply-threshold", "1");
  const script = server.command("EVAL", "while true do end", "0").catch(() => undefined);
  await until(() => refuses(server));
  return async () => {
    await server.command("SCRIPT", "KILL");
    await script;
  };
};

const loadsItsData: Fault = async (server) => {
  await server.command("DEBUG", "POPULATE", "50000", "filler", "100");
  // Two milliseconds for each of them, until it is mended.
  await server.command("CONFIG", "SET", "key-load-delay", "2000");
  const reload = server.command("DEBUG", "RELOAD");
  await until(() => refuses(server));
  return async () => {
    await server.command("CONFIG", "SET", "key-load-delay", "0");
    await reload;
  };
};

/** The one client that it takes is another. */
const hasNoRoom: Fault = async (server) => {
  const other = new Bun.RedisClient(server.url);
  await other.send("CONFIG", ["SET", "maxclients", "1"]);
  await other.send("CLIENT", ["KILL", "TYPE", "normal"]);
  return () => other.close();
};

const isSuspended: Fault = async (server) => {
  server.freeze();
  return () => server.thaw();
};

const isGone: Fault = async (server) => {
  await server.kill();
  return () => server.start();
};

const [REPLICATE, LEAD] = ["REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"];

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(1);
}

function refuses(server: RedisServer): Promise<boolean> {
  return server.command("DBSIZE").then(
    () => false,
    () => true,
  );
}

/** Whether the connection was there until now is a matter of moments. */
const GONE = /cannot be reached|closed the connection/;

const NOBODY = { reads: "refused", ends: "refused" };
const READERS = { ...NOBODY, reads: "fine" };
const READERS_AND_LEAVERS = { ...READERS, ends: "fine" };

describe.skipIf(!hasRedisServer)("RedisSessionBackend on a failing server", () => {
  test.each<[string, Fault, typeof NOBODY, RegExp]>([
    ["has no memory left", set("maxmemory", "1", "0"), READERS_AND_LEAVERS, /^OOM/],
    ["cannot write to its disk", diskFails, READERS, /^MISCONF/],
    ["has become a replica", run(REPLICATE, LEAD), READERS, /^READONLY/],
    [
      "is a replica that has lost its primary",
      run("CONFIG SET replica-serve-stale-data no", LEAD, REPLICATE),
      NOBODY,
      /^MASTERDOWN/,
    ],
    ["has lost its replicas", set("min-replicas-to-write", "1", "0"), READERS, /^NOREPLICAS/],
    ["is loading its data", loadsItsData, NOBODY, /^LOADING/],
    ["is busy with a script", runsAScript, NOBODY, /^BUSY/],
    ["allows no scripts", forbid("@scripting"), READERS, /^NOPERM/],
    [
      "allows no reads",
      forbid("get", "getrange"),
      NOBODY,
      /^NOPERM|can't run this command|ACL failure in script/,
    ],
    [
      "suddenly requires a password",
      set("requirepass", "secret", "''", "CLIENT KILL TYPE normal"),
      NOBODY,
      GONE,
    ],
    ["accepts no more clients", hasNoRoom, NOBODY, GONE],
    ["is suspended", isSuspended, NOBODY, /did not answer for 1000 ms/],
    ["is gone", isGone, NOBODY, GONE],
  ])(
    "S7: while the server %s, answers 503 and keeps cookies, and recovers afterwards",
    async (_name, fault, who, reason) => {
      using _ = quiet("error");
      await using server = await RedisServer.start(
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
      );
      const reasons: string[] = [];
      const sessions = new Sessions({
        backend: new RedisSessionBackend(server.url, { replyTimeout: REPLY_TIMEOUT }),
        onEvent: (event) => {
          if (event.type === "failed") reasons.push((event.error as Error).message);
        },
      });
      const newcomer = (): Visitor => new Visitor(sessions);
      const [visitor, leaver] = [newcomer(), newcomer()];
      for (const each of [visitor, leaver]) expect(await each.ask(write("a"))).toBe("written");

      const mend = await fault(server);
      const begun = performance.now();
      const refused = [visitor.visit(write("b")), newcomer().visit(write("c"))];
      const reading = visitor.clone().visit(read);
      const ending = leaver.clone().visit(end);
      if (who.reads === "refused") refused.push(reading);
      else expect(await (await reading).json()).toBe("a");
      if (who.ends === "refused") refused.push(ending);
      else expect(await (await ending).json()).toBe("ended");
      for (const response of await Promise.all(refused)) {
        expect(response.status).toBe(503);
        expect(response.headers.getSetCookie()).toEqual([]);
        expect(await response.text()).toBe("Sessions are unavailable. Please try again.");
      }
      expect(performance.now() - begun).toBeLessThan(DEADLINE);
      expect(await newcomer().ask(read)).toBe("nobody");
      for (const each of reasons) expect(each).toMatch(reason);
      expect(reasons.length).toBeGreaterThanOrEqual(refused.length);
      await mend();

      const mended = performance.now();
      while ((await visitor.visit(read)).status === 503) {
        expect(performance.now() - mended).toBeLessThan(DEADLINE);
        await Bun.sleep(10);
      }
      // A server that stood still may have carried out what it was asked.
      expect(await visitor.ask(read)).toBeOneOf(["a", "b"]);
      expect(await visitor.ask(write("d"))).toBe("written");
      expect(await visitor.ask(read)).toBe("d");
      expect(await leaver.ask(end)).toBe("ended");
      expect(await leaver.ask(read)).toBe("nobody");
      await sessions.close();
    },
  );

  test("I7: neither the log nor the answer of a failed request contains an id or a session's data", async () => {
    await using server = await RedisServer.start();
    const url = server.url.replace("//", "//default:secret@");
    const told = await tellFailures(new RedisSessionBackend(url), [
      ...["-evalsha", "-eval", "-get"].map(
        (right) => () => server.command("ACL", "SETUSER", "default", right),
      ),
      () => server.kill(),
    ]);
    expect(told).toContain("NOPERM");
    expect(told).toMatch(GONE);
    expect(told).not.toContain("secret");
  });

  test("does not notice when the server forgets its scripts", async () => {
    await using server = await RedisServer.start();
    const sessions = new Sessions({ backend: new RedisSessionBackend(server.url) });
    const [visitor, other] = [new Visitor(sessions), new Visitor(sessions)];
    for (const [page, answer] of [
      [write("a"), "written"],
      [write("b"), "written"],
      [logIn, "in"],
      [read, "w"],
      [end, "ended"],
    ] as const) {
      await server.command("SCRIPT", "FLUSH");
      expect(await Promise.all([visitor.ask(page), other.ask(page)])).toEqual([answer, answer]);
    }
    await other.visit(logIn);
    await server.command("SCRIPT", "FLUSH");
    expect(await sessions.revokeAll("Ann")).toBe(1);
    expect(await server.calls("eval")).toBeGreaterThanOrEqual(6);
    await sessions.close();
  });
});

if (hasRedisServer) {
  describe("on a cluster", async () => {
    const server = await RedisServer.prepare("--cluster-enabled", "yes");
    beforeAll(async () => {
      await server.start();
      await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
      await until(async () => String(await server.command("CLUSTER", "INFO")).includes("state:ok"));
    });
    afterAll(() => server[Symbol.asyncDispose]());

    testSessionBackend("RedisSessionBackend with a hash tag", (now) => {
      return new RedisSessionBackend(server.url, { ...PATIENT, prefix: `{${randomId()}}:`, now });
    });

    test("refuses a write to two slots without a hash tag, and leaves what is stored", async () => {
      const backend = new RedisSessionBackend(server.url);
      await backend.create("one", makeRecord());
      const refused = backend.rotate(
        "one",
        "two",
        makeRecord({ version: 2 }),
        makeRecord({ version: 1 }),
      );
      expect(await refused.then(String, String)).toContain("CROSSSLOT");
      const signedIn = backend.create("three", makeRecord({ userId: "Ann" }));
      expect(await signedIn.then(String, String)).toContain("CROSSSLOT");
      expect(await backend.read("one")).toMatchObject({ version: 1 });
      expect(await backend.read("three")).toBeUndefined();
      expect(await backend.ready().then(String, String)).toEndWith(
        'is a cluster, and the prefix "bunpie:" has no hash tag. Add one: { prefix: "{bunpie}:" }.',
      );
      await backend.close();
    });
  });
}
