import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";

import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";
import { noise, overwritePage } from "../../support/disk.ts";
import { Folder } from "../../support/folder.ts";
import { Child } from "../../support/processes/child.ts";

let folder: Folder;
let path: string;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
});
afterEach(() => folder.remove());

// What visitors get while a database cannot be used: tests/guarantees/outages.test.ts.
describe("SqliteSessionBackend", () => {
  test("S7: a page that was damaged is read anew, and no longer from memory, once it is restored", async () => {
    using client = new Database(path);
    client.run("PRAGMA journal_mode = WAL");
    const backend = new SqliteSessionBackend(client);
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

  test("a file that was deleted is told of at the next write, not at the next start", async () => {
    const backend = new SqliteSessionBackend(path);
    await backend.create("id", makeRecord());
    rmSync(path);
    const message = await backend.create("another", makeRecord()).then(String, String);
    expect(message).toBe(
      `Error: ${path} was moved, replaced or deleted while sessions were kept in it. ` +
        "Put it back, or restart this process.",
    );
    await backend.close();
    const restarted = new SqliteSessionBackend(path);
    expect(await restarted.create("another", makeRecord())).toBe(true);
    await restarted.close();
  });

  test("never stops the event loop while another process holds the lock", async () => {
    const [hasty, patient] = [1, 60_000].map(
      (busyTimeout) => new SqliteSessionBackend(path, { busyTimeout }),
    );
    await using lock = new Child("hold-lock", path);
    await lock.next();
    expect(await hasty?.create("id", makeRecord()).catch(String)).toContain("database is locked");
    const created = patient?.create("id", makeRecord());
    // Who stopped the event loop for the lock would never come to this.
    for (let count = 0; count < 20; count++) await Bun.sleep(1);
    lock.send("let go");
    expect(await created).toBe(true);
    await hasty?.close();
    await patient?.close();
  });
});
