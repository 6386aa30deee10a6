import { Database } from "bun:sqlite";
import { describe, expect } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";

import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";
import type { Fetcher } from "../../src/testing/client.ts";
import { noise, overwritePage } from "../support/disk.ts";
import { Folder } from "../support/folder.ts";
import type { Kind } from "../support/guests.ts";
import { askAboutDuring, Guest, GuestBook, GuestHouse, KINDS } from "../support/guests.ts";
import { Child } from "../support/processes/child.ts";
import { quietEach } from "../support/quiet.ts";
import type { TcpProxy } from "../support/servers/tcp-proxy.ts";
import { MapBackend } from "../support/stores/backends.ts";
import { watch } from "../support/stores/watched-backend.ts";
import type { Trial } from "./figure.ts";
import { guarantee } from "./figure.ts";
import { RemoteBackend, RemoteStore } from "./remote-store.ts";

/** Within this time there has to be an answer: `storeTimeout`, and what a timer may be late. */
const DEADLINE = 2_250;
/** So long a page without a session may take meanwhile: far less than anybody waits for the store. */
const UNDISTURBED = 500;
/** Within this time after an outage everything has to be as before. */
const RECOVERY = 1_000;

const GUESTS = 20;
const KINDS_WITH_SESSION = KINDS.filter((kind) => kind !== "begin");
const WRITES: readonly Kind[] = KINDS.filter((kind) => kind !== "read");

/** Something that goes wrong, and right again. */
interface Outage {
  readonly begin: () => MaybePromise<unknown>;
  readonly end: () => MaybePromise<unknown>;
  /** What cannot be done meanwhile. Everything else has to go on. */
  readonly refused: readonly Kind[];
  /** What may go on or not. */
  readonly either?: readonly Kind[];
  /** The store comes back empty. */
  readonly forgets?: boolean;
}

/** Lets guests ask for everything during an outage, and again when it is over. */
async function live(trial: Trial, server: Fetcher, outage: Outage): Promise<void> {
  const guests = Array.from({ length: GUESTS }, (_, index) => new Guest(`guest${index}`, server));
  const all = (kind: Kind, book: GuestBook): Promise<unknown> =>
    Promise.all(guests.map((guest) => guest.ask(kind, book)));
  const before = new GuestBook();
  for (const kind of ["begin", "write", "read"] as const) await all(kind, before);
  expect(before.wrong).toEqual([]);

  await outage.begin();
  const during = new GuestBook();
  let [asked, slowest] = [0, 0];
  for (let round = 0; asked < trial.size; round++) {
    guests.push(new Guest(`late${round}`, server));
    const answers = guests.map((guest, index) =>
      guest.ask(KINDS_WITH_SESSION[(index + round) % KINDS_WITH_SESSION.length] ?? "read", during),
    );
    slowest = Math.max(slowest, await askAboutDuring(Promise.all(answers), server));
    asked += answers.length;
    trial.progress(asked);
  }
  expect(during.wrong).toEqual([]);
  for (const kind of KINDS) {
    if (outage.either?.includes(kind)) continue;
    const isRefused = outage.refused.includes(kind);
    expect([kind, during[isRefused ? "served" : "refused"][kind]]).toEqual([kind, 0]);
  }

  const after = new GuestBook();
  await outage.end();
  const ended = performance.now();
  if (outage.forgets) for (const guest of guests) guest.forget();
  const recover = async (guest: Guest): Promise<void> => {
    while (!(await guest.ask("write", after))) {
      expect(performance.now() - ended).toBeLessThan(50 * RECOVERY);
      await Bun.sleep(5);
    }
  };
  await Promise.all(guests.map(recover));
  const recovery = performance.now() - ended;
  const last = new GuestBook();
  for (const kind of ["read", "regenerate", "read", "end"] as const) await all(kind, last);
  expect([...after.wrong, ...last.wrong]).toEqual([]);
  expect(Object.values(last.refused)).toEqual([0, 0, 0, 0, 0, 0]);

  const refused = Object.values(during.refused).reduce((sum, count) => sum + count, 0);
  trial.never(
    "responses that were anonymous, another visitor's, or set a cookie",
    during.wrong.length,
    asked,
  );
  trial.note(`${refused} were 503, the others right`);
  expect(refused > 0).toBe(outage.refused.length > 0 || outage.either !== undefined);
  trial.atMost("slowest", during.slowest, DEADLINE, "ms");
  trial.atMost("slowest page without a session", slowest, UNDISTURBED, "ms");
  trial.atMost("recovered after", recovery, RECOVERY, "ms");
}

const GOES_ON = "requests that cannot be served get a 503, and all others succeed,";
const REQUESTS = { id: "G11", gate: 20, full: 400, of: "requests" };

quietEach("error", "info");

/** Somebody who sends requests over the network, wherever the app listens at the moment. */
class Network implements Fetcher {
  url = "";

  fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    return fetch(new URL(pathname, this.url), request);
  }
}

/** An app that is served, and can be started anew. */
class Service extends Network implements AsyncDisposable {
  #app: GuestHouse | undefined;

  start(backend: SessionBackend): void {
    this.#app = new GuestHouse({ sessionBackend: backend });
    this.url = this.#app.listen(0).url.href;
  }

  async stop(): Promise<void> {
    await this.#app?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A database in use, as a fault finds it. */
interface Setting {
  readonly folder: Folder;
  readonly path: string;
  readonly client: Database;
  readonly service: Service;
  readonly random: (limit: number) => number;
}

/** What goes wrong with a database, what that keeps from being done, and how it is set right. */
const FAULTS: Readonly<Record<string, (setting: Setting) => Outage>> = {
  "another process holds the database": ({ path }) => {
    let child: Child | undefined;
    return {
      begin: () => (child = new Child("hold-lock", path)).next(),
      end: () => child?.send("let go"),
      refused: WRITES,
    };
  },
  "the database may not grow": ({ client }) => ({
    // It is never less than what there is.
    begin: () => client.run("PRAGMA max_page_count = 1"),
    end: () => client.run("PRAGMA max_page_count = 1000000"),
    // What is short may fit into a page that is there, and what is long may not.
    refused: [],
    either: ["begin", "write", "login", "regenerate"],
  }),
  "the database is read-only": ({ client }) => ({
    begin: () => client.run("PRAGMA query_only = ON"),
    end: () => client.run("PRAGMA query_only = OFF"),
    refused: WRITES,
  }),
  "the database is overwritten with noise": ({ path, client, random }) => {
    let restore: (() => void)[] = [];
    return {
      begin() {
        client.run("PRAGMA wal_checkpoint(TRUNCATE)");
        restore = listPages(client).map((page) => overwritePage(path, page, noise(random)));
        client.run("PRAGMA shrink_memory");
      },
      end: () => restore.forEach((each) => each()),
      refused: KINDS,
    };
  },
  "the table is gone": ({ path }) => ({
    begin: () => runElsewhere(path, "ALTER TABLE bunpie_sessions RENAME TO gone"),
    end: () => runElsewhere(path, "ALTER TABLE gone RENAME TO bunpie_sessions"),
    refused: KINDS,
  }),
  "the file was moved away": ({ path }) => moved(path),
  "the folder was moved away": ({ folder }) => moved(folder.path),
  "the file was replaced by another": ({ path, client }) =>
    moved(path, () => writeFileSync(path, client.serialize())),
  "the file was removed, and the app not yet restarted": ({ path, service }) => ({
    begin: () => rmSync(path),
    end: () => restart(service, path),
    refused: WRITES,
    forgets: true,
  }),
  "the folder was removed, and the app not yet restarted": ({ folder, path, service }) => ({
    begin: () => folder.remove(),
    async end() {
      mkdirSync(folder.path);
      await restart(service, path);
    },
    refused: WRITES,
    forgets: true,
  }),
};

/** A file or folder is elsewhere. `instead` puts something in its place. */
function moved(path: string, instead?: () => void): Outage {
  return {
    begin() {
      renameSync(path, `${path}.moved`);
      instead?.();
    },
    end() {
      rmSync(path, { force: true });
      renameSync(`${path}.moved`, path);
    },
    refused: WRITES,
  };
}

/** A guarantee of an outage, by what lasts meanwhile. */
function goesOn(what: string, work: (trial: Trial) => Promise<void>): void {
  guarantee(`${GOES_ON} while ${what}`, { ...REQUESTS, on: what }, work);
}

/** All pages but the first, which says that this is a database. */
function listPages(client: Database): number[] {
  const count =
    client.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0;
  return Array.from({ length: count - 1 }, (_, index) => index + 1);
}

function runElsewhere(path: string, statement: string): void {
  using rival = new Database(path);
  rival.run(statement);
}

async function restart(service: Service, path: string): Promise<void> {
  await service.stop();
  service.start(new SqliteSessionBackend(path));
}

describe("an outage of SQLite", () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    goesOn(name, async (trial) => {
      using folder = new Folder();
      const path = folder.file("sessions.db");
      using client = new Database(path);
      client.run("PRAGMA journal_mode = WAL");
      await using service = new Service();
      service.start(new SqliteSessionBackend(client));
      const setting = { folder, path, client, service, random: trial.random };
      await live(trial, service, fault(setting));
    });
  }

  if (Bun.which("prlimit") !== null) {
    goesOn("the disk is full", async (trial) => {
      using folder = new Folder();
      await using child = new Child("serve-guests", folder.file("sessions.db"));
      const network = new Network();
      network.url = `http://localhost:${await child.next()}/`;
      const tell = (message: string): Promise<unknown> => {
        child.send(message);
        return child.next();
      };
      await live(trial, network, {
        begin: () => tell("full"),
        end: () => tell("free"),
        refused: WRITES,
      });
    });
  }
});

describe("a database with an overwritten page", () => {
  const GUESTS_THERE = 100;

  guarantee(
    "answers its sessions with 503 or the right page, and affects no others",
    { id: "G11", gate: 20, full: 1_000, of: "pages" },
    async (trial) => {
      using folder = new Folder();
      const path = folder.file("sessions.db");
      using client = new Database(path);
      client.run("PRAGMA journal_mode = WAL");
      const app = new GuestHouse({ sessionBackend: new SqliteSessionBackend(client) });
      const guests = Array.from({ length: GUESTS_THERE }, (_, index) => new Guest(`${index}`, app));
      const book = new GuestBook();
      // Short ones, which fit into a page of the table. Of longer ones SQLite could not tell that an end
      // was overwritten that lies on a page of its own: such a row is damaged data, as in G13.
      for (const kind of ["begin", "write", "login"] as const) {
        await Promise.all(guests.map((guest) => guest.ask(kind, book)));
      }
      client.run("PRAGMA wal_checkpoint(TRUNCATE)");
      const pages = [0, ...listPages(client)];
      for (let done = 0; done < trial.size; done++) {
        const page = pages[trial.random(pages.length)] ?? 0;
        const restore = overwritePage(
          path,
          page,
          trial.random(2) === 0 ? noise(trial.random) : new Uint8Array(4096),
        );
        client.run("PRAGMA shrink_memory");
        for (const guest of guests) await guest.ask("read", book);
        restore();
        trial.progress(done + 1);
      }
      expect(book.wrong).toEqual([]);
      expect(book.refused.read).toBeGreaterThan(trial.size);
      const last = new GuestBook();
      client.run("PRAGMA shrink_memory");
      for (const guest of guests) await guest.ask("read", last);
      expect(last.served.read).toBe(GUESTS_THERE);
      const reads = book.served.read + book.refused.read;
      trial.never("pages that were anonymous, or another visitor's", book.wrong.length, reads);
      trial.note(`${book.refused.read} were 503`);
      await app.close();
    },
  );
});

function fail(): never {
  throw new Error("The disk is gone.");
}

describe("an outage of a store with a load() and a save()", () => {
  const troubles: readonly [name: string, begin: (network: TcpProxy) => void][] = [
    ["refuses connections", (network) => network.refuse()],
    ["breaks connections", (network) => network.cut(0)],
    ["takes requests and answers none", (network) => network.hold()],
  ];

  for (const [name, begin] of troubles) {
    goesOn(`a remote store ${name}`, async (trial) => {
      await using store = await RemoteStore.start();
      await using service = new Service();
      service.start(new RemoteBackend(store.network));
      await live(trial, service, {
        begin: () => begin(store.network),
        end: () => store.network.pass(),
        refused: KINDS,
      });
    });
  }

  guarantee("a remote store that is slow is waited for", { ...REQUESTS }, async (trial) => {
    await using store = await RemoteStore.start();
    await using service = new Service();
    service.start(new RemoteBackend(store.network));
    await live(trial, service, {
      begin: () => store.network.slow(50),
      end: () => store.network.pass(),
      refused: [],
    });
  });

  goesOn("load() and save() throw at once", async (trial) => {
    const watched = watch(new MapBackend());
    await using service = new Service();
    service.start(watched.backend);
    await live(trial, service, {
      begin: () => (watched.before = fail),
      end: () => (watched.before = () => undefined),
      refused: KINDS,
    });
  });
});
