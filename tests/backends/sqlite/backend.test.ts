import { Database } from "bun:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";

import { drizzle } from "drizzle-orm/bun-sqlite";

import type { SqliteSessionBackendOptions } from "../../../src/backends/sqlite/backend.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import { sessions, sessionsTable } from "../../../src/backends/sqlite/schema.ts";
import { prepareStatements } from "../../../src/backends/sqlite/statements.ts";
import { NOTE_LIFETIME } from "../../../src/store/record.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";
import { noise, overwritePage } from "../../support/disk.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";
import { expectApart, expectContentsAlone, tellFailures } from "../checks.ts";
import { closeAfterEach } from "../opened.ts";

const contractFolder = new Folder();
afterAll(() => contractFolder.remove());
testSessionBackend(
  "SqliteSessionBackend",
  (now) => new SqliteSessionBackend(contractFolder.file("sessions.db"), { now }),
);

let folder: Folder;
let path: string;
const closing = closeAfterEach(() => folder.remove());

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
});

function open(options?: SqliteSessionBackendOptions): SqliteSessionBackend {
  return closing(new SqliteSessionBackend(path, options));
}

/** What another process sees in the file. */
function rows(): Record<string, unknown>[] {
  using database = new Database(path, { readonly: true });
  return database.query<Record<string, unknown>, []>("SELECT * FROM bunpie_sessions").all();
}

/** How long the log gets while 40 batches are swept: 0.9 MB, or 4.2 MB by SQLite's own settings. */
async function measureLog(backend: SqliteSessionBackend): Promise<number> {
  using database = new Database(path);
  database.run(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
     INSERT INTO bunpie_sessions (id, data, version, created_at, touched_at, expires_at)
     SELECT hex(randomblob(20)), '{}', 1, 0, 0, i FROM n`,
  );
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  while ((await backend.sweep(100)) > 0);
  return statSync(`${path}-wal`).size;
}

describe("SqliteSessionBackend", () => {
  test("returns a record of a megabyte whole", async () => {
    const data = JSON.stringify({ text: "naïve 🙂 ".repeat(100_000) });
    const backend = open();
    await backend.create("id", makeRecord({ data }));
    expect(await backend.read("id")).toHaveProperty("data", data);
  });

  test.each([
    ["synchronous", "off", '`synchronous` is "off"; it has to be "normal" or "full".'],
    ["synchronous", null, '`synchronous` is "null"; it has to be "normal" or "full".'],
    ["busyTimeout", -1, "`busyTimeout` is -1; it has to be milliseconds, 0 or more."],
    ["busyTimeout", Number.NaN, "`busyTimeout` is NaN; it has to be milliseconds, 0 or more."],
    ["busyTimeout", "9", "`busyTimeout` is 9; it has to be milliseconds, 0 or more."],
  ])("refuses `%s` of %p, and says what it accepts", (name, value, message) => {
    const options: unknown = { [name]: value };
    expect(() => open(options as SqliteSessionBackendOptions)).toThrow(new TypeError(message));
    expect(existsSync(path)).toBe(false);
  });

  test("refuses an empty path, which would be a temporary database", () => {
    expect(() => new SqliteSessionBackend("")).toThrow(
      new TypeError(
        'With an empty path, SQLite deletes the database when it is closed. Name a file, or ":memory:" for a database in memory.',
      ),
    );
  });

  test.each(["normal", "full"] as const)(
    "refuses `synchronous` together with the app's own connection: %s",
    (synchronous) => {
      using database = new Database(":memory:");
      expect(() => new SqliteSessionBackend(database, { synchronous })).toThrow(
        "`synchronous` applies only to a database that is opened from a path. On your own connection, run " +
          `\`PRAGMA synchronous = ${synchronous.toUpperCase()}\`.`,
      );
    },
  );

  test("accepts `synchronous` and a `busyTimeout` of 0", async () => {
    const backend = open({ synchronous: "full", busyTimeout: 0 });
    expect(await backend.create("id", makeRecord())).toBe(true);
  });

  test("refuses a `table` that is no plain name", () => {
    expect(() => open({ table: "Sessions" })).toThrow("`table` is");
    expect(() => sessionsTable("Sessions")).toThrow("`table` is");
    expect(existsSync(path)).toBe(false);
  });

  describe("with a custom table", () => {
    test.each(["shop_sessions", "order", `_${"9".repeat(40)}`])(
      "%s: shares nothing with a backend that has another table in the same file",
      async (table) => {
        await expectApart(open({ table }), open());
      },
    );

    test("has indexes and migrations named after it, and is found again", async () => {
      const first = open({ table: "shop_sessions" });
      await first.create("id", makeRecord());
      await first.close();
      expect(await open({ table: "shop_sessions" }).read("id")).toBeDefined();
      using database = new Database(path, { readonly: true });
      const names = database.query(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1",
      );
      expect(names.values().flat()).toEqual([
        "shop_sessions",
        "shop_sessions_expires_at",
        "shop_sessions_migrations",
        "shop_sessions_user_id",
      ]);
    });

    test("can be read by sessionsTable()", async () => {
      using database = new Database(path);
      const backend = new SqliteSessionBackend(database, { table: "shop_sessions" });
      await backend.create("id", makeRecord({ label: "phone" }));
      const table = sessionsTable("shop_sessions");
      expect(drizzle(database).select().from(table).all()).toMatchObject([
        { id: "id", label: "phone" },
      ]);
    });
  });

  test("answers a read synchronously", async () => {
    const backend = open();
    await backend.create("id", makeRecord());
    expect(backend.read("id")).toMatchObject({ data: '{"visits":1}' });
    expect(backend.read("another")).toBeUndefined();
  });

  describe("lets a read see, before the commit,", () => {
    const old = makeRecord();
    const fresh = makeRecord({ version: 2 });

    type Found = Awaited<ReturnType<SqliteSessionBackend["read"]>>;
    test.each<[string, (store: SqliteSessionBackend) => Promise<unknown>, Found, Found]>([
      ["a create", (store) => store.create("new", fresh), old, fresh],
      ["a replace", (store) => store.replace("id", fresh, old), fresh, undefined],
      [
        "a rotate",
        (store) => store.rotate("id", "new", fresh, old),
        { supersededBy: "new", expiresAt: old.touchedAt + NOTE_LIFETIME },
        fresh,
      ],
      [
        "a touch",
        (store) => store.touch("id", 9e12),
        { ...old, version: 2, expiresAt: 9e12 },
        undefined,
      ],
      ["a delete", (store) => store.delete("id"), undefined, undefined],
    ])("%s", async (_, write, atId, atNew) => {
      const backend = open({ now: () => old.touchedAt });
      await backend.create("id", old);
      const written = write(backend);
      const [one, other] = await Promise.all([backend.read("id"), backend.read("new")]);
      expect(one).toEqual(atId);
      expect(other).toEqual(atNew);
      await written;
    });
  });

  test("lets a list see writes that are not yet committed", async () => {
    const backend = open();
    void backend.create("id", makeRecord({ userId: "Ann" }));
    expect(await backend.list("Ann", 9)).toMatchObject([{ handle: "id" }]);
  });

  test("writes no columns of facts if only the contents have changed", async () => {
    using database = new Database(path);
    await expectContentsAlone(open(), (statement) => database.run(statement));
  });

  describe("with a user who has very many sessions", () => {
    test("deletes no more at once than it can between two requests", async () => {
      const backend = open();
      const record = makeRecord({ userId: "Ann" });
      for (let id = 0; id < 70; id++) void backend.create(`${id}`, record);
      const steps: number[] = [];
      while (steps.at(-1) !== 0) steps.push((await backend.deleteAll("Ann", "7", 200)).length);
      expect(steps).toEqual([30, 30, 9, 0]);
      expect(rows()).toMatchObject([{ id: "7" }]);
    });

    test.each([
      ["list", "select"],
      ["deleteAll", "delete"],
    ])("%s uses the index of their sessions, without sorting", (_, verb) => {
      open();
      using database = new Database(path);
      const texts: string[] = [];
      const prepare = database.prepare.bind(database);
      database.prepare = (...args: Parameters<typeof prepare>) => {
        texts.push(args[0]);
        return prepare(...args);
      };
      prepareStatements(database, sessions);
      const text = texts.find((each) => each.startsWith(verb) && /"user_id" = \?/.test(each));
      const plan = prepare(`EXPLAIN QUERY PLAN ${text}`).values().join("\n");
      expect(plan).toContain(
        "SEARCH bunpie_sessions USING INDEX bunpie_sessions_user_id (user_id=?)",
      );
      expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
    });
  });

  describe("expiry", () => {
    test("keeps the write-ahead log short, so that no commit has to checkpoint a long one", async () => {
      expect(await measureLog(open())).toBeLessThan(1_300_000);
    });

    test("lets the log grow again once the backlog is swept", async () => {
      const backend = open();
      await measureLog(backend);
      using database = new Database(path);
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
      const { size } = statSync(path);
      await backend.create("id", makeRecord({ data: "x".repeat(1_000_000) }));
      expect(statSync(path).size).toBe(size);
    });

    test("leaves the log of the app's own connection alone, because a replicator may need it", async () => {
      using client = new Database(path);
      client.run("PRAGMA journal_mode = WAL");
      client.run("PRAGMA wal_autocheckpoint = 0");
      const backend = closing(new SqliteSessionBackend(client));
      expect(await measureLog(backend)).toBeGreaterThan(5_000_000);
      await backend.close();
    });
  });

  describe("close", () => {
    test("leaves the checkpoint to the last process that closes", async () => {
      const [one, other] = [open(), open()];
      await one.create("id", makeRecord());
      await one.close();
      expect(await other.create("another", makeRecord())).toBe(true);
      await other.close();
      expect(readdirSync(folder.path)).toEqual(["sessions.db"]);
      expect(rows()).toHaveLength(2);
    });

    test("commits what is waiting on the app's own connection, too", async () => {
      using database = new Database(path);
      const backend = new SqliteSessionBackend(database);
      void backend.create("id", makeRecord());
      await backend.close();
      expect(rows()).toMatchObject([{ id: "id" }]);
    });
  });

  // What visitors get while a database cannot be used: tests/guarantees/outages.test.ts.
  test("S7: a damaged page is read again, and not from memory, once it is restored", async () => {
    using client = new Database(path);
    client.run("PRAGMA journal_mode = WAL");
    const backend = closing(new SqliteSessionBackend(client));
    await backend.create("id", makeRecord());
    client.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const page = Number(
      client
        .query("SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'bunpie_sessions'")
        .values()[0],
    );
    for (const use of [
      async () => backend.read("id"),
      () => backend.replace("id", makeRecord({ version: 2 }), makeRecord()),
    ]) {
      const restore = overwritePage(path, page, noise(seededRandom(1)));
      client.run("PRAGMA shrink_memory");
      expect(await use().then(String, String)).toContain("database disk image is malformed");
      restore();
      expect(await use()).toBeTruthy();
    }
  });

  test("a deleted file is reported at the next write, not at the next start", async () => {
    const backend = open();
    await backend.create("id", makeRecord());
    rmSync(path);
    const message = await backend.create("another", makeRecord()).then(String, String);
    expect(message).toBe(
      `Error: ${path} was moved, replaced or deleted while sessions were kept in it. ` +
        "Put it back, or restart this process.",
    );
    await backend.close();
    expect(await open().create("another", makeRecord())).toBe(true);
  });

  test("never blocks the event loop while another process holds the lock", async () => {
    const [hasty, patient] = [open({ busyTimeout: 1 }), open({ busyTimeout: 60_000 })];
    await using lock = new Child("hold-lock", path);
    await lock.next();
    expect(await hasty.create("id", makeRecord()).catch(String)).toContain("database is locked");
    const created = patient.create("id", makeRecord());
    // Who stopped the event loop for the lock would never come to this.
    for (let count = 0; count < 20; count++) await Bun.sleep(1);
    lock.send("let go");
    expect(await created).toBe(true);
  });

  test("I7: neither the log nor the answer of a failed request contains an id or a session's data", async () => {
    using database = new Database(path);
    const told = await tellFailures(new SqliteSessionBackend(database), [
      () => database.run("PRAGMA query_only = ON"),
      () => {
        database.run("PRAGMA query_only = OFF");
        database.run("ALTER TABLE bunpie_sessions RENAME TO gone");
      },
    ]);
    expect(told).toContain("readonly");
    expect(told).toContain("The table bunpie_sessions is missing");
  });
});

test("sessions that this process ends are reported, and do not change foreignWrites()", async () => {
  const backend = open();
  const told: string[] = [];
  await backend.watchEnds((ids = []) => told.push(...ids));
  const old = makeRecord({ userId: "Ann" });
  for (const id of ["a", "b"]) await backend.create(id, old);
  const before = backend.foreignWrites();
  await backend.delete("a");
  for (const id of ["c", "d"]) await backend.rotate("b", id, { ...old, version: 2 }, old);
  await backend.deleteAll("Ann", undefined, 10);
  expect(told).toEqual(["a", "b", "c"]);
  expect(backend.foreignWrites()).toBe(before);
});
