import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import {
  assert,
  asyncProperty,
  constantFrom,
  nat,
  oneof,
  property,
  record as recordFrom,
  string,
} from "fast-check";

import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import { toRecord as decoded, toText } from "../../../src/backends/redis/record.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { makeExpiredRecord, makeRecord } from "../../../src/testing/records.ts";
import { Keyspace, redis } from "../../support/servers/redis.ts";
import { expectLeftOut } from "../checks.ts";

const HOUR = 60 * 60_000;

describe("a record's text", () => {
  test("contains the record's values", () => {
    const record = makeRecord({
      version: 3,
      createdAt: 1,
      touchedAt: 2,
      expiresAt: 4,
      remember: 5,
    });
    expect(toText(record)).toBe('[3,4,2,1,null,5,null,\nnull]\nnull\n{"visits":1}');
    const facts = { userId: "Ann", authenticatedAt: 6, flash: '{"a":"b"}', label: "desk" };
    const text = toText({ ...record, ...facts });
    expect(text).toBe('[3,4,2,1,6,5,"desk",\n"Ann"]\n"{\\"a\\":\\"b\\"}"\n{"visits":1}');
  });

  test("round-trips the record, whatever its texts are", () => {
    const text = string({ unit: "binary" });
    const texts = recordFrom({ data: text, flash: text, userId: text, label: text });
    assert(
      property(texts, (facts) => {
        const record = makeRecord(facts);
        expect(decoded(toText(record), 0)).toEqual(record);
      }),
      { seed: 1 },
    );
  }, 600_000);
});

describe.skipIf(!redis.isThere)("a text that holds no record", () => {
  let space: Keyspace;
  let backend: RedisSessionBackend;

  beforeEach(() => {
    space = new Keyspace();
    backend = new RedisSessionBackend(space.client, { prefix: space.prefix });
  });
  afterEach(() => space.drop());

  test.each([
    ["an empty text", ["SET", ""]],
    ["another program's text", ["SET", '{"visits":5}']],
    [
      "a record with a fact that is no JSON",
      ["SET", "[1,9999999999999,1,x,null,null,null,\nnull]\n{}"],
    ],
    ["a hash", ["HSET", "visits", "5"]],
    ["a list", ["LPUSH", "5"]],
  ])(
    "S2: counts as no session, and causes an event and no error: %s",
    async (_, [command = "", ...args]) => {
      await expectLeftOut(backend, async (key) => {
        await space.send("DEL", `session:${key}`);
        await space.send(command, `session:${key}`, ...args);
      });
    },
  );

  test.each(["SET", "LPUSH"])(
    "can be overwritten and deleted, and is in no list: %s",
    async (command) => {
      for (const id of ["saved", "deleted", "listed"]) {
        await backend.create(id, makeRecord({ userId: "Ann" }));
        await space.send("DEL", `session:${id}`);
        await space.send(command, `session:${id}`, "spoilt");
      }
      await backend.save("saved", { visits: 2 }, 60);
      expect(await backend.load("saved")).toEqual({ visits: 2 });
      await backend.delete("deleted");
      expect(await backend.read("deleted")).toBeUndefined();
      expect(await backend.touch("listed", Date.now() + HOUR)).toBe(false);
      expect(await backend.create("listed", makeRecord())).toBe(false);
      expect(await backend.list("Ann", 10)).toEqual([]);
      expect(await backend.deleteAll("Ann", undefined, 10)).toEqual([]);
    },
  );

  /** Stores a text, and asks and writes the session that is in it, if there is one. */
  async function check(text: string): Promise<void> {
    await space.send("SET", "session:id", text);
    const { version, expiresAt } = decoded(text, Date.now()) as SessionRecord;
    const isLive = expiresAt > Date.now();
    const found = (await backend.read("id")) as SessionRecord | undefined;
    expect(found?.version).toBe(version);
    const next = makeRecord({ version: version + 1 });
    expect(await backend.replace("id", next, makeRecord({ version: version + 1 }))).toBe(false);
    expect(await backend.replace("id", next, makeRecord({ version }))).toBe(isLive);
    expect(await backend.create("id", makeExpiredRecord())).toBe(!isLive);
  }

  describe("has the same version for a read and a write, so that it can be replaced,", () => {
    const facts = { userId: 'A"\n]', flash: '{"a":"b"}', remember: 60, authenticatedAt: 5 };
    const record = makeRecord({ ...facts, expiresAt: 9_000_000_000_000 });
    const whole = toText(record);

    test.each(["", " 1", "01", "-1", "+1", "1.5", "1e0", "0x1", "123456789012345", '"1"', "null"])(
      "with a version of %j",
      (version) => check(whole.replace("[1,", `[${version},`)),
    );

    test.each(["", " 9", "9.", ".9", "-9", "9e12", "9000000000000.5", "9 ", "Infinity", "null"])(
      "with an expiry of %j",
      (expiresAt) => check(whole.replace("9000000000000", expiresAt)),
    );

    test("after any other damage", async () => {
      const part = oneof(
        string({ unit: "binary" }),
        string({ unit: constantFrom(...'0123456789[],.-+e"\\n\n{}nul ') }),
      );
      const spoilt = asyncProperty(nat(whole.length), nat(5), part, (start, length, text) =>
        check(whole.slice(0, start) + text + whole.slice(start + length)),
      );
      await assert(spoilt, { numRuns: 300, seed: 1 });
    }, 60_000);
  });
});
