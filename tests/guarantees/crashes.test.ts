import { Database } from "bun:sqlite";
import { describe, expect } from "bun:test";

import { Child } from "../support/child.ts";
import { Folder } from "../support/folder.ts";
import { gone, Witness } from "../support/witness.ts";
import { guarantee } from "./figure.ts";

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

describe("a server that is killed in the middle of its work", () => {
  // Which writes a kill meets is up to the machine: the seed chooses what is asked, and when to kill.
  guarantee(
    {
      id: "G4",
      name: "what was acknowledged is there after a SIGKILL, and what was ended stays ended",
      quick: 10,
      full: 200,
      of: "kills",
    },
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
        await Bun.sleep(5 + trial.random(60));
        await server.kill();
        await Promise.all(running);
        trial.progress(round + 1);
      }
      await server.start();
      for (const each of witnesses) each.ended = each.allEnded;
      await checkAll();

      const changes = witnesses.reduce((sum, each) => sum + each.changes, 0);
      const ended = witnesses.reduce((sum, each) => sum + each.allEnded.length, 0);
      expect(changes).toBeGreaterThan(trial.size);
      expect(ended).toBeGreaterThan(trial.size / 4);
      const lost = witnesses.flatMap((each) => each.lost);
      const revived = witnesses.flatMap((each) => each.revived);
      expect([...lost, ...revived]).toEqual([]);
      trial.never("acknowledged changes lost", lost.length, changes);
      trial.never("ended sessions or replaced ids revived", revived.length, ended);
      trial.always("integrity_check ok", intact);
    },
  );
});
