import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";

import { isBusy } from "../../../src/backends/sqlite/busy.ts";
import { GroupCommit } from "../../../src/backends/sqlite/group-commit.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";

const BUSY_TIMEOUT = 60_000;

/** Settles as soon as something holds; looks once in every turn of the event loop. */
async function untilTrue(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Gives whatever waits for a lock the time to try for it several times. */
async function passTurns(): Promise<void> {
  for (let count = 0; count < 20; count++) await Bun.sleep(1);
}

/** What a call gives or throws, at once. `expect().toThrow()` takes a rejection for it, too. */
function attempt(call: () => unknown): { value?: unknown; error?: unknown } {
  try {
    return { value: call() };
  } catch (error) {
    return { error };
  }
}

describe("GroupCommit", () => {
  let folder: Folder;
  let client: Database;
  /** A second connection, as another process would have one. */
  let rival: Database;
  let commits: GroupCommit;
  /** What `performance.now()` returns: nobody has to wait for `BUSY_TIMEOUT`. */
  let now = 0;
  let clock: { mockRestore(): void };

  beforeEach(() => {
    clock = spyOn(performance, "now").mockImplementation(() => now);
    folder = new Folder();
    client = open();
    client.run("CREATE TABLE t (n INTEGER PRIMARY KEY)");
    rival = open();
    commits = new GroupCommit(client, BUSY_TIMEOUT, () => false);
  });
  afterEach(() => {
    clock.mockRestore();
    client.close();
    rival.close();
    folder.remove();
  });

  function open(): Database {
    const database = new Database(folder.file("t.db"));
    database.run("PRAGMA journal_mode = WAL");
    return database;
  }

  function insert(n: number): Promise<number> {
    return commits.write([String(n)], () => client.run("INSERT INTO t VALUES (?)", [n]).changes);
  }

  function remove(n: number): Promise<number> {
    return commits.write([], () => client.run("DELETE FROM t WHERE n = ?", [n]).changes);
  }

  function countRows(): unknown {
    return client.query("SELECT count(*) AS n FROM t").get();
  }

  /** What another process sees. */
  function numbers(): unknown[] {
    return rival.query("SELECT n FROM t ORDER BY n").values().flat();
  }

  /** How many pages the transactions since the last call have written. */
  function pagesWritten(): number {
    const { log } = rival.query<{ log: number }, []>("PRAGMA wal_checkpoint(RESTART)").get() ?? {};
    return log ?? -1;
  }

  describe("write", () => {
    test("commits all writes of one turn in one transaction", async () => {
      pagesWritten();
      for (let n = 0; n < 100; n++) await insert(n);
      expect(pagesWritten()).toBeGreaterThanOrEqual(100);
      await Promise.all(Array.from({ length: 100 }, (_, n) => insert(1000 + n)));
      expect(pagesWritten()).toBeLessThan(10);
      expect(numbers()).toHaveLength(200);
    });

    test("acknowledges each write after the commit", async () => {
      const acknowledged = insert(1);
      expect(numbers()).toEqual([]);
      await acknowledged;
      expect(numbers()).toEqual([1]);
    });

    test("returns each write's own result", async () => {
      await insert(1);
      expect(await Promise.all([remove(1), remove(2), insert(3), remove(3)])).toEqual([1, 0, 1, 1]);
    });

    test("does not fail a write because of a bad one beside it", async () => {
      const results = await Promise.allSettled([insert(1), insert(1), insert(2)]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(results[1]).toMatchObject({ reason: { code: "SQLITE_CONSTRAINT_PRIMARYKEY" } });
      expect(numbers()).toEqual([1, 2]);
    });

    test("tries again, more than once, if another process takes the lock after a bad write", async () => {
      const run = client.run.bind(client);
      client.run = (...args: Parameters<typeof run>) => {
        const changes = run(...args);
        if (args[0] === "ROLLBACK") rival.run("BEGIN IMMEDIATE");
        return changes;
      };
      const bad = insert(-1).then(() => insert(-1));
      const results = Promise.allSettled([bad, insert(1).then(() => insert(2))]);
      await untilTrue(() => rival.inTransaction);
      client.run = run;
      await Bun.sleep(10);
      rival.run("ROLLBACK");
      expect(await results).toMatchObject([{ status: "rejected" }, { value: 1 }]);
      expect(numbers()).toEqual([-1, 1, 2]);
    });

    test("fails a bad write that is alone, and leaves nothing of it", async () => {
      const halfDone = commits.write([], () => {
        client.run("INSERT INTO t VALUES (1)");
        throw new Error("no more");
      });
      expect(await halfDone.catch(String)).toBe("Error: no more");
      expect(numbers()).toEqual([]);
      expect(client.inTransaction).toBe(false);
    });
  });

  describe("while another process holds the write lock", () => {
    test("gives up after `busyTimeout`, and no sooner", async () => {
      await using lock = new Child("hold-lock", folder.file("t.db"));
      await lock.next();
      const results = Promise.allSettled([insert(1), insert(2)]);
      now += BUSY_TIMEOUT - 1;
      await passTurns();
      expect(Bun.peek.status(results)).toBe("pending");
      now += 1;
      for (const result of await results) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "SQLITE_BUSY" } });
      }
      await lock.kill();
      expect(await insert(3)).toBe(1);
      expect(numbers()).toEqual([3]);
    });

    test("measures each write's time from its own start", async () => {
      rival.run("BEGIN IMMEDIATE");
      const early = insert(1).catch(() => rival.run("ROLLBACK"));
      now += 1;
      const late = insert(2);
      now += BUSY_TIMEOUT - 1;
      await early;
      expect(await late).toBe(1);
      expect(numbers()).toEqual([2]);
    });
  });

  describe("while the app has a transaction open on the connection", () => {
    test("waits until it ends, and writes nothing into it", async () => {
      client.run("BEGIN");
      client.run("INSERT INTO t VALUES (1)");
      const written = insert(2);
      await Bun.sleep(10);
      client.run("ROLLBACK");
      expect(await written).toBe(1);
      expect(numbers()).toEqual([2]);
    });

    test("gives up after `busyTimeout`, and leaves the transaction alone", async () => {
      client.run("BEGIN");
      client.run("INSERT INTO t VALUES (1)");
      const written = insert(2).catch(String);
      now += BUSY_TIMEOUT;
      expect(await written).toMatch(
        /^Error: The app .* Commit or roll back before the next `await`/,
      );
      client.run("COMMIT");
      expect(numbers()).toEqual([1]);
    });

    test("waits until it ends before a read, which would see an old state of the file", async () => {
      client.run("BEGIN");
      client.query("SELECT n FROM t").all();
      rival.run("INSERT INTO t VALUES (1)");
      const answer = commits.read(countRows);
      await Bun.sleep(10);
      client.run("COMMIT");
      expect(await answer).toEqual({ n: 1 });
    });

    test("gives up a read after `busyTimeout`", async () => {
      client.run("BEGIN");
      const answer = Promise.resolve(commits.read(countRows)).catch(String);
      now += BUSY_TIMEOUT;
      expect(await answer).toMatch(
        /^Error: The app .* Commit or roll back before the next `await`/,
      );
    });
  });

  describe("settled", () => {
    test("waits for the writes to this id, and no others", async () => {
      const write = commits.write(["a", "b"], () => client.run("INSERT INTO t VALUES (1)"));
      expect(commits.settled("c")).toBeUndefined();
      await Promise.all([commits.settled("a"), commits.settled("b")]);
      expect(numbers()).toEqual([1]);
      await write;
      expect(commits.settled("a")).toBeUndefined();
    });

    test("does not fail when the write does", async () => {
      const write = commits.write(["a"], () => {
        throw new Error("bad");
      });
      const settled = commits.settled("a");
      expect(await write.catch(String)).toBe("Error: bad");
      expect(await settled).toBeUndefined();
    });
  });

  describe("idle", () => {
    test("waits for all writes, also for those that begin meanwhile", async () => {
      void insert(1).then(() => insert(2));
      await commits.idle();
      expect(numbers()).toEqual([1, 2]);
    });
  });

  describe("read", () => {
    // Only without a write-ahead log do readers have to wait for a writer.
    const query = (): unknown => plain.query("SELECT count(*) AS n FROM t").get();
    let plain: Database;
    let writer: Database;

    beforeEach(() => {
      plain = new Database(folder.file("plain.db"));
      writer = new Database(folder.file("plain.db"));
      plain.run("CREATE TABLE t (n INTEGER PRIMARY KEY)");
    });
    afterEach(() => {
      plain.close();
      writer.close();
    });

    test("returns synchronously", () => {
      expect(commits.read(query)).toEqual({ n: 0 });
    });

    test("throws at once what waiting cannot solve", () => {
      const { value, error } = attempt(() =>
        commits.read(() => plain.query("SELECT x FROM t").get()),
      );
      expect(value).toBeUndefined();
      expect(String(error)).toContain("no such column");
    });

    test("waits while the database is locked", async () => {
      writer.run("BEGIN EXCLUSIVE");
      writer.run("INSERT INTO t VALUES (1)");
      const answer = commits.read(query);
      await Bun.sleep(10);
      writer.run("COMMIT");
      expect(await answer).toEqual({ n: 1 });
    });

    test("gives up after `busyTimeout`", async () => {
      writer.run("BEGIN EXCLUSIVE");
      const answer = commits.read(query) as Promise<unknown>;
      now += BUSY_TIMEOUT - 1;
      await passTurns();
      expect(Bun.peek.status(answer)).toBe("pending");
      now += 1;
      expect(await answer.catch((error: unknown) => error)).toMatchObject({ code: "SQLITE_BUSY" });
    });

    test("gives up at once on another error while it waits", async () => {
      writer.run("BEGIN EXCLUSIVE");
      const answer = commits.read(query) as Promise<unknown>;
      writer.run("DROP TABLE t");
      writer.run("COMMIT");
      expect(await answer.catch(String)).toContain("no such table");
    });
  });
});

describe("isBusy", () => {
  test.each([
    ["an Error", new Error("SQLITE_BUSY")],
    ["text", "SQLITE_BUSY"],
    ["nothing", undefined],
  ])("is false for what does not come from SQLite: %s", (_, error) => {
    expect(isBusy(error)).toBe(false);
  });
});
