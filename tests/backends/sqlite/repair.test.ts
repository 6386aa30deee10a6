import { Database } from "bun:sqlite";
import { beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";

import type { SqliteSessionBackendOptions } from "../../../src/backends/sqlite/backend.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";
import { closeAfterEach } from "../opened.ts";

let folder: Folder;
let path: string;
const closing = closeAfterEach(() => folder.remove());

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
});

function open(
  source: string | Database = path,
  options?: SqliteSessionBackendOptions,
): SqliteSessionBackend {
  return closing(new SqliteSessionBackend(source, options));
}

/** What another process does to the database. */
function runElsewhere(statement: string): void {
  using database = new Database(path);
  database.run(statement);
}

describe("a table that was dropped", () => {
  test.each<[string, (store: SqliteSessionBackend) => unknown, unknown]>([
    ["read", (store) => store.read("id"), undefined],
    ["create", (store) => store.create("id", makeRecord()), true],
    ["touch", (store) => store.touch("id", 9e12), false],
    ["delete", (store) => store.delete("id"), undefined],
    ["list", (store) => store.list("Ann", 9), []],
    ["sweep", (store) => store.sweep(9), 0],
  ])("is created again by the next %s", async (_, use, answer) => {
    const backend = open();
    await backend.create("id", makeRecord());
    runElsewhere("DROP TABLE bunpie_sessions");
    expect(await use(backend)).toEqual(answer);
    expect(await backend.create("new", makeRecord({ userId: "Ann" }))).toBe(true);
    expect(await backend.list("Ann", 9)).toMatchObject([{ handle: "new" }]);
  });

  test("is created again once, for all processes, with its migrations", async () => {
    const [one, other] = [open(), open()];
    const migrations = "SELECT hash FROM bunpie_migrations";
    using database = new Database(path);
    const before = database.query(migrations).values();
    runElsewhere("DROP TABLE bunpie_sessions");
    const created = [one.create("1", makeRecord()), other.create("2", makeRecord())];
    expect(await Promise.all(created)).toEqual([true, true]);
    expect([await one.read("2"), await other.read("1")]).not.toContain(undefined);
    expect(database.query(migrations).values()).toEqual(before);
  });

  test("is created again at the next start", async () => {
    await open().close();
    runElsewhere("DROP TABLE bunpie_sessions");
    expect(await open().create("id", makeRecord())).toBe(true);
  });

  test("is created again under its custom name", async () => {
    const backend = open(path, { table: "shop_sessions" });
    runElsewhere("DROP TABLE shop_sessions");
    expect(await backend.create("id", makeRecord())).toBe(true);
  });

  test("waits for a transaction of the app on the same connection", async () => {
    using database = new Database(path);
    const backend = open(database);
    database.run("DROP TABLE bunpie_sessions");
    database.run("BEGIN");
    const found = backend.read("id");
    expect(found).toBeInstanceOf(Promise);
    database.run("COMMIT");
    expect(await found).toBeUndefined();
  });

  test("waits for another process that writes", async () => {
    const backend = open();
    runElsewhere("DROP TABLE bunpie_sessions");
    using database = new Database(path);
    database.run("BEGIN IMMEDIATE");
    const found = backend.read("id");
    expect(found).toBeInstanceOf(Promise);
    database.run("COMMIT");
    expect(await found).toBeUndefined();
  });

  test("causes an error, with the reason, while something is in its way", async () => {
    const backend = open();
    runElsewhere("ALTER TABLE bunpie_sessions RENAME TO elsewhere");
    const message =
      "The table bunpie_sessions is missing and cannot be created again: index bunpie_sessions_expires_at " +
      "already exists. Restore the table, or remove what prevents its creation.";
    expect(() => backend.read("id")).toThrow(message);
    expect(await backend.create("id", makeRecord()).catch(String)).toBe(`Error: ${message}`);
    runElsewhere("ALTER TABLE elsewhere RENAME TO bunpie_sessions");
    expect(await backend.create("id", makeRecord())).toBe(true);
  });
});

describe.if(Bun.which("prlimit") !== null)("a full disk", () => {
  test("does not prevent the checkpoint of a log that filled it once the long reader is gone", async () => {
    await using child = new Child("fill-log", path);
    const full = "SQLiteError: disk I/O error";
    expect(await child.next()).toEqual({ during: [full, full], after: [true, true] });
  });
});

test("a full disk causes no checkpoint of a log that is left to a replicator", async () => {
  using database = new Database(path);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA wal_autocheckpoint = 0");
  const backend = open(database);
  await backend.create("id", makeRecord());
  database.run("PRAGMA max_page_count = 1");
  const long = makeRecord({ data: JSON.stringify({ text: "x".repeat(100_000) }) });
  const { size } = statSync(path);
  expect(await backend.create("long", long).catch(String)).toContain("full");
  expect(statSync(path).size).toBe(size);
  database.run("PRAGMA wal_autocheckpoint = 1000");
  expect(await backend.create("long", long).catch(String)).toContain("full");
  expect(statSync(path).size).toBeGreaterThan(size);
});
