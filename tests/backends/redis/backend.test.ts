import { beforeEach, describe, expect, test } from "bun:test";

import type { RedisLike, RedisSessionBackendOptions } from "../../../src/backends/redis/backend.ts";
import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { FakeClock } from "../../support/clock.ts";
import {
  brittle,
  Keyspace,
  PATIENT,
  randomPrefix,
  redis,
  redisClient,
} from "../../support/servers/redis.ts";
import { expectApart } from "../checks.ts";
import { closeAfterEach } from "../opened.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A client that answers all commands alike, but for the time, and notes them. */
class Stub implements RedisLike {
  readonly sent: (readonly string[])[] = [];
  readonly #reply: unknown;

  constructor(reply: unknown) {
    this.#reply = reply;
  }

  async send(command: string, args: string[]): Promise<unknown> {
    this.sent.push([command, ...args]);
    return command === "TIME" ? ["1", "0"] : this.#reply;
  }
}

function refusal(write: Promise<boolean>): Promise<string> {
  return write.then(String, String);
}

describe("new RedisSessionBackend()", () => {
  const SOURCE =
    'RedisSessionBackend needs a URL such as "redis://localhost:6379", a Bun.RedisClient, or ' +
    "any object with a method send(command, args).";
  const REMEDY = 'Use one such as "redis://user:password@localhost:6379/0".';

  test.each([
    [undefined, {}, SOURCE],
    [null, {}, SOURCE],
    [{ get: () => null }, {}, SOURCE],
    ["", {}, `RedisSessionBackend needs a valid URL. ${REMEDY}`],
    ["localhost", {}, `RedisSessionBackend needs a valid URL. ${REMEDY}`],
    ["redis://:secret@localhost:99999", {}, `RedisSessionBackend needs a valid URL. ${REMEDY}`],
    ["http://:secret@localhost", {}, /^Expected url protocol to be one of redis, .*\. Use one/],
    ["redis://localhost/first", {}, /^Invalid database number in Redis URL: "first"\. Use one/],
    [
      "redis://localhost",
      { prefix: 5 },
      '`prefix` is 5; it has to be a string. Leave it out for "bunpie:".',
    ],
    [
      new Stub(null),
      { replyTimeout: 500 },
      "`replyTimeout` applies only to a URL. Set it on your own client.",
    ],
    ...[0, -1, Number.NaN, 60_001, "soon", "500"].map(
      (value) =>
        [
          "redis://localhost",
          { replyTimeout: value },
          `\`replyTimeout\` is ${value}; it has to be milliseconds, from 1 to 60000.`,
        ] as const,
    ),
  ] as [unknown, unknown, string | RegExp][])(
    "refuses %j with %j, and says what it accepts",
    (source, options, message) => {
      const make = (): unknown =>
        new RedisSessionBackend(source as string, options as RedisSessionBackendOptions);
      expect(make).toThrow(TypeError);
      expect(make).toThrow(message);
      expect(make).not.toThrow("secret");
    },
  );

  test.each(["redis://localhost", "rediss://user:secret@localhost:1", "redis+unix:///tmp/no.sock"])(
    "does not connect yet: %s",
    async (url) => {
      await new RedisSessionBackend(url, { prefix: "", replyTimeout: 1 }).close();
    },
  );

  test.each([
    ["read", 1, (store: RedisSessionBackend) => store.read("id")],
    ["read", Buffer.from("bytes"), (store: RedisSessionBackend) => store.read("id")],
    ["create", "1", (store: RedisSessionBackend) => store.create("id", makeRecord())],
    ["deleteAll", null, (store: RedisSessionBackend) => store.deleteAll("Ann", undefined, 10)],
    ["list", "id", (store: RedisSessionBackend) => store.list("Ann", 10)],
  ])("rejects a client whose replies are of another kind: %s, %p", async (_, reply, ask) => {
    const answer = Promise.resolve(ask(new RedisSessionBackend(new Stub(reply))));
    expect(answer).rejects.toThrow(TypeError);
    expect(answer).rejects.toThrow("It has to return text as strings, integers as numbers");
  });

  test("fails to list sessions whose facts cannot be read", async () => {
    const client = new Stub(["id"]);
    const send = client.send.bind(client);
    client.send = (command, args) =>
      command === "GETRANGE" ? Promise.reject(new Error("The line is cut.")) : send(command, args);
    await expect(new RedisSessionBackend(client).list("Ann", 10)).rejects.toThrow("is cut");
  });

  test("has keys begin with `bunpie:` by default", async () => {
    const client = new Stub(null);
    await new RedisSessionBackend(client).read("id");
    expect(client.sent).toEqual([["GET", "bunpie:session:id"]]);
  });
});

if (redis.isThere) {
  testSessionBackend("RedisSessionBackend", (now) => {
    return new RedisSessionBackend(redis.url, { ...PATIENT, prefix: randomPrefix(), now });
  });
  testSessionBackend("RedisSessionBackend on a client of the app's", (now) => {
    return new RedisSessionBackend(redisClient, { prefix: randomPrefix(), now });
  });
}

describe.skipIf(!redis.isThere)("RedisSessionBackend", () => {
  let space: Keyspace;
  const closing = closeAfterEach(() => space.drop());

  beforeEach(() => {
    space = new Keyspace();
  });

  function open(options: RedisSessionBackendOptions = {}): RedisSessionBackend {
    const all = { ...PATIENT, prefix: space.prefix, ...options };
    return closing(new RedisSessionBackend(redis.url, all));
  }

  /** A backend on a client that notes what it is asked. */
  function watch(): { asked: string[]; backend: RedisSessionBackend } {
    const asked: string[] = [];
    const send: RedisLike["send"] = (command, args) => {
      asked.push(command === "EVALSHA" ? `${command} ${args.length}` : command);
      return space.client.send(command, args);
    };
    return { asked, backend: new RedisSessionBackend({ send }, { prefix: space.prefix }) };
  }

  describe("keys", () => {
    test("of one prefix are not visible under another", async () => {
      await expectApart(open(), open({ prefix: `${space.prefix}other:` }));
    });

    test("of a user cannot be reached by the name of a session", async () => {
      const backend = open();
      await backend.create("id", makeRecord({ userId: "Ann" }));
      for (const handle of ['user:"Ann"', '../user:"Ann"', "*"]) await backend.delete(handle);
      expect(await backend.list("Ann", 10)).toHaveLength(1);
    });

    test("are removed with their session", async () => {
      const backend = open();
      for (const id of ["one", "two"]) await backend.create(id, makeRecord({ userId: "Ann" }));
      await backend.rotate(
        "one",
        "three",
        makeRecord({ userId: "Ben", version: 2 }),
        makeRecord({ version: 1 }),
      );
      // Under the old id a note is left.
      expect(await space.keys()).toEqual([
        "session:one",
        "session:three",
        "session:two",
        'user:"Ann"',
        'user:"Ben"',
      ]);
      expect(await backend.delete("one")).toBe("three");
      await backend.replace("two", makeRecord({ version: 2 }), makeRecord({ version: 1 }));
      expect(await space.keys()).toEqual(["session:three", "session:two", 'user:"Ben"']);
      await backend.delete("two");
      await backend.deleteAll("Ben", undefined, 10);
      expect(await space.keys()).toEqual([]);
    });
  });

  test("sends one command for a read, and one for a write", async () => {
    const { asked, backend } = watch();
    const life = async (id: string): Promise<void> => {
      const record = makeRecord({ userId: "Ann", version: 2 });
      await backend.create(id, makeRecord());
      await backend.read(id);
      await backend.replace(id, record, makeRecord({ version: 1 }));
      await backend.rotate(id, `${id}2`, { ...record, version: 3 }, makeRecord({ version: 2 }));
      await backend.touch(`${id}2`, record.expiresAt + 1);
      await backend.delete(`${id}2`);
      await backend.deleteAll("Ann", undefined, 10);
    };
    await life("first");
    asked.length = 0;
    await life("second");
    expect(asked.map((each) => each.split(" ")[0])).toEqual([
      "EVALSHA",
      "GET",
      ...Array<string>(5).fill("EVALSHA"),
    ]);
  });

  describe("a replace that changes only the contents", () => {
    const old = makeRecord({ userId: "Ann" });
    const record = { ...old, version: 2, data: '{"visits":2}', flash: '["Hello"]', label: "phone" };

    test("is one short script, and keeps the expiry and the user's set", async () => {
      const { asked, backend } = watch();
      await backend.create("id", old);
      const set = await space.send("ZRANGE", 'user:"Ann"', "0", "-1", "WITHSCORES");
      const left = await timeLeft("session:id");
      await backend.replace("id", record, old);
      asked.length = 0;
      const next = { ...record, version: 3 };
      expect(await backend.replace("id", next, record)).toBe(true);
      expect(asked).toEqual(["EVALSHA 7"]);
      expect(await backend.read("id")).toEqual(next);
      expect(await timeLeft("session:id")).toBeWithin(left - MINUTE, left + 1);
      expect(await space.send("ZRANGE", 'user:"Ann"', "0", "-1", "WITHSCORES")).toEqual(set);
    });

    test("compares only the version, even if the stored record differs from the expected one", async () => {
      const { asked, backend } = watch();
      await backend.create("id", { ...old, label: "laptop" });
      await backend.replace("id", record, old);
      asked.length = 0;
      const next = { ...record, version: 3 };
      expect(await backend.replace("id", next, { ...record, label: "laptop" })).toBe(true);
      expect(asked).toEqual(["EVALSHA 7", "EVALSHA 12"]);
      asked.length = 0;
      expect(await backend.replace("id", next, record)).toBe(false);
      expect(asked).toEqual(["EVALSHA 7"]);
      expect(await backend.read("id")).toEqual(next);
    });

    test("finds nothing if the key holds a hash", async () => {
      await space.send("HSET", "session:id", "a", "b");
      expect(await open().replace("id", record, old)).toBe(false);
    });
  });

  /** 150 sessions of Ann, the last one used last, and a list that is interrupted after a reply to a command. */
  async function setUpMany() {
    const clock = new FakeClock();
    const backend = open({ now: clock.now });
    const times = (): Partial<SessionRecord> => ({
      createdAt: clock.now(),
      touchedAt: clock.now(),
      expiresAt: clock.now() + HOUR,
    });
    const ids = Array.from({ length: 150 }, (_, index) => `id ${index}`);
    for (const id of ids) {
      clock.advance(1);
      await backend.create(id, makeRecord({ userId: "Ann", ...times() }));
    }
    clock.advance(1);
    const listDuring = async (
      interrupt: () => Promise<unknown>,
      after = "ZRANGE",
    ): Promise<string[]> => {
      const interrupts = [interrupt];
      const send: RedisLike["send"] = async (command, args) => {
        const reply = await space.client.send(command, args);
        if (command === after) for (const each of interrupts.splice(0)) await each();
        return reply;
      };
      const interrupted = new RedisSessionBackend(
        { send },
        { prefix: space.prefix, now: clock.now },
      );
      return (await interrupted.list("Ann", 1_000)).map(({ handle }) => handle);
    };
    return { clock, backend, ids, times, listDuring };
  }

  describe("list, while the set of the user's sessions changes,", () => {
    test("has a session that is used once, and first", async () => {
      const { clock, backend, ids, listDuring } = await setUpMany();
      const listed = await listDuring(() => backend.touch("id 0", clock.now() + HOUR));
      expect(listed[0]).toBe("id 0");
      expect(listed.toSorted()).toEqual(ids.toSorted());
    });

    test("has all others if one ends", async () => {
      const { backend, ids, listDuring } = await setUpMany();
      const listed = await listDuring(() => backend.delete("id 149"), "GETRANGE");
      expect(listed.filter((id) => id !== "id 149")).toEqual(ids.slice(0, -1).toReversed());
    });

    test("has a session that gets a new id under that id", async () => {
      const { backend, ids, times, listDuring } = await setUpMany();
      const record = makeRecord({ userId: "Ann", ...times(), version: 2 });
      const listed = await listDuring(() =>
        backend.rotate("id 0", "new", record, { ...record, version: 1 }),
      );
      expect(listed).toEqual(["new", ...ids.slice(1).toReversed()]);
    });

    test("passes over what has expired or is gone, however much that is", async () => {
      const { clock, backend, ids, times } = await setUpMany();
      for (const id of ids.slice(100)) await space.send("DEL", `session:${id}`);
      for (const id of ids.slice(50, 100)) await backend.touch(id, clock.now() + 1);
      clock.advance(1);
      expect((await backend.list("Ann", 10)).map(({ handle }) => handle)).toEqual(
        ids.slice(40, 50).toReversed(),
      );
      await backend.create("last", makeRecord({ userId: "Ann", ...times() }));
      expect(await backend.list("Ann", 1_000)).toHaveLength(51);
    });
  });

  async function timeLeft(key: string): Promise<number> {
    return Number(await space.send("PTTL", key));
  }

  async function expectLeft(id: string, left: number): Promise<void> {
    const ttl = await timeLeft(`session:${id}`);
    expect(ttl).toBeWithin(left + MINUTE - 5_000, left + MINUTE + 1);
  }

  describe("expiry", () => {
    const clock = new FakeClock();
    const record = (facts = {}): ReturnType<typeof makeRecord> =>
      makeRecord({ expiresAt: clock.now() + HOUR, ...facts });

    test("Redis keeps a session for a minute after it expires, whatever has written it", async () => {
      const backend = open({ now: clock.now });
      const [first, second, fourth] = [1, 2, 4].map((version) =>
        record({ version, expiresAt: clock.now() + version * HOUR }),
      ) as [SessionRecord, SessionRecord, SessionRecord];
      await backend.create("id", first);
      await expectLeft("id", HOUR);
      await backend.replace("id", second, first);
      await expectLeft("id", 2 * HOUR);
      await backend.touch("id", clock.now() + 3 * HOUR);
      await expectLeft("id", 3 * HOUR);
      await backend.rotate("id", "new", fourth, { ...second, version: 3 });
      await expectLeft("new", 4 * HOUR);
    });

    test("a session that has expired when it is stored is not kept", async () => {
      const backend = open({ now: clock.now });
      const over = record({ userId: "Ann", expiresAt: clock.now() });
      expect(await backend.create("id", over)).toBe(true);
      expect(await space.keys()).toEqual([]);
      await backend.create("id", record({ userId: "Ann" }));
      expect(await backend.replace("id", { ...over, version: 2 }, makeRecord({ version: 1 }))).toBe(
        true,
      );
      expect(await space.keys()).toEqual([]);
      await backend.create("id", record({ userId: "Ann" }));
      expect(await backend.touch("id", clock.now())).toBe(true);
      expect(await space.keys()).toEqual([]);
    });

    test("a session that expires beyond the range of dates is kept", async () => {
      const backend = open();
      const far = Number.MAX_VALUE;
      expect(await backend.create("id", makeRecord({ userId: "Ann", expiresAt: far }))).toBe(true);
      expect(await backend.touch("id", far)).toBe(true);
      const next = makeRecord({ userId: "Ann", expiresAt: far, version: 3, data: '{"a":1}' });
      expect(await backend.replace("id", next, makeRecord({ version: 2 }))).toBe(true);
      expect(await backend.load("id")).toEqual({ a: 1 });
      expect(await backend.list("Ann", 10)).toHaveLength(1);
    });

    test("L7: a user's set lives as long as the session that expires last", async () => {
      const backend = open({ now: clock.now });
      await backend.create("long", record({ userId: "Ann", expiresAt: clock.now() + 5 * HOUR }));
      await backend.create("short", record({ userId: "Ann" }));
      expect(await timeLeft('user:"Ann"')).toBeWithin(5 * HOUR, 5 * HOUR + MINUTE + 1);
      await backend.touch("short", clock.now() + 9 * HOUR);
      expect(await timeLeft('user:"Ann"')).toBeWithin(9 * HOUR, 9 * HOUR + MINUTE + 1);
    });

    test("a user's set forgets what Redis has removed, and does not grow", async () => {
      const backend = open({ now: clock.now });
      for (let login = 0; login < 30; login++) {
        const id = `login ${login}`;
        await backend.create(id, record({ userId: "Ann", expiresAt: clock.now() + MINUTE }));
        clock.advance(2 * MINUTE);
        await space.send("DEL", `session:${id}`);
      }
      expect(await space.send("ZCARD", 'user:"Ann"')).toBe(1);
    });

    test("L7: a user's set forgets nothing because of a process whose clock is fast", async () => {
      const [sound, fast] = [open({ now: clock.now }), open({ now: () => clock.now() + HOUR })];
      await sound.create("id", record({ userId: "Ann", expiresAt: clock.now() + MINUTE }));
      await fast.create("another", record({ userId: "Ann", expiresAt: clock.now() + 2 * HOUR }));
      expect(await sound.list("Ann", 10)).toHaveLength(2);
      expect(await sound.deleteAll("Ann", undefined, 10)).toHaveLength(2);
      expect(await space.keys()).toEqual([]);
    });

    test("sweep() leaves expiry to Redis", async () => {
      const client = new Stub(null);
      const backend: SessionStore = new RedisSessionBackend(client);
      expect(await backend.sweep(500)).toBe(0);
      expect(client.sent).toEqual([]);
    });
  });

  test("changes nothing if it cannot store whose session it is", async () => {
    const backend = open();
    await space.send("SET", 'user:"Ann"', "something else");
    const record = makeRecord({ userId: "Ann", version: 2 });
    expect(await refusal(backend.create("id", record))).toContain("WRONGTYPE");
    expect(await backend.read("id")).toBeUndefined();
    const anonymous = makeRecord();
    await backend.create("id", anonymous);
    expect(await refusal(backend.replace("id", record, makeRecord({ version: 1 })))).toContain(
      "WRONGTYPE",
    );
    expect(
      await refusal(backend.rotate("id", "new", record, makeRecord({ version: 1 }))),
    ).toContain("WRONGTYPE");
    expect(await backend.read("id")).toEqual(anonymous);
    expect(await backend.read("new")).toBeUndefined();
  });

  describe("close", () => {
    test("closes a connection that was made by URL", async () => {
      const { proxy, url } = await brittle(redis.url);
      await using _ = proxy;
      const backend = new RedisSessionBackend(url, { prefix: space.prefix });
      await backend.create("id", makeRecord());
      expect(proxy.open).toBe(1);
      await backend.close();
      while (proxy.open > 0) await Bun.sleep(1);
    });

    test("leaves the app's own client open", async () => {
      const backend = new RedisSessionBackend(space.client, { prefix: space.prefix });
      await backend.create("id", makeRecord());
      await backend.close();
      expect(await space.client.ping()).toBe("PONG");
    });
  });
});
