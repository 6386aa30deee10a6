import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, mock, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { getTableName } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import { migrate } from "drizzle-orm/bun-sqlite/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { getTableConfig, integer, sqliteTable } from "drizzle-orm/sqlite-core";

import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import { adoptDatabase, openDatabase } from "../../../src/backends/sqlite/database.ts";
import { sessions } from "../../../src/backends/sqlite/schema.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";
import { closeAfterEach } from "../opened.ts";

const PRAGMAS = ["journal_mode", "synchronous", "busy_timeout", "foreign_keys", "cache_size"];

const ROOT = process.cwd();

let folder: Folder;
let path: string;
const closing = closeAfterEach(() => folder.remove());

beforeEach(() => {
  folder = new Folder();
  path = folder.file("app.db");
});

function connect(...options: ConstructorParameters<typeof Database>): Database {
  return closing(new Database(...options));
}

function open(synchronous: "normal" | "full" = "normal"): Database {
  return closing(openDatabase(path, synchronous));
}

function pragma(database: Database, name: string): unknown {
  return Object.values(database.query<object, []>(`PRAGMA ${name}`).get() ?? {})[0];
}

function names(database: Database, type: "table" | "index"): unknown[] {
  return database
    .query("SELECT name FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite_%' ORDER BY 1")
    .values(type)
    .flat();
}

/** The permissions of the file, its log and the log's index. */
function modes(): string[] {
  return ["", "-wal", "-shm"].map((end) => (statSync(path + end).mode & 0o777).toString(8));
}

/** Runs as somebody who is not allowed everything. */
function unprivileged<T>(work: () => T): T {
  const uid = process.geteuid?.();
  if (uid === 0) process.seteuid?.("nobody");
  try {
    return work();
  } finally {
    if (uid === 0) process.seteuid?.(uid);
  }
}

/** Lets `meanwhile` happen, once, right before the connection runs a statement that begins so. */
function interpose(client: Database, statement: string, meanwhile: () => void): void {
  const run = client.run.bind(client);
  client.run = (...args: Parameters<typeof run>) => {
    if (args[0].startsWith(statement)) {
      client.run = run;
      meanwhile();
    }
    return run(...args);
  };
}

const MIGRATIONS = readMigrationFiles({
  migrationsFolder: join(import.meta.dir, "../../../drizzle/sqlite"),
});

const OWN_TABLES = ["bunpie_migrations", "bunpie_sessions"];

/** A file that everybody may open. */
function write(text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o666);
  chmodSync(folder.path, 0o777);
}

describe("openDatabase", () => {
  test("creates a new file, with the table and its indexes as in the schema", () => {
    const database = open();
    const { columns, indexes } = getTableConfig(sessions);
    expect(names(database, "table")).toEqual(OWN_TABLES);
    expect(names(database, "index")).toEqual(indexes.map(({ config }) => config.name).toSorted());
    const table = database.query(`PRAGMA table_info(${getTableName(sessions)})`).values();
    expect(table.map(([, name]) => name)).toEqual(columns.map(({ name }) => name));
  });

  test.each([
    ["normal", 1],
    ["full", 2],
  ] as const)("sets the write-ahead log and synchronous = %s", (synchronous, level) => {
    const database = open(synchronous);
    expect(pragma(database, "journal_mode")).toBe("wal");
    expect(pragma(database, "synchronous")).toBe(level);
  });

  test("never lets SQLite itself wait for a lock once it is open", () => {
    expect(pragma(open(), "busy_timeout")).toBe(0);
  });

  describe("creates files that only their owner may read, whatever the umask,", () => {
    let umask: number;

    beforeEach(() => (umask = process.umask(0)));
    afterEach(() => process.umask(umask));

    test("I7: -wal and -shm included", () => {
      open();
      expect(modes()).toEqual(["600", "600", "600"]);
    });

    test("and leaves an existing file as it is", async () => {
      await Bun.write(path, "");
      chmodSync(path, 0o640);
      open();
      expect(modes()).toEqual(["640", "640", "640"]);
    });

    test("and none for a database in memory", () => {
      process.chdir(folder.path);
      try {
        closing(openDatabase(":memory:", "normal"));
      } finally {
        process.chdir(ROOT);
      }
      expect(readdirSync(folder.path)).toEqual([]);
    });
  });

  test("checkpoints what an earlier process left in the log before it serves anybody", () => {
    const killed = open();
    killed.run("INSERT INTO bunpie_migrations (hash) VALUES (hex(zeroblob(50000)))");
    const { size } = statSync(path);
    open();
    expect(statSync(path).size).toBeGreaterThan(size);
  });

  test("waits for another process that holds the file at start-up", async () => {
    open();
    await using lock = new Child("hold-lock", path);
    await lock.next();
    await using second = new Child("open-database", "SQLite", path);
    await second.next();
    second.send("go");
    await Bun.sleep(50);
    lock.send("let go");
    expect(await second.next()).toBeString();
  });

  test("succeeds in each of eight processes that open one new file at once", async () => {
    const children = Array.from({ length: 8 }, () => new Child("open-database", "SQLite", path));
    for (const child of children) expect(await child.next()).toBe("ready");
    for (const child of children) child.send("go");
    const ids = await Promise.all(children.map((child) => child.next()));
    await Promise.all(children.map((child) => child.exited));
    const database = open();
    const there = database.query("SELECT id FROM bunpie_sessions").values().flat();
    expect(new Set<unknown>(there)).toEqual(new Set(ids));
    expect(pragma(database, "integrity_check")).toBe("ok");
  });

  describe("says what to do", () => {
    const REMEDY =
      "Its folder has to exist, and this process has to be allowed to write the file, the folder, " +
      "and the files that end in -wal and -shm beside it.";

    const ANOTHER = "It is a file of another kind, or damaged: name another file.";

    test.each<[string, () => unknown, remedy?: string]>([
      ["is in a folder that does not exist", () => (path = folder.file("no/such/folder.db"))],
      ["is a folder", () => mkdirSync(path)],
      ["is no database", () => write("Dear diary, ".repeat(100)), ANOTHER],
      ["is too short for a database", () => write("Dear diary"), ANOTHER],
      ["is in a folder that may not be written", () => chmodSync(folder.path, 0o555)],
      [
        "may not be written",
        () => {
          openDatabase(path, "normal").close();
          chmodSync(path, 0o444);
          chmodSync(folder.path, 0o777);
        },
      ],
    ])("when the file %s", async (_, spoil, remedy = REMEDY) => {
      await spoil();
      const error = unprivileged(() => {
        try {
          return closing(openDatabase(path, "normal"));
        } catch (caught) {
          return caught;
        }
      });
      expect(error).toBeInstanceOf(Error);
      const { message, cause } = error as Error;
      expect(message).toStartWith(`Cannot keep sessions in ${path}: `);
      expect(message).toEndWith(remedy);
      expect(cause).toBeInstanceOf(Error);
    });
  });
});

describe("adoptDatabase", () => {
  test("accepts a Database, or a database of Drizzle with the app's own settings", async () => {
    const users = sqliteTable("users", { fullName: integer() });
    const queries: string[] = [];
    const client = connect(path);
    const drizzled = drizzle(client, {
      schema: { users },
      casing: "snake_case",
      logger: { logQuery: (query, params) => queries.push(query + params.join()) },
    });
    for (const source of [client, drizzled]) {
      const backend = new SqliteSessionBackend(source);
      const id = randomId();
      const record = makeRecord({ userId: "Ann", authenticatedAt: 1 });
      expect(await backend.create(id, record)).toBe(true);
      expect(await backend.read(id)).toMatchObject(record);
      await backend.close();
    }
    expect(queries).toEqual([]);
    expect(client.query("SELECT count(*) FROM bunpie_sessions").values()).toEqual([[2]]);
  });

  test.each([
    ["the defaults", []],
    [
      "the app's own",
      ["journal_mode = TRUNCATE", "synchronous = EXTRA", "busy_timeout = 7", "foreign_keys = ON"],
    ],
  ])("does not change the connection's pragmas: %s", (_, settings) => {
    const client = connect(path);
    for (const setting of settings) client.run(`PRAGMA ${setting}`);
    const before = PRAGMAS.map((name) => pragma(client, name));
    adoptDatabase(client);
    expect(PRAGMAS.map((name) => pragma(client, name))).toEqual(before);
  });

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["a number", 5],
    ["an object without a connection", { $client: {} }],
  ])("refuses %s, and says what it accepts", (_, source) => {
    // @ts-expect-error -- what a caller without types may do
    expect(() => adoptDatabase(source)).toThrow(
      new TypeError(
        'SqliteSessionBackend needs a path such as "sessions.db", a Database of bun:sqlite, or a ' +
          "database of drizzle-orm/bun-sqlite.",
      ),
    );
  });

  test("refuses a connection that returns BigInts, and says what to do", () => {
    expect(() => adoptDatabase(connect(path, { safeIntegers: true }))).toThrow(
      new TypeError(
        "SqliteSessionBackend needs numbers: open the database without `safeIntegers`.",
      ),
    );
  });

  test.each([
    ["with the table", true],
    ["without the table", false],
  ])("refuses a read-only connection, and says what to do: %s", (_, prepared) => {
    connect(path, { create: true }).run("CREATE TABLE own (n)");
    if (prepared) adoptDatabase(connect(path));
    expect(() => adoptDatabase(connect(path, { readonly: true }))).toThrow(
      "Cannot keep sessions in the given database: ",
    );
  });
});

describe("a database that another process is writing to", () => {
  test.each([
    ["from a path", () => open()],
    ["on the app's connection", () => adoptDatabase(connect(path))],
  ])("is not mistaken for a read-only one: %s", (_, openAgain) => {
    const rival = open();
    rival.run("BEGIN IMMEDIATE");
    expect(names(openAgain(), "table")).toEqual(OWN_TABLES);
    rival.run("ROLLBACK");
  });
});

describe("migrations", () => {
  test("are accepted when another process has just applied them", () => {
    const client = connect(path);
    const rival = mock(() => open());
    interpose(client, "BEGIN", rival);
    adoptDatabase(client);
    expect(rival).toHaveBeenCalledTimes(1);
    expect(names(client, "table")).toEqual(OWN_TABLES);
  });

  test("wait for another process that holds the database", () => {
    const rival = connect(path);
    const client = connect(path);
    const letGo = mock(() => rival.run("ROLLBACK"));
    interpose(client, "BEGIN", () => {
      rival.run("BEGIN IMMEDIATE");
      interpose(client, "BEGIN", letGo);
    });
    adoptDatabase(client);
    expect(letGo).toHaveBeenCalledTimes(1);
    expect(names(client, "table")).toEqual(OWN_TABLES);
  });

  const own = { migrationsFolder: "" };

  beforeEach(async () => {
    own.migrationsFolder = folder.file("drizzle");
    // Newer than any of ours: one common table would make Drizzle take ours for done.
    const entries = [{ idx: 0, version: "6", when: 4e12, tag: "0000_own", breakpoints: true }];
    const journal = { version: "7", dialect: "sqlite", entries };
    await Bun.write(join(own.migrationsFolder, "meta/_journal.json"), JSON.stringify(journal));
    await Bun.write(join(own.migrationsFolder, "0000_own.sql"), "CREATE TABLE own (n INTEGER)");
  });

  test.each([
    ["before", ["own", "ours"]],
    ["after", ["ours", "own"]],
    ["before and after, again and again", ["own", "ours", "ours", "own", "ours", "own"]],
  ])("are applied beside the app's own, %s", (_, order) => {
    const client = connect(path);
    for (const whose of order) {
      if (whose === "own") migrate(drizzle(client), own);
      else adoptDatabase(client);
    }
    expect(names(client, "table")).toEqual(["__drizzle_migrations", ...OWN_TABLES, "own"]);
    const applied = client.query("SELECT hash FROM bunpie_migrations ORDER BY id").values();
    expect(applied.flat()).toEqual(MIGRATIONS.map(({ hash }) => hash));
  });

  test.each(MIGRATIONS.slice(0, -1).map((_, index) => index + 1))(
    "update a table with %i of them, and keep its sessions",
    async (count) => {
      const client = connect(path);
      client.run("CREATE TABLE bunpie_migrations (id SERIAL, hash text, created_at numeric)");
      for (const { sql, folderMillis } of MIGRATIONS.slice(0, count)) {
        for (const statement of sql) client.run(statement);
        client.run("INSERT INTO bunpie_migrations (created_at) VALUES (?)", [folderMillis]);
      }
      const record = makeRecord({ userId: "Ann", remember: 60 });
      client.run(
        `INSERT INTO bunpie_sessions
         (id, data, version, created_at, touched_at, expires_at, user_id, remember)
         VALUES ('id', ?, 1, ?, ?, ?, 'Ann', 60)`,
        [record.data, record.createdAt, record.touchedAt, record.expiresAt],
      );
      const backend = new SqliteSessionBackend(client);
      expect(await backend.read("id")).toEqual(record);
      expect(await backend.rotate("id", "new", { ...record, version: 2 }, record)).toBe(true);
      expect(await backend.list("Ann", 9)).toMatchObject([{ handle: "new", label: null }]);
      expect(client.query("SELECT count(*) FROM bunpie_migrations").values()).toEqual([
        [MIGRATIONS.length],
      ]);
    },
  );

  test("fail the construction when the table's name is taken", () => {
    const client = connect(path);
    client.run("CREATE TABLE shop_sessions (n INTEGER)");
    expect(() => new SqliteSessionBackend(client, { table: "shop_sessions" })).toThrow(
      "Cannot keep sessions in the given database: table `shop_sessions` already exists. The connection " +
        "has to be open and allowed to write, and no table of your own may be called shop_sessions. " +
        "Use the option `table` to choose another name.",
    );
    expect(names(client, "table")).toEqual(["shop_sessions"]);
    expect(client.inTransaction).toBe(false);
  });
});
