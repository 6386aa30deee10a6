import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";

import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import type {
  BoundStatement,
  PoolOptions,
  PostgresPool,
} from "../../../src/backends/postgres/pool.ts";
import { openPool } from "../../../src/backends/postgres/pool.ts";
import type { Statement } from "../../../src/backends/postgres/statements.ts";
import { PostgresWriter } from "../../../src/backends/postgres/writer.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { postgres, readPort, Schema } from "../../support/servers/postgres.ts";
import { TcpProxy } from "../../support/servers/tcp-proxy.ts";
import { describeLong } from "../../support/trials.ts";
import { closeAfterEach } from "../opened.ts";

/** How long an operation may take, in milliseconds. */
const TIMEOUT = 1_000;

/** So long that whoever waited for it would be found out on any machine. */
const A_MINUTE = 60_000;

const OPTIONS: PoolOptions = {
  connections: 1,
  connectionTimeout: 5_000,
  queryTimeout: TIMEOUT,
  pooler: false,
};

const COUNT: Statement = ({ deadline }) => ({
  text: `UPDATE counters SET count = count + 1
         RETURNING count, 1 / (clock_timestamp() <= to_timestamp($1::bigint / 1000.0))::int`,
  params: [deadline],
});

/** Whose sessions they are, by the names of the operations that they are for. */
const USERS = {
  create: "Ann",
  replace: "Ann",
  rotate: "Ann",
  touch: "Ann",
  delete: "Ann",
  deleteAll: "Bob",
};

/** One of each, on sessions of these names. */
function writeAll(backend: PostgresSessionBackend, at: number): Promise<unknown>[] {
  const old = makeRecord({ userId: "Ann" }, at);
  const fresh = { ...old, version: 2 };
  return [
    backend.create("create", old),
    backend.replace("replace", fresh, old),
    backend.rotate("rotate", "rotated", fresh, old),
    backend.touch("touch", at + 60_000),
    backend.delete("delete"),
    backend.deleteAll("Bob", undefined, 10),
  ];
}

describe.skipIf(!postgres.isThere)("a write to PostgreSQL", () => {
  let schema: Schema;
  let proxy: TcpProxy;
  let pool: PostgresPool;
  let writer: PostgresWriter;

  beforeEach(async () => {
    schema = await Schema.create();
    proxy = await TcpProxy.to(readPort(postgres.url));
    await schema.sql`CREATE TABLE counters (count integer)`;
    await schema.sql`INSERT INTO counters VALUES (0)`;
    pool = openPool(schema.urlAt(proxy.port), OPTIONS);
    writer = new PostgresWriter(pool);
    // So that nothing that follows waits for a connection.
    await count();
  });
  afterEach(async () => {
    await pool.close();
    await proxy[Symbol.asyncDispose]();
    await schema.drop();
  });

  /** Counts, and gives what came out, and after how many milliseconds. */
  async function count(by = writer, on = pool): Promise<{ text: string; after: number }> {
    const begun = performance.now();
    const text = await by
      .run(COUNT, {}, on.deadline())
      .then((rows) => String(rows[0]?.[0]), String);
    return { text, after: performance.now() - begun };
  }

  function listConnections(): Promise<unknown[]> {
    return schema.sql`
      SELECT FROM pg_stat_activity WHERE starts_with(application_name, ${schema.name})`;
  }

  test("fails at once if there is no connection, because it can have no effect", async () => {
    proxy.refuse();
    while (
      !/Failed to connect/.test(
        await pool.run({ text: "SELECT 1", params: [] }).then(String, String),
      )
    );
    using sleep = spyOn(Bun, "sleep");
    expect((await count()).text).toContain("Failed to connect");
    expect(sleep).not.toHaveBeenCalled();
  });

  test("fails at once if the server refuses it", async () => {
    await schema.sql`ALTER TABLE counters ADD CHECK (count < 2)`;
    using sleep = spyOn(Bun, "sleep");
    expect((await count()).text).toContain("violates check constraint");
    expect(sleep).not.toHaveBeenCalled();
  });

  test("does not fail before it is certain to have no later effect", async () => {
    proxy.hold();
    const counting = count();
    while (proxy.held === 0) await Bun.sleep(1);
    proxy.strand();
    const { text, after } = await counting;
    expect(text).toContain("Connection closed");
    expect(after).toBeGreaterThanOrEqual(TIMEOUT - 1);
    await proxy.pass();
    while ((await listConnections()).length > 1) await Bun.sleep(1);
    expect(await count()).toMatchObject({ text: "2" });
  });

  /** Loses a connection, and a write with it that the server is never to get. Gives what {@link count} does. */
  async function lose(queryTimeout: number, pooler: boolean): ReturnType<typeof count> {
    const patient = openPool(schema.urlAt(proxy.port), { ...OPTIONS, queryTimeout, pooler });
    const one = new PostgresWriter(patient);
    await count(one, patient);
    proxy.hold();
    const counting = count(one, patient);
    while (proxy.held === 0) await Bun.sleep(1);
    proxy.refuse();
    await proxy.pass();
    const outcome = await counting;
    await patient.close();
    return outcome;
  }

  test("fails as soon as the server is back without a connection that could execute it", async () => {
    const { text, after } = await lose(A_MINUTE, false);
    expect(text).toContain("Connection closed");
    expect(after).toBeLessThan(A_MINUTE / 2);
  });

  test("does not trust a server that a pooler may hide", async () => {
    const { text, after } = await lose(TIMEOUT, true);
    expect(text).toContain("Connection closed");
    expect(after).toBeGreaterThanOrEqual(TIMEOUT - 1);
  });

  test("is not sent once its time is used up", async () => {
    const late = writer.run(COUNT, {}, performance.now()).then(String, String);
    expect(await late).toBe(
      "Error: The deadline passed before the statement was sent to PostgreSQL.",
    );
    expect(await count()).toMatchObject({ text: "2" });
  });

  test("is executed even if the server's clock was set", async () => {
    let lag = 3_600_000;
    const asked: string[] = [];
    const one = new PostgresWriter({
      async run(statement: BoundStatement, deadline?: number) {
        asked.push(statement.text.slice(0, 6));
        const rows = await pool.run(statement, deadline);
        if (!statement.text.startsWith("SELECT")) return rows;
        return Object.assign([[Number(rows[0]?.[0]) - lag]], { affectedRows: 0 });
      },
      settle: (error, deadline) => pool.settle(error, deadline),
    });
    expect((await count(one)).text).toBe(
      "Error: The statement reached PostgreSQL too late and was not carried out.",
    );
    expect(asked).toEqual(["SELECT", "UPDATE", "SELECT", "UPDATE"]);
    lag = 0;
    expect(await count(one)).toMatchObject({ text: "2" });
    expect(asked).toHaveLength(7);
    expect(await count(one)).toMatchObject({ text: "3" });
    expect(asked).toHaveLength(8);
  });
});

describeLong(postgres.isThere, "a write that is held back", () => {
  let schema: Schema;
  let proxy: TcpProxy;
  const closing = closeAfterEach(async () => {
    await Promise.all(appsOwn.splice(0).map((sql) => sql.close({ timeout: 1 })));
    await proxy[Symbol.asyncDispose]();
    await schema.drop();
  });
  const appsOwn: Bun.SQL[] = [];

  beforeEach(async () => {
    schema = await Schema.create();
    proxy = await TcpProxy.to(readPort(postgres.url));
  });

  async function open(
    ...args: ConstructorParameters<typeof PostgresSessionBackend>
  ): Promise<PostgresSessionBackend> {
    const options = { ...args[1], queryTimeout: TIMEOUT };
    const backend = closing(new PostgresSessionBackend(args[0], options));
    await backend.ready();
    return backend;
  }

  /** Makes a sequence that counts the statements that begin to write, also those that are undone. */
  async function countStatements(): Promise<() => Promise<number>> {
    await schema.sql.unsafe(`
      CREATE SEQUENCE begun;
      CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM nextval('${schema.name}.begun'); RETURN NULL; END $$;
      CREATE TRIGGER tell BEFORE INSERT OR UPDATE OR DELETE ON bunpie_sessions
        FOR EACH STATEMENT EXECUTE FUNCTION tell()`);
    return async () => {
      const [row] = await schema.sql`SELECT last_value::int AS count FROM begun`;
      return row.count;
    };
  }

  async function active(): Promise<number> {
    const rows = await schema.sql`
      SELECT FROM pg_stat_activity WHERE starts_with(application_name, ${schema.name}) AND state = 'active'`;
    return rows.length;
  }

  async function refill(backend: PostgresSessionBackend, at: number): Promise<void> {
    await schema.clear();
    for (const [id, userId] of Object.entries(USERS)) {
      if (id !== "create") await backend.create(id, makeRecord({ userId }, at));
    }
  }

  const SOURCES: [string, () => Promise<PostgresSessionBackend>][] = [
    ["directly", () => open(schema.urlAt(proxy.port), { connections: 1 })],
    ["through a pooler", () => open(schema.urlAt(proxy.port), { pooler: true, connections: 6 })],
    [
      "with a pool of the app's",
      () => {
        const sql = new Bun.SQL(schema.urlAt(proxy.port), { max: 1 });
        appsOwn.push(sql);
        return open(sql);
      },
    ],
  ];

  test.each(SOURCES)(
    "that the network delays has no effect once it has failed: %s",
    async (_, make) => {
      const backend = await make();
      const at = Date.now();
      const begun = await countStatements();
      await refill(backend, at);
      const before = await begun();
      expect(await Promise.all(writeAll(backend, at))).toEqual([
        true,
        true,
        true,
        true,
        undefined,
        ["deleteAll"],
      ]);
      const needed = (await begun()) - before;
      await refill(backend, at);
      const rows = await schema.rows();
      const last = await begun();
      proxy.hold();
      for (const outcome of await Promise.all(
        writeAll(backend, at).map((write) => write.then(String, String)),
      )) {
        expect(outcome).toContain("PostgreSQL did not answer within");
      }
      await proxy.pass();
      // On a busy machine some may never arrive: their connection was replaced before they could.
      const until = performance.now() + 2_000;
      while (((await begun()) < last + needed && performance.now() < until) || (await active()) > 0)
        await Bun.sleep(1);
      expect(await schema.rows()).toEqual(rows);
    },
  );

  test("that the network and then a lock delay has no effect either", async () => {
    const backend = await open(schema.urlAt(proxy.port), { connections: 1 });
    await backend.create("id", makeRecord());
    await backend.delete("nobody");
    proxy.slow(TIMEOUT / 2);
    await using rival = await schema.begin("SELECT FROM bunpie_sessions FOR UPDATE");
    const ending = backend.delete("id").then(String, String);
    await schema.waiting(1);
    expect(await ending).toContain("PostgreSQL did not answer within");
    await rival.commit();
    while ((await active()) > 0) await Bun.sleep(1);
    expect(await schema.rows()).toMatchObject([{ id: "id" }]);
  });

  test("that waits for another process to create the table is not executed afterwards", async () => {
    await using rival = await schema.begin("SELECT pg_advisory_xact_lock(7120530925046)");
    const backend = closing(new PostgresSessionBackend(schema.url, { queryTimeout: TIMEOUT }));
    const creating = backend.create("id", makeRecord()).then(String, String);
    await schema.waiting(1);
    await Bun.sleep(TIMEOUT);
    await rival.commit();
    expect(await creating).toContain("The deadline passed before the statement was sent");
    expect(await schema.rows()).toEqual([]);
  });
});
