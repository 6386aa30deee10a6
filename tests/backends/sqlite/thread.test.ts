import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { existsSync } from "node:fs";

import type { SqliteSessionBackendOptions } from "../../../src/backends/sqlite/backend.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import { SqliteThread } from "../../../src/backends/sqlite/thread.ts";
import { Sessions } from "../../../src/http/sessions.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import { recordOf } from "../../../src/testing/records.ts";
import { FakeClock } from "../../support/clock.ts";
import { Folder } from "../../support/folder.ts";

/** What one batch takes. A sweep that fills one is a long one. */
const BATCH = 100;

let folder: Folder;
let path: string;
let workers: Worker[];
let backend: SqliteSessionBackend;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
  workers = [];
  const { Worker } = globalThis;
  spyOn(globalThis, "Worker").mockImplementation(((...args: [string, WorkerOptions]) => {
    const worker = new Worker(...args);
    workers.push(worker);
    return worker;
  }) as never);
});
afterEach(async () => {
  await backend.close();
  spyOn(globalThis, "Worker").mockRestore();
  folder.remove();
});

/** Expired rows, and a backend in the middle of sweeping them, whose writes a thread does. */
async function sweeping(options: SqliteSessionBackendOptions = {}): Promise<void> {
  backend = new SqliteSessionBackend(path, options);
  expire(5_000);
  expect(await backend.sweep(BATCH)).toBe(BATCH);
}

function expire(count: number, table = "bunpie_sessions"): void {
  using database = new Database(path);
  database.run(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO ${table} (id, data, version, created_at, touched_at, expires_at)
     SELECT hex(randomblob(20)), '{}', 1, 0, 0, i FROM n`,
    [count],
  );
}

/** What another process sees in the file. */
function rows(where = "TRUE"): unknown[] {
  using database = new Database(path, { readonly: true });
  return database.query(`SELECT id, version FROM bunpie_sessions WHERE ${where}`).all();
}

async function sweepAll(): Promise<number> {
  let swept = 0;
  for (let count = BATCH; count === BATCH; swept += count) count = await backend.sweep(BATCH);
  return swept;
}

function next(record: SessionRecord): SessionRecord {
  return { ...record, version: record.version + 1 };
}

describe("a long sweep of an SQLite file", () => {
  test("goes on on a thread, which ends with it", async () => {
    await sweeping();
    expect(workers).toHaveLength(1);
    const ended = new Promise((resolve) => workers[0]?.addEventListener("close", resolve));
    expect(await sweepAll()).toBe(4_900);
    await ended;
    expect(rows()).toEqual([]);
    expire(1_000);
    expect(await sweepAll()).toBe(1_000);
    expect(workers).toHaveLength(2);
  });

  test("takes no thread if it is a short one", async () => {
    backend = new SqliteSessionBackend(path);
    for (let sweep = 0; sweep < 5; sweep++) {
      expire(BATCH - 1);
      expect(await sweepAll()).toBe(BATCH - 1);
    }
    expect(workers).toHaveLength(0);
  });

  test("of a database in memory, or of the app's, takes none either", async () => {
    using database = new Database(path);
    for (const source of [":memory:", database]) {
      const clock = new FakeClock();
      backend = new SqliteSessionBackend(source, { now: clock.now });
      // One transaction: 600 commits can exceed the test timeout on a busy disk.
      const record = recordOf({ expiresAt: clock.now() + 1 });
      await Promise.all(Array.from({ length: 600 }, (_, id) => backend.create(`${id}`, record)));
      clock.advance(1);
      expect(await sweepAll()).toBe(600);
      await backend.close();
    }
    expect(workers).toHaveLength(0);
  });

  test("finds the file wherever the process has gone meanwhile", async () => {
    const home = process.cwd();
    process.chdir(folder.path);
    try {
      path = "sessions.db";
      backend = new SqliteSessionBackend(path);
      expire(1_000);
      process.chdir(home);
      expect(await sweepAll()).toBe(1_000);
    } finally {
      process.chdir(home);
      path = folder.file("sessions.db");
    }
    expect(workers).toHaveLength(1);
    expect(rows()).toEqual([]);
  });

  test("goes by the app's clock", async () => {
    const clock = new FakeClock();
    const expiresAt = clock.now() + 1_000;
    await sweeping({ now: clock.now });
    await backend.create("one", recordOf({ expiresAt }));
    await sweepAll();
    expect(await backend.read("one")).toBeDefined();
    expire(1_000);
    clock.advance(1_000);
    expect(await sweepAll()).toBe(1_001);
  });

  test("does every kind of write as it is done without it", async () => {
    await sweeping();
    const record = recordOf({ userId: "Ann" });
    expect(await backend.create("a", record)).toBe(true);
    expect(await backend.create("a", record)).toBe(false);
    expect(await backend.replace("a", next(record), record)).toBe(true);
    expect(await backend.replace("a", next(record), record)).toBe(false);
    expect(await backend.rotate("a", "b", next(next(record)), next(record))).toBe(true);
    expect(await backend.rotate("a", "c", next(next(record)), next(record))).toBe(false);
    expect(await backend.touch("b", record.expiresAt + 1)).toBe(true);
    expect(await backend.touch("a", record.expiresAt + 1)).toBe(false);
    expect(await backend.read("a")).toMatchObject({ supersededBy: "b" });
    expect(await backend.read("b")).toMatchObject({ version: 4, expiresAt: record.expiresAt + 1 });
    await backend.create("c", { ...record, touchedAt: 1 });
    expect(await backend.list("Ann", 9)).toMatchObject([{ handle: "b" }, { handle: "c" }]);
    expect(await backend.deleteAll("Ann", "c", 9)).toEqual(["b"]);
    expect(await backend.delete("c")).toBeUndefined();
    expect(await backend.delete("a")).toBe("b");
    expect(rows("data <> '{}' OR user_id IS NOT NULL")).toEqual([]);
    expect(workers).toHaveLength(1);
  });

  test("lets a read wait for the write before it, and a list for them all", async () => {
    await sweeping();
    const record = recordOf({ userId: "Ann" });
    const created = backend.create("a", record);
    expect(await backend.read("a")).toEqual(record);
    const replaced = backend.replace("a", next(record), record);
    const created2 = backend.create("b", record);
    expect(await backend.list("Ann", 9)).toHaveLength(2);
    expect(await Promise.all([created, replaced, created2])).toEqual([true, true, true]);
  });

  test("keeps compare-and-swap, at its beginning and its end too", async () => {
    backend = new SqliteSessionBackend(path);
    expire(1_500);
    const sessions = new Sessions({ backend, sweepInterval: 0 });
    await backend.create("n", recordOf({ data: "0" }));
    let isOver = false;
    const count = async (): Promise<number> => {
      for (let done = 0; ;) {
        const record = await backend.read("n");
        if (record === undefined || isNote(record)) throw new Error("It is gone.");
        const data = `${Number(record.data) + 1}`;
        if (await backend.replace("n", { ...next(record), data }, record)) done++;
        if (isOver) return done;
      }
    };
    const counters = Array.from({ length: 8 }, count);
    for (let sweep = 0; sweep < 3; sweep++) {
      expect(await sessions.sweep()).toBe(1_500);
      expire(1_500);
    }
    isOver = true;
    const counts = await Promise.all(counters);
    const sum = counts.reduce((one, other) => one + other, 0);
    expect(await backend.read("n")).toHaveProperty("data", `${sum}`);
    expect(workers).toHaveLength(3);
  });

  test("is of the table that the backend has, and of no other", async () => {
    backend = new SqliteSessionBackend(path);
    await backend.create("id", recordOf({ expiresAt: 1 }));
    await backend.close();
    backend = new SqliteSessionBackend(path, { table: "shop_sessions" });
    expire(1_000, "shop_sessions");
    expect(await sweepAll()).toBe(1_000);
    expect(workers).toHaveLength(1);
    expect(rows()).toHaveLength(1);
  });

  test("passes on why a write has failed", async () => {
    await sweeping();
    using database = new Database(path);
    database.run("ALTER TABLE bunpie_sessions RENAME TO elsewhere");
    const failure = "Error: no such table: bunpie_sessions";
    const created = backend.create("a", recordOf()).then(String, String);
    const found = backend.read("a");
    expect(await created).toBe(failure);
    expect(await Promise.resolve(found).then(String, String)).toBe(
      failure.replace("Error", "SQLiteError"),
    );
    expect(await backend.sweep(BATCH).then(String, String)).toBe(failure);
    database.run("ALTER TABLE elsewhere RENAME TO bunpie_sessions");
    expect(await backend.create("a", recordOf())).toBe(true);
  });

  test("goes on without the thread if it breaks off, and says of no write that it was done", async () => {
    await sweeping();
    const writes = [backend.create("a", recordOf()), backend.sweep(BATCH)];
    workers[0]?.terminate();
    const outcomes = await Promise.all(writes.map((write) => write.then(String, String)));
    expect(outcomes).toEqual(
      writes.map(() => "Error: The thread that writes to the session database has ended."),
    );
    expect(await backend.create("b", recordOf())).toBe(true);
    expect(await backend.read("b")).toBeDefined();
    expect(await sweepAll()).toBeGreaterThan(4_000);
    expect(workers).toHaveLength(1);
  });

  test("goes on without one where none can be had", async () => {
    const start = spyOn(SqliteThread, "start").mockResolvedValueOnce(undefined);
    await sweeping();
    expect(await sweepAll()).toBe(4_900);
    expect(start).toHaveBeenCalledTimes(1);
    start.mockRestore();
    expect(workers).toHaveLength(0);
  });

  test("needs a file that is there", async () => {
    backend = new SqliteSessionBackend(path);
    const options = {
      path: folder.file("none.db"),
      table: "bunpie_sessions",
      synchronous: "normal",
      busyTimeout: 0,
    } as const;
    expect(await SqliteThread.start(options, Date.now)).toBeUndefined();
    expect(existsSync(options.path)).toBe(false);
  });

  test("is ended by close(), which finishes what was begun and leaves no log behind", async () => {
    await sweeping();
    const created = backend.create("a", recordOf());
    const swept = backend.sweep(BATCH);
    await backend.close();
    expect([await created, await swept]).toEqual([true, BATCH]);
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(rows("id = 'a'")).toHaveLength(1);
  });

  test("has no thread left if close() comes while it is starting", async () => {
    backend = new SqliteSessionBackend(path);
    expire(1_000);
    const swept = backend.sweep(BATCH);
    while (workers.length === 0) await Bun.sleep(1);
    await Promise.all([backend.close(), swept]);
    const [worker] = workers;
    expect(worker).toBeDefined();
    worker?.postMessage("close");
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  test("keeps what its connection was told of durability", async () => {
    const start = spyOn(SqliteThread, "start");
    await sweeping({ synchronous: "full", busyTimeout: 700 });
    expect(start.mock.calls[0]?.[0]).toEqual({
      path,
      table: "bunpie_sessions",
      synchronous: "full",
      busyTimeout: 700,
    });
    start.mockRestore();
  });
});
