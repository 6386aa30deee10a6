import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { renameSync, rmSync, writeFileSync } from "node:fs";

import { App } from "../../src/app/app.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite.ts";
import { Child } from "../support/child.ts";
import { Client } from "../support/client.ts";
import { noise, overwritePage } from "../support/disk.ts";
import { Folder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";
import { longestStall } from "../support/stall.ts";
import { recordOf } from "../support/store-contract.ts";

const BUSY_TIMEOUT = 150;
/** What a visitor may wait for at most, in milliseconds: the timeout, and what a busy machine adds. */
const DEADLINE = 1000;

class Site extends App<{ text: string }> {
  write(text: string): string {
    this.request.session.text = text.repeat(2000);
    return "written";
  }
  read(): string {
    return String(this.request.session.text?.[0] ?? "nobody");
  }
  end(): string {
    this.request.session.destroy();
    return "ended";
  }
  about(): string {
    return "About us";
  }
}

let folder: Folder;
let path: string;
let log: ReturnType<typeof spyOn>;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
  log = spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(() => {
  log.mockRestore();
  folder.remove();
});

/** A fault that the connection meets: breaks it, and gives what mends it. */
type Fault = (client: Database) => () => void;

function setting(broken: string, mended: string): Fault {
  return (client) => {
    client.run(`PRAGMA ${broken}`);
    return () => client.run(`PRAGMA ${mended}`);
  };
}

function lockHeld(): () => void {
  const rival = new Database(path);
  rival.run("BEGIN IMMEDIATE");
  return () => rival.close();
}

function transactionOpen(client: Database): () => void {
  client.run("BEGIN");
  return () => client.run("COMMIT");
}

function fileMoved(): () => void {
  renameSync(path, `${path}.moved`);
  return () => renameSync(`${path}.moved`, path);
}

function fileReplaced(client: Database): () => void {
  const mend = fileMoved();
  writeFileSync(path, client.serialize());
  return () => {
    rmSync(path);
    mend();
  };
}

describe("SqliteSessionBackend behind an App", () => {
  test.each<[string, Fault]>([
    ["another process holds the lock", lockHeld],
    ["the app has a transaction open on the connection", transactionOpen],
    ["the database is read-only", setting("query_only = ON", "query_only = OFF")],
    ["the file was moved away", fileMoved],
    ["the file was replaced by another", fileReplaced],
  ])(
    "S7: while %s, writes get 503 and cookies stay, and all is well afterwards",
    async (_, fault) => {
      using client = new Database(path);
      client.run("PRAGMA journal_mode = WAL");
      const app = new Site({
        sessionBackend: new SqliteSessionBackend(client, { busyTimeout: BUSY_TIMEOUT }),
      });
      const visitor = new Client(app);
      const leaver = new Client(app);
      for (const each of [visitor, leaver]) await each.send("/write/a");

      const mend = fault(client);
      const start = performance.now();
      const refused = await Promise.all([
        visitor.send("/write/b"),
        leaver.send("/end"),
        new Client(app).send("/write/c"),
      ]);
      expect(performance.now() - start).toBeLessThan(DEADLINE);
      for (const response of refused) {
        expect(response.status).toBe(503);
        expect(response.headers.getSetCookie()).toEqual([]);
        expect(await response.text()).toBe("Sessions are unavailable. Please try again.");
      }
      expect(await visitor.text("/about")).toBe("About us");
      expect(await new Client(app).text("/read")).toBe("nobody");
      mend();

      expect(await visitor.text("/read")).toBe("a");
      expect(await leaver.text("/read")).toBe("a");
      expect(await visitor.text("/write/d")).toBe("written");
      expect(await visitor.text("/read")).toBe("d");
      expect(await leaver.text("/end")).toBe("ended");
      expect(await leaver.text("/read")).toBe("nobody");
      await app.sessions.close();
    },
  );

  test("S7: while the table is gone, reads get 503 too, never an empty session", async () => {
    using client = new Database(path);
    const app = new Site({ sessionBackend: new SqliteSessionBackend(client) });
    const visitor = new Client(app);
    await visitor.send("/write/a");
    client.run("ALTER TABLE bunpie_sessions RENAME TO gone");
    const refused = await visitor.send("/read");
    expect(refused.status).toBe(503);
    expect(refused.headers.getSetCookie()).toEqual([]);
    expect(await new Client(app).text("/about")).toBe("About us");
    client.run("ALTER TABLE gone RENAME TO bunpie_sessions");
    expect(await visitor.text("/read")).toBe("a");
  });

  test("S7: while the database is full, what needs room gets 503, and nothing else does", async () => {
    using client = new Database(path);
    const app = new Site({ sessionBackend: new SqliteSessionBackend(client) });
    const [visitor, leaver] = [new Client(app), new Client(app)];
    for (const each of [visitor, leaver]) await each.send("/write/a");
    client.run("PRAGMA max_page_count = 1");
    const stranger = new Client(app);
    const [refused, sameSize] = await Promise.all([
      stranger.send("/write/b"),
      visitor.send("/write/b"),
    ]);
    expect(refused.status).toBe(503);
    expect(refused.headers.getSetCookie()).toEqual([]);
    expect(sameSize.status).toBe(200);
    expect(await leaver.text("/end")).toBe("ended");
    expect(await stranger.text("/write/c")).toBe("written");
    expect(await visitor.text("/read")).toBe("b");
  });

  test("S7: a page that was damaged is read anew, and no longer from memory, once it is restored", async () => {
    using client = new Database(path);
    client.run("PRAGMA journal_mode = WAL");
    const backend = new SqliteSessionBackend(client);
    await backend.create("id", recordOf());
    client.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const page = Number(
      client
        .query("SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'bunpie_sessions'")
        .values()[0],
    );
    for (const use of [
      async () => backend.read("id"),
      () => backend.replace("id", recordOf({ version: 2 }), 1),
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
    await backend.create("id", recordOf());
    rmSync(path);
    const message = await backend.create("another", recordOf()).then(String, String);
    expect(message).toBe(
      `Error: ${path} was moved, replaced or deleted while sessions were kept in it. ` +
        "Put it back, or restart this process.",
    );
    await backend.close();
    const restarted = new SqliteSessionBackend(path);
    expect(await restarted.create("another", recordOf())).toBe(true);
    await restarted.close();
  });

  test("never stops the event loop while another process holds the lock", async () => {
    const app = new Site({
      sessionBackend: new SqliteSessionBackend(path, { busyTimeout: BUSY_TIMEOUT * 2 }),
    });
    const visitor = new Client(app);
    await visitor.send("/write/a");
    await using lock = new Child("hold-lock", path);
    await lock.next();
    const refused = visitor.send("/write/b");
    expect(await longestStall(refused)).toBeLessThan(BUSY_TIMEOUT);
    expect((await refused).status).toBe(503);
    const patient = visitor.send("/write/b");
    lock.send("let go");
    expect((await patient).status).toBe(200);
    await app.sessions.close();
  });
});
