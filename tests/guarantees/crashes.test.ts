import { Database } from "bun:sqlite";
import { describe, expect } from "bun:test";

import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { Disk } from "../support/disk.ts";
import { UnsyncedDisk, writeDisk } from "../support/disk.ts";
import { Folder } from "../support/folder.ts";
import { Child } from "../support/processes/child.ts";
import type { Trial } from "./figure.ts";
import { guarantee } from "./figure.ts";
import { Ledger } from "./ledger.ts";
import { gone, Witness } from "./witness.ts";

const WITNESSES = 12;

/** The server that is up at the moment, on one database. */
class Server implements AsyncDisposable {
  readonly #path: string;
  #port = 0;
  #child: Child | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    this.#child = new Child("serve", this.#path);
    this.#port = (await this.#child.next()) as number;
  }

  /** Begins to start, and is killed in the middle of that. */
  async startInVain(milliseconds: number): Promise<void> {
    await using _child = new Child("serve", this.#path);
    await Bun.sleep(milliseconds);
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    return fetch(`http://localhost:${this.#port}${pathname}`, request).catch(gone);
  }
}

/** What SQLite says of the whole file, asked while it is in use. */
function isIntact(path: string): boolean {
  using database = new Database(path, { readonly: true });
  return Bun.deepEquals(database.query("PRAGMA integrity_check").values(), [["ok"]]);
}

function countChanges(witnesses: readonly Witness[]): number {
  return witnesses.reduce((sum, each) => sum + each.changes, 0);
}

describe("a server that is killed while it works", () => {
  // Which writes a kill meets is up to the machine: the seed chooses what is asked, and when to kill.
  guarantee(
    "what was acknowledged is there after a SIGKILL, and what was ended stays ended",
    { id: "G4", gate: 10, full: 200, of: "kills" },
    async (trial) => {
      using folder = new Folder();
      const path = folder.file("sessions.db");
      await using server = new Server(path);
      const witnesses = Array.from(
        { length: WITNESSES },
        (_, index) => new Witness(`user${index}`, server),
      );
      const checkAll = (): Promise<unknown> => Promise.all(witnesses.map((each) => each.check()));
      let intact = 0;
      for (let round = 0; round < trial.size; round++) {
        if (trial.random(4) === 0) await server.startInVain(trial.random(150));
        await server.start();
        await checkAll();
        if (isIntact(path)) intact++;
        const running = witnesses.map((each) => each.run(trial.random));
        const before = countChanges(witnesses);
        while (countChanges(witnesses) === before) await Bun.sleep(1);
        await Bun.sleep(trial.random(60));
        await server.kill();
        await Promise.all(running);
        trial.progress(round + 1);
      }
      await server.start();
      for (const each of witnesses) each.ended = each.allEnded;
      await checkAll();

      const changes = countChanges(witnesses);
      const ended = witnesses.reduce((sum, each) => sum + each.allEnded.length, 0);
      expect(changes).toBeGreaterThanOrEqual(trial.size);
      expect(ended).toBeGreaterThan(0);
      const lost = witnesses.flatMap((each) => each.lost);
      const revived = witnesses.flatMap((each) => each.revived);
      expect([...lost, ...revived]).toEqual([]);
      trial.never("acknowledged changes lost", lost.length, changes);
      trial.never("ended sessions or replaced ids revived", revived.length, ended);
      trial.always("integrity_check ok", intact);
    },
  );
});

describe("a loss of power, with the default of `synchronous`", () => {
  /** The log is moved into the file when it has this many pages: often, so that all of it is met. */
  const LOG_PAGES = 60;

  /**
   * Tries what is left of a database in use after each loss of power: `lose` gives it, or nothing if
   * this is not the moment.
   */
  async function tryLosses(
    trial: Trial,
    lose: (disk: UnsyncedDisk, isMoved: boolean) => Disk | undefined,
  ): Promise<Losses> {
    using folder = new Folder();
    const path = folder.file("sessions.db");
    using client = new Database(path);
    client.run("PRAGMA journal_mode = WAL");
    client.run("PRAGMA synchronous = NORMAL");
    client.run(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
    const ledger = new Ledger(new SqliteSessionBackend(client));
    const disk = new UnsyncedDisk(path);
    const losses = { intact: 0, prefixes: 0, whole: 0, undone: 0 };
    let moved = 0;
    for (let copies = 0; copies < trial.size;) {
      await ledger.commit(trial.random);
      const isMoved = disk.look();
      if (isMoved) moved = ledger.commits;
      const left = lose(disk, isMoved);
      if (left === undefined) continue;
      const copy = folder.file(`${copies}.db`);
      writeDisk(copy, left);
      const store = new SqliteSessionBackend(copy);
      if (isIntact(copy)) losses.intact++;
      const found = await ledger.find(store);
      if (found >= 0) losses.prefixes++;
      if (found < moved) losses.undone++;
      if (found === ledger.commits) losses.whole++;
      copies++;
      trial.progress(copies);
    }
    return losses;
  }

  /** What came out: each number counts copies. */
  interface Losses {
    /** Those that opened and that SQLite found nothing wrong with. */
    intact: number;
    /** Those that held what the sessions were after some commit, and nothing of any later one. */
    prefixes: number;
    /** Those that had lost something that was in the file by then. */
    undone: number;
    /** Those that had lost nothing. */
    whole: number;
  }

  function report(trial: Trial, losses: Losses): void {
    trial.always("opened, integrity_check ok", losses.intact);
    trial.always("exactly the sessions as of one commit", losses.prefixes);
    trial.never("copies that lack what was checkpointed before", losses.undone);
  }

  const losing = { gate: 50, full: 500, of: "copies" };

  for (const [name, lose] of [
    ["a log that is cut at any byte leaves the sessions as of one commit", "cut"],
    [
      "a log with blocks that never reached the disk leaves the sessions as of one commit",
      "loseBlocks",
    ],
  ] as const) {
    guarantee(name, { id: "G5", ...losing }, async (trial) => {
      const losses = await tryLosses(trial, (disk) => disk[lose](trial.random));
      report(trial, losses);
      // A power loss that takes nothing, or that always takes something, would be a poor test.
      expect(losses.whole).toBeWithin(1, trial.size);
      trial.note(`${trial.size - losses.whole} had lost the last commits`);
    });
  }

  guarantee(
    "nothing is lost while the log is being checkpointed",
    { id: "G5", ...losing },
    async (trial) => {
      const losses = await tryLosses(trial, (disk, isMoved) =>
        isMoved ? disk.tear(trial.random) : undefined,
      );
      report(trial, losses);
      trial.always("nothing lost at all", losses.whole);
    },
  );
});
