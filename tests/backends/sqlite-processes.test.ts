import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { Child } from "../support/child.ts";
import { Client } from "../support/client.ts";
import { Folder } from "../support/folder.ts";
import { seededRandom } from "../support/random.ts";

/** How often the server is killed: 10 times in the suite, more by hand. */
const CRASH_ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 10);

let folder: Folder;
let path: string;

beforeEach(() => {
  folder = new Folder();
  path = folder.file("sessions.db");
});
afterEach(() => folder.remove());

/** A connection that broke: whether the server has done what was asked is open. */
class ServerGone extends Error {}

function integrity(): unknown {
  using database = new Database(path);
  return database.query("PRAGMA integrity_check").values().flat();
}

describe("a server that is killed in the middle of its work", () => {
  /** One browser, which notes what it was told. It outlives the server. */
  class Visitor {
    /** The last value that was acknowledged. */
    value = 0;
    /** The last value that was sent; whether it arrived is open. */
    attempted = 0;
    /** Everything that was acknowledged to be written. */
    written = 0;
    /** Cookies of sessions that were acknowledged to be destroyed, since the last check and ever. */
    ended: Client[] = [];
    readonly allEnded: Client[] = [];
    client: Client | undefined;
    isEnding = false;

    async run(server: Server, random: (limit: number) => number): Promise<void> {
      try {
        for (;;) await (random(20) === 0 ? this.#end(server) : this.#set(server));
      } catch (error) {
        if (!(error instanceof ServerGone)) throw error;
      }
    }

    async #set(server: Server): Promise<void> {
      this.client ??= new Client(server);
      this.attempted++;
      const response = await this.client.send(`/set/${this.attempted}`);
      expect(response.status).toBe(200);
      this.value = this.attempted;
      this.written++;
    }

    async #end(server: Server): Promise<void> {
      if (this.client?.id === undefined) return this.#set(server);
      const replay = this.client.clone();
      this.isEnding = true;
      const response = await this.client.send("/end");
      expect(response.status).toBe(200);
      this.isEnding = false;
      this.ended.push(replay);
      this.allEnded.push(replay);
      this.client = undefined;
      [this.value, this.attempted] = [0, 0];
    }

    /** What the restarted server knows must lie between what was acknowledged and what was sent. */
    async check(): Promise<void> {
      for (const replay of this.ended) expect(await replay.text("/")).toBe("{}");
      this.ended = [];
      if (this.client === undefined) return;
      const { value = 0 } = (await (await this.client.send("/")).json()) as { value?: number };
      if (!this.isEnding || value !== 0) {
        expect(value).toBeWithin(this.value, this.attempted + 1);
      }
      if (value === 0) this.client = undefined;
      this.isEnding = false;
      [this.value, this.attempted] = [value, value];
    }
  }

  /** The server that is up at the moment. */
  class Server implements AsyncDisposable {
    port = 0;
    #child: Child | undefined;

    async start(): Promise<void> {
      this.#child = new Child("serve", path);
      this.port = (await this.#child.next()) as number;
    }

    async kill(): Promise<void> {
      await this.#child?.kill();
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.kill();
    }

    fetch(request: Request): Promise<Response> {
      const { pathname } = new URL(request.url);
      return fetch(`http://localhost:${this.port}${pathname}`, request).catch((cause: unknown) => {
        throw new ServerGone("The connection broke.", { cause });
      });
    }
  }

  test(
    `loses nothing acknowledged, and brings nothing destroyed back (${CRASH_ROUNDS} times)`,
    async () => {
      const random = seededRandom(CRASH_ROUNDS);
      await using server = new Server();
      const visitors = Array.from({ length: 8 }, () => new Visitor());
      for (let round = 0; round < CRASH_ROUNDS; round++) {
        await server.start();
        await Promise.all(visitors.map((visitor) => visitor.check()));
        const running = visitors.map((visitor) => visitor.run(server, random));
        await Bun.sleep(10 + random(60));
        await server.kill();
        await Promise.all(running);
        expect(integrity()).toEqual(["ok"]);
      }
      await server.start();
      const ended = visitors.flatMap((visitor) => visitor.allEnded);
      for (const visitor of visitors) visitor.ended = visitor.allEnded;
      await Promise.all(visitors.map((visitor) => visitor.check()));
      const written = visitors.reduce((sum, visitor) => sum + visitor.written, 0);
      expect(written).toBeGreaterThan(CRASH_ROUNDS * 10);
      expect(ended.length).toBeGreaterThan(CRASH_ROUNDS / 2);
      if (CRASH_ROUNDS > 10)
        console.info(`${written} writes and ${ended.length} logouts survived.`);
    },
    CRASH_ROUNDS * 5000,
  );
});
