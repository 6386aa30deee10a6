import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";

import type {
  BoundStatement,
  PoolOptions,
  PostgresPool,
} from "../../../src/backends/postgres/pool.ts";
import { adoptPool, openPool } from "../../../src/backends/postgres/pool.ts";
import { postgres, readPort, Schema } from "../../support/servers/postgres.ts";
import { TcpProxy } from "../../support/servers/tcp-proxy.ts";
import { describeLong } from "../../support/trials.ts";
import { closeAfterEach } from "../opened.ts";

/** Long enough for a busy machine, and short enough to wait for. */
const TIMEOUT = 1_000;
/** What is done in time, in milliseconds: 50 times as long as on a quiet machine. */
const IN_TIME = 50 * TIMEOUT;

const OPTIONS: PoolOptions = {
  connections: 2,
  connectionTimeout: 900,
  queryTimeout: TIMEOUT,
  pooler: false,
};

const ONE = { text: "SELECT 1", params: [] };

function count(name: string): BoundStatement {
  return { text: "UPDATE counters SET count = count + 1 WHERE name = $1", params: [name] };
}

async function askOnce(transaction: Bun.TransactionSQL): Promise<void> {
  await transaction`SELECT 1`;
}

describe.skipIf(!postgres.isThere)("PostgresPool", () => {
  let schema: Schema;
  const closing = closeAfterEach(() => schema.sql`UPDATE counters SET count = 0`);

  beforeAll(async () => {
    schema = await Schema.create();
    await schema.sql`CREATE TABLE counters (name text PRIMARY KEY, count integer)`;
    await schema.sql`INSERT INTO counters VALUES ('a', 0), ('b', 0)`;
  });
  afterAll(() => schema.drop());

  function open(options: Partial<PoolOptions> = {}, url = schema.url): PostgresPool {
    return closing(openPool(url, { ...OPTIONS, ...options }));
  }

  async function counted(name: string): Promise<number> {
    const [row] = await schema.sql`SELECT count FROM counters WHERE name = ${name}`;
    return row.count;
  }

  test("returns rows as arrays of values, and how many were written", async () => {
    const pool = open();
    const rows = await pool.run({ text: "SELECT $1::text, 2", params: ["one"] });
    expect([...rows]).toEqual([["one", 2]]);
    expect((await pool.run(count("a"))).affectedRows).toBe(1);
    expect((await pool.run(count("nobody"))).affectedRows).toBe(0);
  });

  test("shows where the database is, without the password", () => {
    const pool = open({}, "postgres://user:secret@db.example:6543/shop");
    expect(pool.address).toBe("db.example:6543/shop");
  });

  describe("a statement that waits for a lock", () => {
    test.each<[string, () => PostgresPool]>([
      ["directly", () => open()],
      ["through a pooler", () => open({ pooler: true })],
      [
        "with a pool of the app's",
        () => adoptPool(closing(new Bun.SQL(schema.url, { max: 2 })), TIMEOUT),
      ],
    ])(
      "S7: fails in time, is cancelled in the server too, and delays no other: %s",
      async (_, make) => {
        const pool = make();
        await pool.run(ONE);
        await using rival = await schema.begin("UPDATE counters SET count = 7 WHERE name = 'a'");
        const begun = performance.now();
        const waiting = pool.run(count("a")).then(String, String);
        await Promise.race([schema.waiting(1), waiting]);
        expect((await pool.run(count("b"))).affectedRows).toBe(1);
        expect(await waiting).toMatch(/did not answer within 1000 ms|due to statement timeout/);
        expect(performance.now() - begun).toBeLessThan(IN_TIME);
        await schema.waiting(0);
        await rival.commit();
        expect([await counted("a"), await counted("b")]).toEqual([7, 1]);
      },
    );
  });

  test("is tried again after a deadlock, which the server has rolled back", async () => {
    // The server looks for a deadlock once a statement has waited for so long, and ends that one.
    const pool = open({ queryTimeout: 10_000 }, `${schema.url}&deadlock_timeout=300`);
    await using rival = await schema.begin("UPDATE counters SET count = 7 WHERE name = 'b'");
    const counting = pool.run({
      text: `WITH first AS (UPDATE counters SET count = count + 1 WHERE name = 'a' RETURNING 1)
             UPDATE counters SET count = count + 1 WHERE name = 'b' AND EXISTS (SELECT FROM first)`,
      params: [],
    });
    await schema.waiting(1);
    await rival.run("UPDATE counters SET count = 7 WHERE name = 'a'");
    await rival.commit();
    expect((await counting).affectedRows).toBe(1);
    expect([await counted("a"), await counted("b")]).toEqual([8, 8]);
  });

  test("never runs if it has timed out while waiting for a connection", async () => {
    const sql = new Bun.SQL(schema.url, { max: 1 });
    const held = await sql.reserve();
    const late = adoptPool(sql, 100).run(count("a")).then(String, String);
    expect(await late).toBe("Error: PostgreSQL did not answer within 100 ms.");
    await held.release();
    await sql`SELECT 1`;
    expect(await counted("a")).toBe(0);
    await sql.close();
  });

  describeLong(true, "on a network that fails", () => {
    let proxy: TcpProxy;
    let pool: PostgresPool;

    async function connect(options?: Partial<PoolOptions>): Promise<void> {
      proxy = await TcpProxy.to(readPort(postgres.url));
      pool = open(options, schema.urlAt(proxy.port));
      // Bun opens them all at once, and begins as soon as the first is there.
      const slow = { text: "SELECT pg_backend_pid(), pg_sleep(0.02)", params: [] };
      const used = new Set<unknown>();
      while (used.size < OPTIONS.connections) {
        const answers = await Promise.allSettled([pool.run(slow), pool.run(slow)]);
        for (const answer of answers) {
          if (answer.status === "fulfilled") used.add(answer.value[0]?.[0]);
        }
      }
    }
    afterEach(() => proxy[Symbol.asyncDispose]());

    const answers = (): Promise<boolean> =>
      pool.run(ONE).then(
        () => true,
        () => false,
      );

    test("reports a write as failed whose reply is lost, and does not repeat it", async () => {
      await connect({ queryTimeout: IN_TIME });
      await pool.run(count("a"));
      proxy.cut(5);
      expect(await pool.run(count("a")).then(String, String)).toContain("Connection closed");
      await proxy.pass();
      expect(await answers()).toBe(true);
      expect(await counted("a")).toBe(2);
    });

    /** The name of the pool's connections, which others that replace them do not share. */
    const readName = async (): Promise<unknown> => {
      const text = "SELECT current_setting('application_name')";
      return (await pool.run({ text, params: [] }))[0]?.[0];
    };

    test("keeps its connections if an answer is only late", async () => {
      await connect();
      const name = await readName();
      proxy.hold();
      expect(await pool.run(ONE).then(String, String)).toContain("did not answer within 1000 ms");
      await proxy.pass();
      await Bun.sleep(TIMEOUT * 1.5);
      expect(await readName()).toBe(name);
    });

    test.each([
      ["directly", false],
      ["through a pooler", true],
    ])("replaces connections on which nothing arrives: %s", async (_, pooler) => {
      await connect({ pooler });
      proxy.swallow();
      const asked = Array.from({ length: 10 }, () => pool.run(ONE).then(String, String));
      for (const answer of await Promise.all(asked))
        expect(answer).toContain("did not answer within");
      await proxy.pass();
      const begun = performance.now();
      while (!(await answers())) await Bun.sleep(1);
      expect(performance.now() - begun).toBeLessThan(IN_TIME);
    });

    test("replaces a single dead connection, and lets the others finish", async () => {
      await connect();
      const name = await readName();
      proxy.swallow();
      const lost = pool.run(ONE).then(String, String);
      while (proxy.lost === 0) await Bun.sleep(1);
      await proxy.pass();
      const begun = performance.now();
      while ((await readName()) === name && performance.now() - begun < IN_TIME) await Bun.sleep(1);
      expect(await readName()).not.toBe(name);
      // As long as others are answered, it might only be waiting for somebody's lock.
      expect(performance.now() - begun).toBeGreaterThan(TIMEOUT * 1.8);
      expect(await lost).toContain("did not answer within 1000 ms");
    });

    test("gives up a transaction that is not answered in time", async () => {
      await connect({ queryTimeout: IN_TIME });
      proxy.swallow();
      const late = pool.transact(askOnce, 100).then(String, String);
      expect(await late).toBe("Error: PostgreSQL did not answer within 100 ms.");
      await proxy.pass();
      await pool.transact(askOnce, IN_TIME);
    });

    test("closes without waiting for a server that does not answer", async () => {
      await connect();
      proxy.swallow();
      void answers();
      const begun = performance.now();
      await pool.close();
      expect(performance.now() - begun).toBeLessThan(IN_TIME);
    });
  });
});
