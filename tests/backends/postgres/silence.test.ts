import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";

import type { Connections } from "../../../src/backends/postgres/connections.ts";
import type {
  BoundStatement,
  PoolOptions,
  PostgresPool,
} from "../../../src/backends/postgres/pool.ts";
import { openPool } from "../../../src/backends/postgres/pool.ts";
import { SilenceWatch } from "../../../src/backends/postgres/silence.ts";
import { postgres, readPort, Schema } from "../../support/servers/postgres.ts";
import { TcpProxy } from "../../support/servers/tcp-proxy.ts";

/** So long that whoever waited for it would be found out on any machine. */
const A_MINUTE = 60_000;

const OPTIONS: PoolOptions = {
  connections: 1,
  connectionTimeout: A_MINUTE,
  queryTimeout: A_MINUTE,
  pooler: false,
};

const COUNT: BoundStatement = {
  text: "UPDATE counters SET count = count + 1 RETURNING count",
  params: [],
};

const NAME: BoundStatement = {
  text: "SELECT current_setting('application_name')",
  params: [],
};

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(1);
}

describe.skipIf(!postgres.isThere)("connections on which nothing arrives", () => {
  let schema: Schema;
  let proxy: TcpProxy;
  let pool: PostgresPool;
  let name: unknown;

  beforeEach(async () => {
    schema = await Schema.create();
    proxy = await TcpProxy.to(readPort(postgres.url));
    await schema.sql`CREATE TABLE counters (count integer)`;
    await schema.sql`INSERT INTO counters VALUES (0)`;
    await open(schema.urlAt(proxy.port));
  });
  afterEach(async () => {
    await pool.close();
    await proxy[Symbol.asyncDispose]();
    await schema.drop();
  });

  async function open(url: string): Promise<void> {
    pool = openPool(url, OPTIONS);
    name = await ask(NAME);
  }

  async function ask(statement: BoundStatement): Promise<unknown> {
    return (await pool.run(statement))[0]?.[0];
  }

  async function counted(): Promise<unknown> {
    const [row] = await schema.sql`SELECT count FROM counters`;
    return row.count;
  }

  test("are replaced as soon as the server says that it does nothing on them", async () => {
    proxy.swallow();
    const lost = pool.run(COUNT).then(String, String);
    await until(() => proxy.lost > 0);
    await proxy.pass();
    const begun = performance.now();
    expect(await lost).toContain("Connection closed");
    expect(await ask(COUNT)).toBe(1);
    expect(performance.now() - begun).toBeLessThan(A_MINUTE / 2);
    expect(await ask(NAME)).not.toBe(name);
  });

  test("are asked about again if the question is lost too", async () => {
    proxy.swallow();
    const before = proxy.connections;
    const lost = pool.run(COUNT).then(String, String);
    await until(() => proxy.connections >= before + 2);
    await proxy.pass();
    expect(await lost).toContain("Connection closed");
    expect(await ask(COUNT)).toBe(1);
  });

  test("are kept while the server works on them", async () => {
    await using rival = await schema.begin("UPDATE counters SET count = 7");
    const counting = ask(COUNT);
    const questions = new Set<number>();
    const hasAsked = until(async () => {
      const rows = await schema.sql`
        SELECT query_start FROM pg_stat_activity
        WHERE starts_with(application_name, ${schema.name.slice(0, 54)})
          AND application_name <> ${name} AND query LIKE '%pg_backend_pid%' AND state = 'idle'`;
      for (const row of rows) questions.add(Number(row.query_start));
      // Each is counted once or twice: PostgreSQL parses it, and executes it.
      return questions.size >= 4;
    });
    await Promise.race([hasAsked, counting]);
    await rival.commit();
    expect(await counting).toBe(8);
    expect(await ask(NAME)).toBe(name);
  });

  test("are kept if the server refuses another connection", async () => {
    const user = schema.name.slice(-40);
    await pool.close();
    await schema.sql.unsafe(`
      CREATE ROLE ${user} LOGIN PASSWORD 'secret' CONNECTION LIMIT 1;
      GRANT USAGE ON SCHEMA ${schema.name} TO ${user};
      GRANT ALL ON counters TO ${user}`);
    const url = new URL(schema.urlAt(proxy.port));
    [url.username, url.password] = [user, "secret"];
    await open(url.href);
    const rival = await schema.begin("UPDATE counters SET count = 7");
    const before = proxy.connections;
    const counting = ask(COUNT);
    await until(() => proxy.connections >= before + 2);
    await rival.commit();
    expect(await counting).toBe(8);
    expect(await ask(NAME)).toBe(name);
    await schema.sql.unsafe(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });

  test("execute nothing once their statements have failed", async () => {
    proxy.hold();
    const begun = performance.now();
    const deadline = pool.deadline();
    const counting = pool.run(COUNT, deadline).catch(async (error: unknown) => {
      await pool.settle(error, deadline);
      return String(error);
    });
    await until(() => proxy.held > 0);
    proxy.detain();
    expect(await counting).toContain("Connection closed");
    expect(performance.now() - begun).toBeLessThan(A_MINUTE / 2);
    expect(proxy.held).toBeGreaterThan(0);
    // It reaches the server after all, on a connection that the server has ended.
    await proxy.pass();
    await until(() => proxy.open === 1);
    expect(await counted()).toBe(0);
  });

  test("are no longer asked about once the pool closes", async () => {
    proxy.swallow();
    const before = proxy.connections;
    const lost = pool.run(COUNT).then(String, String);
    await until(() => proxy.connections > before);
    await pool.close();
    expect(await lost).toContain("Connection closed");
    await until(() => proxy.open === 0);
  });
});

/** Lets the fake time pass, and what is due by then happen. */
async function pass(milliseconds: number): Promise<void> {
  jest.advanceTimersByTime(milliseconds);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe("SilenceWatch", () => {
  const asked: string[] = [];
  const connections = {
    areIdle: async () => asked.push("idle?") > 0,
    endIdle: async () => asked.push("end") > 0,
    client: { close: async () => undefined },
  } as unknown as Connections;
  let lost: number;
  let watch: SilenceWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    asked.length = 0;
    lost = 0;
    watch = new SilenceWatch(
      connections,
      () => connections,
      () => lost++,
    );
  });
  afterEach(async () => {
    await watch.close();
    jest.useRealTimers();
  });

  test("asks about no connections that have never answered, because they may still be opening", async () => {
    watch.begin();
    for (let turn = 0; turn < 10; turn++) await pass(250);
    expect(asked).toEqual([]);
  });

  test("has the server say twice that it is idle before it ends the connections", async () => {
    watch.begin();
    watch.end(true);
    watch.begin();
    await pass(250); // in which there was an answer
    await pass(250);
    expect([...asked, lost]).toEqual(["idle?", 0]);
    await pass(150);
    expect([...asked, lost]).toEqual(["idle?", "end", 1]);
  });

  test("treats an answer in between as a sign of life", async () => {
    watch.begin();
    watch.end(true);
    for (let turn = 0; turn < 10; turn++) {
      watch.begin();
      await pass(250);
      watch.end(true);
    }
    expect([asked.includes("end"), lost]).toEqual([false, 0]);
  });
});
