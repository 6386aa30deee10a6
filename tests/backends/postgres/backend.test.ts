import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";

import { drizzle } from "drizzle-orm/bun-sql";
import { drizzle as drizzleSqlite } from "drizzle-orm/bun-sqlite";
import { drizzle as drizzleProxy } from "drizzle-orm/pg-proxy";

import type { PostgresSessionBackendOptions } from "../../../src/backends/postgres/backend.ts";
import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { sessions, sessionsTable } from "../../../src/backends/postgres/schema.ts";
import { prepareStatements } from "../../../src/backends/postgres/statements.ts";
import { makeExpiredRecord, makeRecord, randomId } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { PATIENT, patient, postgres, Schema } from "../../support/servers/postgres.ts";
import { expectApart, expectContentsAlone, expectLeftOut, tellFailures } from "../checks.ts";
import { closeAfterEach } from "../opened.ts";

type Step = (store: PostgresSessionBackend) => Promise<unknown>;
const remove: Step = (store) => store.delete("old");
const removeAll: Step = (store) => store.deleteAll("Ann", "kept", 9);

const URL_OF_NOTHING = "postgres://postgres@127.0.0.1:1/test";

if (postgres.isThere) {
  const schema = await Schema.create();
  afterAll(() => schema.drop());

  testSessionBackend(
    "PostgresSessionBackend",
    (now) => new PostgresSessionBackend(schema.url, { ...PATIENT, now }),
  );
  testSessionBackend(
    "PostgresSessionBackend, through a pooler and on isolation that the app has raised,",
    (now) =>
      new PostgresSessionBackend(`${schema.url}&default_transaction_isolation=serializable`, {
        ...PATIENT,
        now,
        pooler: true,
      }),
  );
}

describe("PostgresSessionBackend", () => {
  test.each([
    ...[0, 1.5, "5", 1_001].map((value) => ["connections", value, "a whole number from 1 to 1000"]),
    ...["connectionTimeout", "queryTimeout"].flatMap((name) =>
      [0, Number.NaN, "9", 86_400_001, 2 ** 31, Infinity].map((value) => [
        name,
        value,
        "milliseconds, more than 0 and at most 86400000",
      ]),
    ),
  ] as [string, unknown, string][])(
    "refuses `%s` of %p, and says what it accepts",
    (name, value, accepted) => {
      const options: unknown = { [name]: value };
      const message = `\`${name}\` is ${String(value)}; it has to be ${accepted}.`;
      expect(
        () => new PostgresSessionBackend(URL_OF_NOTHING, options as PostgresSessionBackendOptions),
      ).toThrow(new TypeError(message));
    },
  );

  test.each(["table", "schema"])("refuses a `%s` that is no plain name", (option) => {
    const make = (): unknown => new PostgresSessionBackend(URL_OF_NOTHING, { [option]: "a b" });
    expect(make).toThrow(`\`${option}\` is "a b"`);
    const [table, schema] = option === "table" ? ["a b"] : ["sessions", "a b"];
    expect(() => sessionsTable(table, schema)).toThrow(`\`${option}\` is "a b"`);
  });

  test.each(["", "sessions.db", "mysql://localhost/shop", "localhost:5432/shop"])(
    "refuses %p as a URL, and says what it accepts",
    (url) => {
      expect(() => new PostgresSessionBackend(url)).toThrow(
        new TypeError(
          "The URL of the database has to begin with postgres:// or postgresql://, as in " +
            '"postgres://user:password@localhost:5432/shop".',
        ),
      );
    },
  );

  test.each([
    ["connections", 5],
    ["connectionTimeout", 100],
    ["pooler", true],
  ])("refuses `%s` together with the app's own pool", (name, value) => {
    const pool = new Bun.SQL(URL_OF_NOTHING);
    expect(() => new PostgresSessionBackend(pool, { [name]: value })).toThrow(
      new TypeError(
        `\`${name}\` applies only to connections that are opened from a URL. Set it on your own pool.`,
      ),
    );
  });

  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["null", () => null],
    ["an options object", () => ({ url: URL_OF_NOTHING })],
    ["a Bun.SQL for SQLite", () => new Bun.SQL("sqlite://:memory:")],
    ["a Bun.SQL for MySQL", () => new Bun.SQL("mysql://localhost/shop")],
    ["a Drizzle database on another driver", () => drizzleProxy(async () => ({ rows: [] }))],
    ["a Drizzle database on bun:sqlite", () => drizzleSqlite(new Database(":memory:"))],
    ["a Drizzle database without a connection", () => drizzle.mock()],
  ])("refuses %s, and says what it accepts", (_, make) => {
    expect(() => new PostgresSessionBackend(make() as Bun.SQL)).toThrow(NO_SOURCE);
  });
});

const NO_SOURCE = new TypeError(
  'PostgresSessionBackend needs a URL such as "postgres://user@localhost/shop", a Bun.SQL for PostgreSQL, ' +
    "or a database of drizzle-orm/bun-sql; not a transaction or a reserved connection.",
);

describe.skipIf(!postgres.isThere)("PostgresSessionBackend on a server", () => {
  let schema: Schema;
  const closing = closeAfterEach(() => schema.clear());

  beforeAll(async () => {
    schema = await Schema.create();
    await open().ready();
  });
  afterAll(() => schema.drop());

  function open(
    source: ConstructorParameters<typeof PostgresSessionBackend>[0] = schema.url,
    options?: PostgresSessionBackendOptions,
  ): PostgresSessionBackend {
    return closing(new PostgresSessionBackend(source, { ...patient(source), ...options }));
  }

  async function alter(statement: string): Promise<void> {
    await schema.sql.unsafe(statement);
  }

  describe("with the app's own pool", () => {
    let pool: Bun.SQL;
    beforeEach(() => {
      pool = new Bun.SQL(schema.url, { max: 2, bigint: true, transform: Bun.SQL.camel });
    });
    afterEach(() => pool.close());

    test.each([
      ["a Bun.SQL", () => pool],
      ["a Drizzle database", () => drizzle(pool, { casing: "snake_case", logger: LOGGER })],
    ])("accepts %s with the app's own settings, and leaves it open", async (_, source) => {
      const backend = open(source());
      const id = randomId();
      const record = makeRecord({ userId: "Ann", authenticatedAt: 1, remember: 60 });
      expect(await backend.create(id, record)).toBe(true);
      expect(await backend.read(id)).toEqual(record);
      expect(await backend.list("Ann", 9)).toMatchObject([{ handle: id, authenticatedAt: 1 }]);
      await backend.close();
      expect(LOGGED).toEqual([]);
      expect(await pool`SELECT id FROM bunpie_sessions`).toHaveLength(1);
    });

    test("lets the app read its sessions by the exported table", async () => {
      const db = drizzle(pool);
      await open(db).create("id", makeRecord({ userId: "Ann", version: 7 }));
      const rows = await db.select().from(sessions);
      expect(rows).toMatchObject([{ id: "id", userId: "Ann", version: 7, remember: null }]);
    });

    test("refuses a transaction or a reserved connection", async () => {
      using reserved = await pool.reserve();
      expect(() => open(reserved)).toThrow(NO_SOURCE);
      await pool.begin(async (transaction) => {
        expect(() => open(transaction)).toThrow(NO_SOURCE);
      });
      await drizzle(pool).transaction(async (transaction) => {
        expect(() => open(transaction as unknown as Bun.SQL)).toThrow(NO_SOURCE);
      });
    });
  });

  describe("with a custom table", () => {
    test("shares nothing with a backend whose table has the same name in another schema", async () => {
      await using elsewhere = await Schema.create();
      await expectApart(open(schema.url, { schema: elsewhere.name }), open());
    });

    test("can be read by sessionsTable()", async () => {
      await using elsewhere = await Schema.create();
      const place = { table: "shop", schema: elsewhere.name };
      await open(schema.url, place).create("id", makeRecord({ label: "phone" }));
      const table = sessionsTable(place.table, place.schema);
      const rows = await drizzle(schema.sql).select().from(table);
      expect(rows).toMatchObject([{ id: "id", label: "phone" }]);
    });
  });

  describe("expiry", () => {
    test("a sweep neither waits for rows that another process is sweeping, nor counts them", async () => {
      const backend = open();
      const ids = ["a", "b", "c", "d", "e"];
      await Promise.all(ids.map((id) => backend.create(id, makeExpiredRecord())));
      await using rival = await schema.begin(
        "SELECT id FROM bunpie_sessions WHERE id IN ('a', 'b') FOR UPDATE",
      );
      expect(await backend.sweep(10)).toBe(3);
      expect(await backend.sweep(10)).toBe(0);
      await rival.rollback();
      expect(await backend.sweep(10)).toBe(2);
    });

    test("a sweep spares a session whose expiry is being moved", async () => {
      const backend = open();
      await backend.create("id", makeExpiredRecord());
      await using rival = await schema.begin(
        `UPDATE bunpie_sessions SET expires_at = ${Date.now() + 60_000}`,
      );
      expect(await backend.sweep(10)).toBe(0);
      await rival.commit();
      expect(await backend.sweep(10)).toBe(0);
      expect(await backend.read("id")).toBeDefined();
    });
  });

  test("keeps a session whose expiry is later than the database can represent", async () => {
    const backend = open();
    await backend.create("id", makeRecord({ expiresAt: 1e20 }));
    expect(await backend.touch("id", 1e20)).toBe(true);
    expect(await backend.read("id")).toMatchObject({ expiresAt: Number.MAX_SAFE_INTEGER });
  });

  test("writes no columns of facts if only the contents have changed", async () => {
    await expectContentsAlone(open(), alter);
  });

  test("deleteAll continues where it stopped, and looks at the rows before that at the end", async () => {
    const backend = open();
    for (const touchedAt of [100, 200]) {
      await backend.create(`${touchedAt}`, makeRecord({ userId: "Ann", touchedAt }));
    }
    expect(await backend.deleteAll("Ann", undefined, 1)).toEqual(["100"]);
    // By a process whose clock is behind.
    await backend.create("50", makeRecord({ userId: "Ann", touchedAt: 50 }));
    expect(await backend.deleteAll("Ann", undefined, 1)).toEqual(["200"]);
    expect(await backend.deleteAll("Ann", undefined, 1)).toEqual(["50"]);
    expect(await backend.deleteAll("Ann", undefined, 1)).toEqual([]);
  });

  test("deleteAll starts over for another user", async () => {
    const backend = open();
    await backend.create("Ann's", makeRecord({ userId: "Ann", touchedAt: 100 }));
    await backend.create("Bob's", makeRecord({ userId: "Bob", touchedAt: 50 }));
    expect(await backend.deleteAll("Ann", undefined, 1)).toEqual(["Ann's"]);
    expect(await backend.deleteAll("Bob", undefined, 1)).toEqual(["Bob's"]);
  });

  test.each([
    ["list", "list"],
    ["deleteAll", "removeAll"],
  ] as const)("%s uses the index of a user's sessions, without sorting", async (_, name) => {
    await schema.sql`
      INSERT INTO bunpie_sessions (id, data, version, created_at, touched_at, expires_at, user_id)
      SELECT n::text, '', 1, 1, n, 9e12, 'Ann' FROM generate_series(1, 5000) n`;
    await schema.sql`ANALYZE bunpie_sessions`;
    const statement = prepareStatements(sessions)[name];
    const { text, params } = statement({
      userId: "Ann",
      exceptId: "",
      now: 1,
      limit: 100,
      deadline: 1,
      channel: "ends",
      from: 0,
    });
    const plan = (await schema.sql.unsafe(`EXPLAIN ${text}`, params).values()).join("\n");
    expect(plan).toMatch(/Index Scan .*using bunpie_sessions_user_id/);
    expect(plan).not.toMatch(/Seq Scan|Sort/);
  });

  describe("during another transaction", () => {
    const old = makeRecord({ userId: "Ann" });
    const fresh = { ...old, version: 2 };

    const rotate: Step = (store) => store.rotate("old", "new", fresh, old);
    const logInAsBob: Step = (store) => store.replace("old", { ...fresh, userId: "Bob" }, old);
    const create: Step = (store) => store.create("old", old);

    test.each(
      Object.entries<readonly [Step, Step, answers: unknown[], left: string[]]>({
        "L7: deleteAll ends a session that is being rotated": [
          rotate,
          removeAll,
          [true, ["new"]],
          ["old -1"],
        ],
        "deleteAll spares a session that another user is logging into": [
          logInAsBob,
          removeAll,
          [true, []],
          ["old 2"],
        ],
        "L6: delete returns the new id of a session that is being rotated": [
          rotate,
          remove,
          [true, "new"],
          ["new 2"],
        ],
        "replace does not bring back a session that is being deleted": [
          remove,
          logInAsBob,
          [undefined, false],
          [],
        ],
        "rotate does not bring back a session that is being deleted": [
          remove,
          rotate,
          [undefined, false],
          [],
        ],
        "create waits for a rotate away from its id, and finds the note": [
          rotate,
          create,
          [true, false],
          ["new 2", "old -1"],
        ],
      }),
    )("%s", async (_, [one, other, answers, left]) => {
      const backend = open();
      for (const id of ["old", "kept"]) await backend.create(id, old);
      await using rival = await schema.begin("SELECT FROM bunpie_sessions FOR UPDATE");
      const first = one(backend);
      await schema.waiting(1);
      const second = other(backend);
      await schema.waiting(2);
      await rival.commit();
      expect([await first, await second]).toEqual(answers);
      const rows = (await schema.rows()).map(({ id, version }) => `${id} ${version}`);
      expect(rows.toSorted()).toEqual(["kept 1", ...left].toSorted());
    });

    test.each([
      ["commit", false, "theirs"],
      ["rollback", true, "ours"],
    ] as const)("create waits for another create of its id: %s", async (end, created, whose) => {
      const backend = open();
      await using rival = await schema.begin(
        `INSERT INTO bunpie_sessions VALUES ('id', '{"by":"theirs"}', NULL, 1, 1, 1, ${Date.now() + 60_000})`,
      );
      const creating = backend.create("id", makeRecord({ data: '{"by":"ours"}' }));
      await schema.waiting(1);
      await rival[end]();
      expect(await creating).toBe(created);
      expect(await backend.load("id")).toEqual({ by: whose });
    });

    test.each([
      ["commit", false, ["new 1", "old 1"]],
      ["rollback", true, ["new 2", "old -1"]],
    ] as const)("rotate waits for a create of its new id: %s", async (end, rotated, left) => {
      const backend = open();
      await backend.create("old", old);
      await using rival = await schema.begin(
        `INSERT INTO bunpie_sessions VALUES ('new', '{}', NULL, 1, 1, 1, ${Date.now() + 60_000})`,
      );
      const rotating = backend.rotate("old", "new", fresh, old);
      await schema.waiting(1);
      await rival[end]();
      expect(await rotating).toBe(rotated);
      const rows = (await schema.rows()).map(({ id, version }) => `${id} ${version}`);
      expect(rows.toSorted()).toEqual([...left]);
    });
  });

  test.each([
    ["is no JSON", "data = '{\"visits\": 1'"],
    ["is a list", "data = '[1, 2]'"],
    ["has a version that no number holds", "version = 9223372036854775807"],
    ["has a version below 0, as notes have", "version = -4"],
  ])(
    "S2: a row that %s counts as no session, and causes an event and no error",
    async (_, damage) => {
      await expectLeftOut(open(), () => schema.sql.unsafe(`UPDATE bunpie_sessions SET ${damage}`));
    },
  );

  test("refuses a user id that PostgreSQL's text cannot hold, instead of truncating it", async () => {
    const backend = open();
    const record = makeRecord({ userId: "Ann\0" });
    expect(await backend.create("id", record).then(String, String)).toContain("invalid byte");
    expect(await schema.rows()).toEqual([]);
  });

  test("I7: neither the log nor the answer of a failed request contains an id or a session's data", async () => {
    const told = await tellFailures(open(), [
      () => alter("ALTER TABLE bunpie_sessions RENAME COLUMN flash TO gone"),
      async () => {
        await alter("ALTER TABLE bunpie_sessions RENAME COLUMN gone TO flash");
        await alter("ALTER TABLE bunpie_sessions ADD CONSTRAINT small CHECK (version < 2)");
      },
    ]);
    await alter("ALTER TABLE bunpie_sessions DROP CONSTRAINT small");
    expect(told).toContain('column "flash" does not exist');
    expect(told).toContain("small");
  });

  test("close() closes connections that were opened by URL", async () => {
    const url = new URL(schema.url);
    url.searchParams.set("application_name", `${schema.name}_closed`);
    const count = (): Promise<unknown[]> =>
      schema.sql`SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, ${`${schema.name}_closed`})`;
    const backend = open(url.href);
    await backend.ready();
    expect((await count()).length).toBeGreaterThan(0);
    await backend.close();
    while ((await count()).length > 0) await Bun.sleep(1);
    expect(await backend.ready().then(String, String)).toContain("is closed");
  });
});

const LOGGED: string[] = [];
const LOGGER = { logQuery: (query: string) => LOGGED.push(query) };
