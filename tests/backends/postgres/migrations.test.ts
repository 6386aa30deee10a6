import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { getTableName } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sql";
import { migrate } from "drizzle-orm/bun-sql/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { getTableConfig } from "drizzle-orm/pg-core";

import type { PostgresSessionBackendOptions } from "../../../src/backends/postgres/backend.ts";
import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { sessions } from "../../../src/backends/postgres/schema.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";
import {
  OwnDatabase,
  PATIENT,
  patient,
  postgres,
  readPort,
  Schema,
} from "../../support/servers/postgres.ts";
import { TcpProxy } from "../../support/servers/tcp-proxy.ts";
import { testLong } from "../../support/trials.ts";
import { expectApart } from "../checks.ts";
import { closeAfterEach } from "../opened.ts";

const MIGRATIONS = readMigrationFiles({
  migrationsFolder: join(import.meta.dir, "../../../drizzle/postgres"),
});

describe.skipIf(!postgres.isThere)("PostgresSessionBackend, when it starts,", () => {
  let schema: Schema;
  const closing = closeAfterEach(() => schema.drop());

  beforeEach(async () => {
    schema = await Schema.create();
  });

  function open(url = schema.url, options?: PostgresSessionBackendOptions): PostgresSessionBackend {
    return closing(new PostgresSessionBackend(url, { ...PATIENT, ...options }));
  }

  async function tables(name = schema.name): Promise<unknown[]> {
    const rows = await schema.sql`
      SELECT tablename FROM pg_tables WHERE schemaname = ${name} ORDER BY 1`.values();
    return rows.flat();
  }

  const OWN_TABLES = ["bunpie_migrations", "bunpie_sessions"];

  test("creates the table and its indexes as in the schema, at the first request", async () => {
    const backend = open();
    expect(await tables()).toEqual([]);
    expect(await backend.read("id")).toBeUndefined();
    expect(await tables()).toEqual(OWN_TABLES);
    const { columns, indexes } = getTableConfig(sessions);
    const there = await schema.sql`
      SELECT column_name FROM information_schema.columns
      WHERE table_schema = ${schema.name} AND table_name = ${getTableName(sessions)}
      ORDER BY ordinal_position`.values();
    expect(there.flat()).toEqual(columns.map(({ name }) => name));
    const indexed = await schema.sql`
      SELECT indexname FROM pg_indexes
      WHERE schemaname = ${schema.name} AND tablename = ${getTableName(sessions)}
      ORDER BY 1`.values();
    const names = indexes.map(({ config }) => config.name);
    expect(indexed.flat()).toEqual([...names, "bunpie_sessions_pkey"].toSorted());
  });

  test("creates the tables again after they were dropped while it runs", async () => {
    const backend = open();
    await backend.ready();
    await schema.sql`DROP TABLE bunpie_migrations, bunpie_sessions`;
    const record = makeRecord();
    expect(await backend.create("id", record).then(String, String)).toContain("does not exist");
    expect(await backend.create("id", record)).toBe(true);
    expect(await tables()).toEqual(OWN_TABLES);
  });

  test("creates a custom table, with all that belongs to it, in the given place", async () => {
    await using elsewhere = await Schema.create();
    const place = { table: "shop", schema: elsewhere.name };
    await using pool = new Bun.SQL(schema.url, { max: 1 });
    for (const source of [pool, schema.url]) {
      const backend = new PostgresSessionBackend(source, { ...patient(source), ...place });
      await backend.ready();
      await backend.close();
    }
    expect(await tables()).toEqual([]);
    expect(await tables(elsewhere.name)).toEqual(["shop", "shop_migrations"]);
    const indexed = await schema.sql`
      SELECT indexname FROM pg_indexes
      WHERE schemaname = ${elsewhere.name} AND tablename = 'shop' ORDER BY 1`.values();
    expect(indexed.flat()).toEqual(["shop_expires_at", "shop_pkey", "shop_user_id"]);
    const [path] = await pool`SHOW search_path`;
    expect(path.search_path).toBe(schema.name);
  });

  test.each(["LATIN1", "SQL_ASCII", "UTF8"])(
    "refuses an encoding that lacks characters: %s",
    async (encoding) => {
      const settings = `ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`;
      await using database = await OwnDatabase.create(settings);
      const backend = new PostgresSessionBackend(database.url, PATIENT);
      const record = makeRecord({ data: '{"name":"Άννα 😀"}', userId: "Άννα" });
      const kept = backend.create("id", record).then(() => backend.read("id"));
      if (encoding === "LATIN1") {
        expect(await kept.then(String, String)).toEndWith(
          "The database's encoding is LATIN1, which lacks most characters. Create a database with " +
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0 and name it in the URL.",
        );
      } else {
        expect(await kept).toEqual(record);
        expect(await backend.list("Άννα", 9)).toMatchObject([{ handle: "id" }]);
      }
      await backend.close();
    },
  );

  test("creates tables whose names are words of SQL, side by side", async () => {
    await schema.sql`CREATE SCHEMA "user"`;
    try {
      const places = [{ table: "order" }, { table: "table", schema: "user" }] as const;
      await expectApart(open(schema.url, places[0]), open(schema.url, places[1]));
      expect(await tables()).toEqual(["order", "order_migrations"]);
      expect(await tables("user")).toEqual(["table", "table_migrations"]);
    } finally {
      await schema.sql`DROP SCHEMA "user" CASCADE`;
    }
  });

  test("leaves room for updates beside the rows", async () => {
    await open().ready();
    const [row] = await schema.sql`
      SELECT reloptions FROM pg_class WHERE oid = 'bunpie_sessions'::regclass`;
    expect(row.reloptions).toEqual(["fillfactor=70"]);
  });

  test("changes nothing when it starts again", async () => {
    const record = makeRecord({ userId: "Ann" });
    const first = open();
    await first.create("id", record);
    await first.close();
    expect(await open().read("id")).toMatchObject(record);
    const applied =
      await schema.sql`SELECT hash FROM bunpie_migrations ORDER BY created_at`.values();
    expect(applied.flat()).toEqual(MIGRATIONS.map(({ hash }) => hash));
  });

  test.each(MIGRATIONS.slice(0, -1).map((_, index) => index + 1))(
    "updates a table with %i migrations, and keeps its sessions",
    async (count) => {
      const [former, missing] = [MIGRATIONS.slice(0, count), MIGRATIONS.slice(count)];
      await schema.sql`CREATE TABLE bunpie_migrations (id serial PRIMARY KEY, hash text, created_at bigint)`;
      for (const { sql, folderMillis } of former) {
        for (const statement of sql) await schema.sql.unsafe(statement);
        await schema.sql`INSERT INTO bunpie_migrations (created_at) VALUES (${folderMillis})`;
      }
      const record = makeRecord({ userId: "Ann", remember: 60 });
      const { data, createdAt, touchedAt, expiresAt } = record;
      await schema.sql`
        INSERT INTO bunpie_sessions
        (id, data, version, created_at, touched_at, expires_at, user_id, remember)
        VALUES ('id', ${data}, 1, ${createdAt}, ${touchedAt}, ${expiresAt}, 'Ann', 60)`;
      const backend = open();
      expect(await backend.read("id")).toEqual(record);
      expect(await backend.rotate("id", "new", { ...record, version: 2 }, record)).toBe(true);
      expect(await backend.list("Ann", 9)).toMatchObject([{ handle: "new", label: null }]);
      const applied =
        await schema.sql`SELECT hash FROM bunpie_migrations ORDER BY created_at`.values();
      expect(applied.flat()).toEqual([
        ...former.map(() => null),
        ...missing.map(({ hash }) => hash),
      ]);
      const sequences = schema.sql`SELECT FROM pg_sequences WHERE schemaname = ${schema.name}`;
      expect(await sequences).toHaveLength(0);
    },
  );

  test("accepts the table of a later release unchanged", async () => {
    await open().ready();
    await schema.sql`INSERT INTO bunpie_migrations (hash, created_at) VALUES ('later', 4e12)`;
    expect(await open().create("id", makeRecord())).toBe(true);
  });

  test.each([
    ["by default", ""],
    ["with a stricter isolation level", "&default_transaction_isolation=serializable"],
  ])(
    "succeeds in each of eight processes that start at once: %s",
    async (_, setting) => {
      const children = Array.from(
        { length: 8 },
        () => new Child("open-database", "PostgreSQL", schema.url + setting),
      );
      for (const child of children) expect(await child.next()).toBe("ready");
      for (const child of children) child.send("go");
      const ids = await Promise.all(children.map((child) => child.next()));
      await Promise.all(children.map((child) => child.exited));
      expect((await schema.rows()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      expect(await schema.sql`SELECT hash FROM bunpie_migrations`).toHaveLength(MIGRATIONS.length);
    },
    30_000,
  );

  describe("keeps its migrations apart from the app's own", () => {
    const own = { migrationsFolder: "" };
    let folder: Folder;

    beforeEach(async () => {
      folder = new Folder();
      own.migrationsFolder = folder.path;
      // Newer than any of ours: one common table would make Drizzle take ours for done.
      const entries = [{ idx: 0, version: "7", when: 4e12, tag: "0000_own", breakpoints: true }];
      const journal = { version: "7", dialect: "postgresql", entries };
      await Bun.write(folder.file("meta/_journal.json"), JSON.stringify(journal));
      await Bun.write(folder.file("0000_own.sql"), "CREATE TABLE own (n integer)");
    });
    afterEach(() => folder.remove());

    test.each([
      ["before", ["own", "ours"]],
      ["after", ["ours", "own"]],
      ["before and after, again and again", ["own", "ours", "ours", "own", "ours", "own"]],
    ])("applied %s", async (_, order) => {
      for (const whose of order) {
        if (whose === "ours") await open().ready();
        else {
          await migrate(drizzle(schema.sql), { ...own, migrationsSchema: schema.name });
        }
      }
      expect(await tables()).toEqual(["__drizzle_migrations", ...OWN_TABLES, "own"]);
    });
  });

  describe("as a user with few rights", () => {
    let user: string;
    let url: string;

    beforeEach(async () => {
      user = `${schema.name}_user`;
      const place = new URL(schema.url);
      place.username = user;
      url = place.href;
      await schema.sql.unsafe(`CREATE ROLE ${user} LOGIN`);
      await allow("USAGE", `SCHEMA ${schema.name}`);
    });
    afterEach(async () => {
      await schema.sql.unsafe(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
    });

    async function allow(rights: string, on: string): Promise<void> {
      await schema.sql.unsafe(`GRANT ${rights} ON ${on} TO ${user}`);
    }

    test("creates the table with no more than CREATE on the schema", async () => {
      await allow("CREATE", `SCHEMA ${schema.name}`);
      expect(await open(url).create("id", makeRecord())).toBe(true);
    });

    test("works with an existing table, without the right to create one", async () => {
      await open().ready();
      await allow("SELECT", "bunpie_migrations");
      await allow("SELECT, INSERT, UPDATE, DELETE", "bunpie_sessions");
      const backend = open(url);
      expect(await backend.create("id", makeRecord({ userId: "Ann" }))).toBe(true);
      expect(await backend.deleteAll("Ann", undefined, 9)).toEqual(["id"]);
    });

    test.each([
      ["CREATE on the schema", "permission denied for schema", false],
      ["the table of migrations", "permission denied for table bunpie_migrations", true],
    ])("says what is missing: %s", async (_, message, isThere) => {
      if (isThere) await open().ready();
      const told = await open(url).ready().then(String, String);
      expect(told).toContain(message);
      expect(told).toEndWith(
        "Grant the user CREATE on the schema. Or start once as a user who has that right, and then grant " +
          "SELECT on bunpie_migrations and SELECT, INSERT, UPDATE, DELETE on bunpie_sessions.",
      );
    });

    test.each(["SELECT", "INSERT", "UPDATE", "DELETE"])(
      "says which right is missing: %s",
      async (right) => {
        await open().ready();
        await allow("SELECT", "bunpie_migrations");
        const others = ["SELECT", "INSERT", "UPDATE", "DELETE"].filter((each) => each !== right);
        await allow(others.join(), "bunpie_sessions");
        expect(await open(url).ready().then(String, String)).toContain(
          "The user may not read and write bunpie_sessions. Grant the user",
        );
      },
    );

    test("says what is missing for a custom table", async () => {
      await open(schema.url, { table: "shop" }).ready();
      await allow("SELECT", "shop_migrations");
      const told = await open(url, { table: "shop" }).ready().then(String, String);
      expect(told).toContain("The user may not read and write shop. Grant the user");
      expect(told).toEndWith(
        "grant SELECT on shop_migrations and SELECT, INSERT, UPDATE, DELETE on shop.",
      );
    });
  });

  describe("says what to do", () => {
    test.each<[string, () => string | Promise<string>, string]>([
      [
        "nothing listens there",
        () => changed(schema, (url) => (url.port = "1")),
        "Failed to connect. Check that the server is running, reachable from here, and the one that the URL names.",
      ],
      [
        "the host does not exist",
        () => changed(schema, (url) => (url.hostname = "no.such.host.invalid")),
        "Failed to connect. Check that the server is running,",
      ],
      [
        "the database does not exist",
        () => changed(schema, (url) => (url.pathname = "/no_such_database")),
        'database "no_such_database" does not exist. Create the database, or name another one in the URL.',
      ],
      [
        "the user does not exist",
        () => changed(schema, (url) => (url.username = "nobody_at_all")),
        'role "nobody_at_all" does not exist. Name a user in the URL',
      ],
      [
        "the schema does not exist",
        () => changed(schema, (url) => url.searchParams.set("search_path", "no_such_schema")),
        "no schema has been selected to create in. Set the user's search_path to a schema that exists.",
      ],
      [
        "the database is read-only",
        () => changed(schema, (url) => url.searchParams.set("default_transaction_read_only", "on")),
        "in a read-only transaction. The server is a standby or read-only: name the primary in the URL.",
      ],
      [
        "the table's name is taken",
        async () => {
          await schema.sql`CREATE TABLE bunpie_sessions (n integer)`;
          return schema.url;
        },
        'relation "bunpie_sessions" already exists. No table of your own may be called bunpie_sessions. ' +
          "Use the option `table` to choose another name.",
      ],
      [
        "only one of the two tables was dropped",
        async () => {
          await open().ready();
          await schema.sql`DROP TABLE bunpie_sessions`;
          return schema.url;
        },
        'relation "bunpie_sessions" does not exist. Drop bunpie_migrations too: both tables are then created again.',
      ],
    ])("when %s", async (_, spoil, message) => {
      const url = new URL(await spoil());
      url.password = "secret";
      const error = await open(url.href)
        .ready()
        .then(String, (caught: unknown) => caught);
      expect(error).toBeInstanceOf(Error);
      expect((error as Error).message).toStartWith("Cannot keep sessions in PostgreSQL at ");
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).not.toContain("secret");
      expect((error as Error).cause).toBeInstanceOf(Error);
    });

    test("when the schema in the option does not exist", async () => {
      const place = { table: "shop", schema: "no_such_schema" };
      expect(await open(schema.url, place).ready().then(String, String)).toEndWith(
        'Run CREATE SCHEMA "no_such_schema" first, or give the option `schema` another name.',
      );
    });

    test.each([
      [
        "08P01",
        "unsupported startup parameter: statement_timeout",
        "If there is a pooler such as PgBouncer in between, give the option `pooler: true`.",
      ],
      ["28P01", "password authentication failed", "Give the user's password in the URL."],
      [
        "42P05",
        'prepared statement "P0" already exists',
        "If there is a pooler such as PgBouncer in between, create the pool with `prepare: false`.",
      ],
      ["53300", "too many clients", "Raise the server's max_connections, or lower"],
      ["XX000", "something else", "Check that the server is running, reachable from here,"],
    ])("when the server answers with %s", async (code, message, remedy) => {
      using server = refusingServer(code, message);
      const url = schema.urlAt(server.port);
      expect(await open(url).ready().then(String, String)).toContain(`${message}. ${remedy}`);
    });
  });

  testLong("waits for another process that is at it, for longer than `queryTimeout`", async () => {
    await using rival = await schema.begin("SELECT pg_advisory_xact_lock(7120530925046)");
    const ready = open(schema.url, { queryTimeout: 2_000 }).ready();
    // One that does not wait must not keep the lock from others' tests.
    await Promise.race([schema.waiting(1).then(() => Bun.sleep(2_100)), ready]);
    expect(await tables()).toEqual([]);
    await rival.commit();
    await ready;
    expect(await tables()).toEqual(OWN_TABLES);
  });

  test("is repeated by each request while the database is down, and succeeds once it is up", async () => {
    await using proxy = await TcpProxy.to(readPort(postgres.url));
    proxy.refuse();
    const backend = open(schema.urlAt(proxy.port), { queryTimeout: 60_000 });
    const writes = ["a", "b"].map((id) => backend.create(id, makeRecord()).then(String, String));
    for (const told of await Promise.all(writes))
      expect(told).toContain("Cannot keep sessions in ");
    await proxy.pass();
    expect(await backend.create("c", makeRecord())).toBe(true);
  });
});

function changed(schema: Schema, change: (url: URL) => void): string {
  const url = new URL(schema.url);
  change(url);
  return url.href;
}

/** A server that says no to everybody, with this code and message. */
function refusingServer(code: string, message: string): Bun.TCPSocketListener {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from("E\0\0\0\0");
  head.writeUInt32BE(fields.length + 4, 1);
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.end(Buffer.concat([head, fields]));
      },
    },
  });
}
