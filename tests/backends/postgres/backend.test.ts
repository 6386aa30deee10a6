import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";

import { drizzle } from "drizzle-orm/bun-sql";
import { drizzle as drizzleSqlite } from "drizzle-orm/bun-sqlite";
import { drizzle as drizzleProxy } from "drizzle-orm/pg-proxy";

import { App } from "../../../src/app/app.ts";
import type { PostgresSessionBackendOptions } from "../../../src/backends/postgres/backend.ts";
import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { sessions, sessionsTable } from "../../../src/backends/postgres/schema.ts";
import { prepareStatements } from "../../../src/backends/postgres/statements.ts";
import type { SessionEvent } from "../../../src/session/events.ts";
import { hashId } from "../../../src/session/id.ts";
import { TestClient } from "../../../src/testing/client.ts";
import { expiredRecord, randomId, recordOf } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { FakeClock } from "../../support/clock.ts";
import { quiet } from "../../support/quiet.ts";
import { postgres, Schema } from "../../support/servers/postgres.ts";

const URL_OF_NOTHING = "postgres://postgres@127.0.0.1:1/test";

if (postgres.isThere) {
  const schema = await Schema.create();
  afterAll(() => schema.drop());

  testSessionBackend(
    "PostgresSessionBackend",
    (now) => new PostgresSessionBackend(schema.url, { now }),
  );
  testSessionBackend(
    "PostgresSessionBackend, through a pooler and on isolation that the app has raised,",
    (now) =>
      new PostgresSessionBackend(`${schema.url}&default_transaction_isolation=serializable`, {
        now,
        pooler: true,
      }),
  );
}

class Site extends App<{ visits: number; secret: string }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return String(session.visits);
  }
  read(): string {
    return String(this.request.session.visits ?? "nobody");
  }
  login(): string {
    this.request.session.secret = "the data";
    this.request.session.login("Ann");
    return "in";
  }
}

describe("PostgresSessionBackend", () => {
  test.each([
    ["connections", 0, "`connections` is 0; it has to be a whole number above 0."],
    ["connections", 1.5, "`connections` is 1.5; it has to be a whole number above 0."],
    ["connectionTimeout", 0, "`connectionTimeout` is 0; it has to be milliseconds, more than 0."],
    ["queryTimeout", Number.NaN, "`queryTimeout` is NaN; it has to be milliseconds, more than 0."],
    ["queryTimeout", "9", "`queryTimeout` is 9; it has to be milliseconds, more than 0."],
  ])("refuses `%s` of %p, and says what it takes", (name, value, message) => {
    const options: unknown = { [name]: value };
    expect(
      () => new PostgresSessionBackend(URL_OF_NOTHING, options as PostgresSessionBackendOptions),
    ).toThrow(new TypeError(message));
  });

  test.each([
    ["table", 41],
    ["schema", 63],
  ])("refuses a `%s` that is no plain name", (option, length) => {
    const tooLong = "a".repeat(length + 1);
    for (const name of ["", "Sessions", "1st", "shop sessions", 'a"b', "a\n", tooLong, null]) {
      const message =
        `\`${option}\` is ${JSON.stringify(name)}; it has to be a name of at most ${length} lower-case ` +
        'letters, digits and underscores, and no digit first, such as "shop_sessions".';
      const options = { [option]: name } as PostgresSessionBackendOptions;
      expect(() => new PostgresSessionBackend(URL_OF_NOTHING, options)).toThrow(
        new TypeError(message),
      );
      const [table, schema] = option === "table" ? [name] : ["sessions", name];
      expect(() => sessionsTable(table as string, schema as string)).toThrow(
        new TypeError(message),
      );
    }
  });

  test.each(["", "sessions.db", "mysql://localhost/shop", "localhost:5432/shop"])(
    "refuses %p for a URL, and says what it takes",
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
  ])("refuses `%s` for a pool of the app's", (name, value) => {
    const pool = new Bun.SQL(URL_OF_NOTHING);
    expect(() => new PostgresSessionBackend(pool, { [name]: value })).toThrow(
      new TypeError(
        `\`${name}\` is for connections that are opened from a URL. Set up a pool of yours yourself.`,
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
  ])("refuses %s, and says what it takes", (_, make) => {
    expect(() => new PostgresSessionBackend(make() as Bun.SQL)).toThrow(NO_SOURCE);
  });
});

const NO_SOURCE = new TypeError(
  'PostgresSessionBackend needs a URL such as "postgres://user@localhost/shop", a Bun.SQL for PostgreSQL, ' +
    "or a database of drizzle-orm/bun-sql; not a transaction or a reserved connection of one.",
);

describe.skipIf(!postgres.isThere)("PostgresSessionBackend on a server", () => {
  let schema: Schema;
  const backends: PostgresSessionBackend[] = [];

  beforeAll(async () => {
    schema = await Schema.create();
    await open().ready();
  });
  afterEach(async () => {
    await Promise.all(backends.splice(0).map((backend) => backend.close()));
    await schema.clear();
  });
  afterAll(() => schema.drop());

  function open(
    source: ConstructorParameters<typeof PostgresSessionBackend>[0] = schema.url,
    options?: PostgresSessionBackendOptions,
  ): PostgresSessionBackend {
    const backend = new PostgresSessionBackend(source, options);
    backends.push(backend);
    return backend;
  }

  describe("with a pool of the app's", () => {
    let pool: Bun.SQL;
    beforeEach(() => {
      pool = new Bun.SQL(schema.url, { max: 2, bigint: true, transform: Bun.SQL.camel });
    });
    afterEach(() => pool.close());

    test.each([
      ["a Bun.SQL", () => pool],
      ["a Drizzle database", () => drizzle(pool, { casing: "snake_case", logger: LOGGER })],
    ])("takes %s with the app's own settings, and leaves it open", async (_, source) => {
      const backend = open(source());
      const id = randomId();
      const record = recordOf({ userId: "Ann", authenticatedAt: 1, remember: 60 });
      expect(await backend.create(id, record)).toBe(true);
      expect(await backend.read(id)).toEqual(record);
      expect(await backend.list("Ann", 9)).toMatchObject([{ handle: id, authenticatedAt: 1 }]);
      await backend.close();
      expect(LOGGED).toEqual([]);
      expect(await pool`SELECT id FROM bunpie_sessions`).toHaveLength(1);
    });

    test("gives an app its sessions by the exported table", async () => {
      const db = drizzle(pool);
      await open(db).create("id", recordOf({ userId: "Ann", version: 7 }));
      const rows = await db.select().from(sessions);
      expect(rows).toMatchObject([{ id: "id", userId: "Ann", version: 7, remember: null }]);
    });

    test("refuses a transaction or a reserved connection of it", async () => {
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

  describe("with a table of one's own", () => {
    afterEach(async () => {
      await schema.sql`DROP TABLE IF EXISTS shop, shop_migrations`;
    });

    test.each([
      ["another name", () => ({ table: "shop" })],
      ["the same name in another schema", (name: string) => ({ schema: name })],
    ])(
      "shares nothing with a backend that has another in the same database: %s",
      async (_, place) => {
        await using elsewhere = await Schema.create();
        const [one, other] = [open(schema.url, place(elsewhere.name)), open()];
        const record = recordOf({ userId: "Ann" });
        expect(await one.create("id", record)).toBe(true);
        expect(await other.read("id")).toBeUndefined();
        expect(await other.create("id", record)).toBe(true);
        expect(await one.rotate("id", "new", { ...record, version: 2 }, record)).toBe(true);
        expect(await one.touch("new", record.expiresAt)).toBe(true);
        await one.create("expired", expiredRecord());
        expect(await other.sweep(9)).toBe(0);
        expect(await other.deleteAll("Ann", undefined, 9)).toEqual(["id"]);
        expect(await one.list("Ann", 9)).toMatchObject([{ handle: "new" }]);
        expect(await one.delete("id")).toBe("new");
        expect(await one.sweep(9)).toBe(1);
        expect(await one.deleteAll("Ann", undefined, 9)).toEqual(["new"]);
      },
    );

    test("is given to an app by sessionsTable()", async () => {
      await using elsewhere = await Schema.create();
      const place = { table: "shop", schema: elsewhere.name };
      await open(schema.url, place).create("id", recordOf({ label: "phone" }));
      const table = sessionsTable(place.table, place.schema);
      const rows = await drizzle(schema.sql).select().from(table);
      expect(rows).toMatchObject([{ id: "id", label: "phone" }]);
    });
  });

  describe("expiry", () => {
    test("L9: a row that has expired is rejected while nothing sweeps", async () => {
      const clock = new FakeClock();
      const app = new Site({
        sessionBackend: open(schema.url, { now: clock.now }),
        session: { now: clock.now, timeout: 60, sweepInterval: 0 },
      });
      const client = new TestClient(app);
      await client.send("/");
      const { sessionId } = client;
      clock.advance(59_999);
      expect(await client.clone().text("/read")).toBe("1");
      clock.advance(60_000);
      expect(await client.clone().text("/read")).toBe("nobody");
      expect(await schema.rows()).toHaveLength(1);
      expect(await client.text("/")).toBe("1");
      expect(client.sessionId).not.toBe(sessionId);
    });

    test("a sweep neither waits for rows that another process sweeps, nor counts them", async () => {
      const backend = open();
      const ids = ["a", "b", "c", "d", "e"];
      await Promise.all(ids.map((id) => backend.create(id, expiredRecord())));
      await using rival = await schema.begin(
        "SELECT id FROM bunpie_sessions WHERE id IN ('a', 'b') FOR UPDATE",
      );
      expect(await backend.sweep(10)).toBe(3);
      expect(await backend.sweep(10)).toBe(0);
      await rival.rollback();
      expect(await backend.sweep(10)).toBe(2);
    });

    test("a sweep spares a session whose end is being moved", async () => {
      const backend = open();
      await backend.create("id", expiredRecord());
      await using rival = await schema.begin(
        `UPDATE bunpie_sessions SET expires_at = ${Date.now() + 60_000}`,
      );
      expect(await backend.sweep(10)).toBe(0);
      await rival.commit();
      expect(await backend.sweep(10)).toBe(0);
      expect(await backend.read("id")).toBeDefined();
    });
  });

  test("keeps a session whose end is later than the database can tell", async () => {
    const backend = open();
    await backend.create("id", recordOf({ expiresAt: 1e20 }));
    expect(await backend.touch("id", 1e20)).toBe(true);
    expect(await backend.read("id")).toMatchObject({ expiresAt: Number.MAX_SAFE_INTEGER });
  });

  test("leaves the columns of facts alone when only the contents are new", async () => {
    const backend = open();
    const old = recordOf();
    const fresh = { ...old, data: "{}", flash: "{}", version: 2 };
    await backend.create("id", old);
    await schema.sql`UPDATE bunpie_sessions SET created_at = 5`;
    expect(await backend.replace("id", fresh, old)).toBe(true);
    expect(await backend.read("id")).toEqual({ ...fresh, createdAt: 5 });
    expect(await backend.replace("id", { ...fresh, label: "phone", version: 3 }, fresh)).toBe(true);
    expect(await backend.read("id")).toEqual({ ...fresh, label: "phone", version: 3 });
  });

  test.each([
    ["list", "list"],
    ["deleteAll", "removeAll"],
  ] as const)(
    "%s walks along the index of a user's sessions, and sorts nothing",
    async (_, name) => {
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
      });
      const plan = (await schema.sql.unsafe(`EXPLAIN ${text}`, params).values()).join("\n");
      expect(plan).toMatch(/Index Scan .*using bunpie_sessions_user_id/);
      expect(plan).not.toMatch(/Seq Scan|Sort/);
    },
  );

  describe("beside somebody else's transaction", () => {
    const old = recordOf({ userId: "Ann" });
    const fresh = { ...old, version: 2 };

    test("L7: deleteAll ends a session that is just getting a new id", async () => {
      const backend = open();
      await backend.create("old", old);
      await backend.create("kept", old);
      const [rotated, ended] = await inTurn(
        schema,
        () => backend.rotate("old", "new", fresh, old),
        () => backend.deleteAll("Ann", "kept", 9),
      );
      expect(rotated).toBe(true);
      expect(ended).toEqual(["new"]);
      expect(await schema.rows()).toMatchObject([{ id: "kept" }, { id: "old", version: "-1" }]);
    });

    test("deleteAll spares a session that somebody else is just logging into", async () => {
      const backend = open();
      await backend.create("id", old);
      const [replaced, ended] = await inTurn(
        schema,
        () => backend.replace("id", { ...fresh, userId: "Bob" }, old),
        () => backend.deleteAll("Ann", undefined, 9),
      );
      expect([replaced, ended]).toEqual([true, []]);
      expect(await schema.rows()).toMatchObject([{ id: "id", user_id: "Bob" }]);
    });

    test("L6: delete says where a session went that is just getting a new id", async () => {
      const backend = open();
      await backend.create("old", old);
      const [rotated, next] = await inTurn(
        schema,
        () => backend.rotate("old", "new", fresh, old),
        () => backend.delete("old"),
      );
      expect([rotated, next]).toEqual([true, "new"]);
      expect(await schema.rows()).toMatchObject([{ id: "new" }]);
    });

    test("rotate does not bring back a session that is just being deleted", async () => {
      const backend = open();
      await backend.create("old", old);
      const [next, rotated] = await inTurn(
        schema,
        () => backend.delete("old"),
        () => backend.rotate("old", "new", fresh, old),
      );
      expect([next, rotated]).toEqual([undefined, false]);
      expect(await schema.rows()).toEqual([]);
    });

    test("create waits for a rotate away from its id, and finds the note", async () => {
      const backend = open();
      await backend.create("old", old);
      const [rotated, created] = await inTurn(
        schema,
        () => backend.rotate("old", "new", fresh, old),
        () => backend.create("old", old),
      );
      expect([rotated, created]).toEqual([true, false]);
      expect(await backend.read("old")).toMatchObject({ supersededBy: "new" });
    });

    test.each([
      ["commit", false, "theirs"],
      ["rollback", true, "ours"],
    ] as const)("create waits for another create of its id: %s", async (end, created, whose) => {
      const backend = open();
      await using rival = await schema.begin(
        `INSERT INTO bunpie_sessions VALUES ('id', '{"by":"theirs"}', NULL, 1, 1, 1, ${Date.now() + 60_000})`,
      );
      const creating = backend.create("id", recordOf({ data: '{"by":"ours"}' }));
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

    test("replace does not bring back a session that is just being deleted", async () => {
      const backend = open();
      await backend.create("id", recordOf());
      await using rival = await schema.begin("DELETE FROM bunpie_sessions WHERE id = 'id'");
      const replacing = backend.replace("id", recordOf({ version: 2 }), recordOf());
      await schema.waiting(1);
      await rival.commit();
      expect(await replacing).toBe(false);
      expect(await schema.rows()).toEqual([]);
    });
  });

  test.each([
    ["is no JSON", "data = '{\"visits\": 1'"],
    ["is a list", "data = '[1, 2]'"],
    ["has a version that no number holds", "version = 9223372036854775807"],
  ])("S2: a row that %s is no session, and an event, never an error", async (_, damage) => {
    const events: SessionEvent[] = [];
    const app = new Site({
      sessionBackend: open(),
      session: { onEvent: (event) => events.push(event) },
    });
    const client = new TestClient(app);
    await client.send("/");
    const spoilt = client.sessionId ?? "";
    await schema.sql.unsafe(`UPDATE bunpie_sessions SET ${damage}`);
    expect(await client.text("/read")).toBe("nobody");
    expect(events.at(-1)).toMatchObject({ type: "failed", operation: "decode" });
    expect(await client.text("/")).toBe("1");
    expect(client.sessionId).not.toBe(spoilt);
  });

  test("gives data back that jsonb could not hold, key by key in its order", async () => {
    const backend = open();
    const data = JSON.stringify({ b: "\u0000\ud800", a: 1, "": [1.5e300, "naïve 🙂"], "0": null });
    await backend.create("id", recordOf({ data, flash: data }));
    expect(await backend.read("id")).toMatchObject({ data, flash: data });
  });

  test.each(["'; DROP TABLE bunpie_sessions; --", "' OR 1=1 --", "$1", "?1", ":id", 'Ann"s', "%"])(
    "S5: takes text that looks like SQL for text: %j",
    async (text) => {
      const backend = open();
      const record = recordOf({ userId: text, data: JSON.stringify({ text }) });
      await backend.create("bystander", recordOf({ userId: "Ann" }));
      expect(await backend.create(text, record)).toBe(true);
      expect(await backend.load(text)).toEqual({ text });
      expect((await backend.list(text, 9)).map(({ handle }) => handle)).toEqual([text]);
      expect(await backend.rotate(text, `${text}2`, { ...record, version: 2 }, record)).toBe(true);
      expect(await backend.deleteAll(text, text, 9)).toEqual([`${text}2`]);
      expect(await backend.delete(text)).toBe(`${text}2`);
      expect((await schema.rows()).map(({ id }) => id)).toEqual(["bystander"]);
    },
  );

  test("refuses a user id that text in PostgreSQL cannot hold, rather than shorten it", async () => {
    const backend = open();
    const record = recordOf({ userId: "Ann\0" });
    expect(await backend.create("id", record).then(String, String)).toContain("invalid byte");
    expect(await schema.rows()).toEqual([]);
  });

  describe("I7", () => {
    test("I7: no row holds the value of a cookie, and a stored hash opens nothing", async () => {
      const app = new Site({ sessionBackend: open() });
      const client = new TestClient(app);
      await client.send("/");
      const anonymous = client.sessionId ?? "";
      await client.send("/login");
      const signedIn = client.sessionId ?? "";
      const rows = await schema.rows();
      const note = { id: hashId(anonymous), user_id: null, superseded_by: hashId(signedIn) };
      const row = { id: hashId(signedIn), user_id: "Ann", superseded_by: null };
      expect(rows).toHaveLength(2);
      for (const each of [note, row]) expect(rows).toContainEqual(expect.objectContaining(each));
      for (const id of [anonymous, signedIn]) expect(JSON.stringify(rows)).not.toContain(id);
      const thief = new TestClient(app);
      thief.cookies.set("session_id", hashId(signedIn));
      expect(await thief.text("/read")).toBe("nobody");
    });

    test("I7: neither the log nor the answer of a failed request tells an id or a session's data", async () => {
      using log = quiet("error");
      const events: unknown[] = [];
      const app = new Site({
        sessionBackend: open(),
        session: { onEvent: (event) => events.push(event) },
      });
      const client = new TestClient(app);
      await client.send("/login");
      await schema.sql`ALTER TABLE bunpie_sessions RENAME COLUMN flash TO gone`;
      const answers = [await client.text("/"), await client.text("/login")];
      await schema.sql`ALTER TABLE bunpie_sessions RENAME COLUMN gone TO flash`;
      await schema.sql`ALTER TABLE bunpie_sessions ADD CONSTRAINT small CHECK (version < 2)`;
      answers.push(await client.text("/"));
      await schema.sql`ALTER TABLE bunpie_sessions DROP CONSTRAINT small`;
      const told = Bun.inspect([...log.mock.calls, events, answers], { depth: 20 });
      expect(app.sessions.stats().failed).toBe(3);
      expect(told).toContain('column "flash" does not exist');
      for (const secret of [client.sessionId ?? "", "the data"]) expect(told).not.toContain(secret);
    });
  });

  describe("close", () => {
    test("finishes what was begun before anything else, its connection and table included", async () => {
      const backend = open();
      const writes = ["a", "b", "c"].map((id) => backend.create(id, recordOf()));
      await backend.close();
      expect(await Promise.all(writes)).toEqual([true, true, true]);
      expect(await schema.rows()).toHaveLength(3);
    });

    test.each([
      ["ready", (store: PostgresSessionBackend) => store.ready()],
      ["read", (store: PostgresSessionBackend) => store.read("id")],
      ["create", (store: PostgresSessionBackend) => store.create("id", recordOf())],
      ["delete", (store: PostgresSessionBackend) => store.delete("id")],
      ["sweep", (store: PostgresSessionBackend) => store.sweep(1)],
    ])("makes a %s that comes later fail, and say why", async (_, call) => {
      const backend = open();
      const closing = backend.close();
      const message = "Error: The session database is closed.";
      expect(await call(backend).then(String, String)).toBe(message);
      await closing;
      expect(await call(backend).then(String, String)).toBe(message);
    });

    test("closes the connections that were opened from a URL", async () => {
      const url = new URL(schema.url);
      url.searchParams.set("application_name", `${schema.name}_closed`);
      const count = (): Promise<unknown[]> =>
        schema.sql`SELECT pid FROM pg_stat_activity WHERE application_name = ${`${schema.name}_closed`}`;
      const backend = open(url.href);
      await backend.ready();
      expect((await count()).length).toBeGreaterThan(0);
      await backend.close();
      while ((await count()).length > 0) await Bun.sleep(1);
    });
  });
});

/** Runs one of the calls after the other while somebody holds all rows, and then lets them go. */
async function inTurn<T, U>(
  schema: Schema,
  one: () => Promise<T>,
  other: () => Promise<U>,
): Promise<readonly [T, U]> {
  await using rival = await schema.begin("SELECT FROM bunpie_sessions FOR UPDATE");
  const first = one();
  await schema.waiting(1);
  const second = other();
  await schema.waiting(2);
  await rival.commit();
  return [await first, await second];
}

const LOGGED: string[] = [];
const LOGGER = { logQuery: (query: string) => LOGGED.push(query) };
