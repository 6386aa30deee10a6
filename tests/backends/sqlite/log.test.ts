import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";

import { emptyLog, limitLog, paceLog } from "../../../src/backends/sqlite/log.ts";
import { Folder } from "../../support/folder.ts";

const MEGABYTE = 2 ** 20;

let folder: Folder;
let path: string;
let client: Database;
let reader: Database;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("t.db");
  client = open();
  client.run("CREATE TABLE t (text)");
  reader = open();
});
afterEach(() => {
  client.close();
  reader.close();
  folder.remove();
});

function open(): Database {
  const database = new Database(path);
  database.run("PRAGMA journal_mode = WAL");
  return database;
}

function insert(bytes: number): void {
  client.run("INSERT INTO t VALUES (zeroblob(?))", [bytes]);
}

function logSize(): number {
  return statSync(`${path}-wal`).size;
}

/** Lets the log grow while somebody reads. */
function readMeanwhile(work: () => void): void {
  reader.run("BEGIN");
  reader.query("SELECT count(*) FROM t").get();
  work();
  reader.run("COMMIT");
}

describe("limitLog", () => {
  test("truncates a log that a long reader made grow to 4 MB, two commits after the reader is gone", () => {
    limitLog(client);
    readMeanwhile(() => insert(10 * MEGABYTE));
    expect(logSize()).toBeGreaterThan(10 * MEGABYTE);
    insert(1);
    insert(1);
    expect(logSize()).toBe(4 * MEGABYTE);
  });
});

describe("paceLog", () => {
  test("checkpoints sooner while a backlog is swept", () => {
    paceLog(client, true);
    insert(MEGABYTE);
    expect(statSync(path).size).toBeGreaterThan(MEGABYTE);
    paceLog(client, false);
    insert(MEGABYTE);
    expect(statSync(path).size).toBeLessThan(2 * MEGABYTE);
  });
});

describe("emptyLog", () => {
  test("checkpoints the whole log, so that the next commit restarts it", () => {
    readMeanwhile(() => insert(MEGABYTE));
    const size = logSize();
    expect(emptyLog(client)).toBe(true);
    insert(MEGABYTE / 2);
    expect(logSize()).toBe(size);
  });

  test("returns false while another connection reads, without waiting", () => {
    reader.run("PRAGMA busy_timeout = 60000");
    readMeanwhile(() => {
      insert(1);
      expect(emptyLog(client)).toBe(false);
    });
    expect(emptyLog(client)).toBe(true);
  });

  test("returns false if the log cannot be checkpointed: inside a transaction", () => {
    client.run("BEGIN");
    insert(1);
    expect(emptyLog(client)).toBe(false);
    client.run("COMMIT");
  });

  test("leaves the log to a replicator that has disabled SQLite's own checkpoints", () => {
    client.run("PRAGMA wal_autocheckpoint = 0");
    insert(1);
    const { size } = statSync(path);
    expect(emptyLog(client)).toBe(false);
    expect(statSync(path).size).toBe(size);
  });

  test("returns false if there is no log", () => {
    using memory = new Database(":memory:");
    expect(emptyLog(memory)).toBe(false);
  });
});
