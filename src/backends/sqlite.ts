import type { Changes, Database } from "bun:sqlite";

import type { MaybePromise, SessionInfo, SessionRecord } from "../session/backend.ts";
import { SessionStore } from "../session/backend.ts";
import { GroupCommit } from "./group-commit.ts";
import { adoptDatabase, openDatabase } from "./sqlite-database.ts";
import type { Statements } from "./sqlite-statements.ts";
import { prepareStatements, readRecord } from "./sqlite-statements.ts";

export { sessions } from "./sqlite-schema.ts";

/** How the SQLite backend is set up. */
export interface SqliteSessionBackendOptions {
  /**
   * `"normal"`, the default: what was acknowledged survives a crash of the process. `"full"`: it
   * survives a loss of power too. Only for a path; a connection of yours keeps its own setting.
   */
  readonly synchronous?: "normal" | "full";
  /** How long to wait while another process holds the database, in milliseconds; 1,500 by default. */
  readonly busyTimeout?: number;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULT_BUSY_TIMEOUT = 1_500;

/**
 * Keeps sessions in an SQLite database, by Drizzle on `bun:sqlite`. They survive a restart, and
 * several processes on one machine can share the file.
 *
 * ```ts
 * new SqliteSessionBackend("sessions.db");
 * new SqliteSessionBackend(database); // a `bun:sqlite` or Drizzle database that you already have
 * ```
 */
export class SqliteSessionBackend extends SessionStore {
  readonly #client: Database;
  readonly #isOurs: boolean;
  readonly #commits: GroupCommit;
  readonly #statements: Statements;
  #closed: Promise<void> | undefined;

  /**
   * Opens the database and brings its table up to date. `source` is a path, or a connection of
   * yours: that one keeps its pragmas and stays open when the backend closes.
   *
   * @throws Error if the database cannot be opened or written, with the remedy.
   * @throws TypeError for an option that makes no sense.
   */
  constructor(
    source: string | Database | { readonly $client: Database },
    options: SqliteSessionBackendOptions = {},
  ) {
    super(options.now);
    const { busyTimeout = DEFAULT_BUSY_TIMEOUT } = options;
    checkOptions(source, options);
    this.#isOurs = typeof source === "string";
    this.#client =
      typeof source === "string"
        ? openDatabase(source, options.synchronous ?? "normal")
        : adoptDatabase(source);
    this.#statements = prepareStatements(this.#client);
    this.#commits = new GroupCommit(this.#client, busyTimeout);
  }

  read(id: string): MaybePromise<SessionRecord | undefined> {
    const written = this.#commits.settled(id);
    if (written !== undefined) return written.then(() => this.read(id));
    return this.#commits.read(() => readRecord(this.#statements, id));
  }

  create(id: string, record: SessionRecord): Promise<boolean> {
    return this.#write(
      [id],
      () => changes(this.#statements.create.run({ ...record, id, now: this.now() })) === 1,
    );
  }

  replace(id: string, record: SessionRecord, version: number): Promise<boolean> {
    return this.#write(
      [id],
      () =>
        changes(this.#statements.replace.run({ ...record, id, was: version, now: this.now() })) ===
        1,
    );
  }

  rotate(oldId: string, newId: string, record: SessionRecord, version: number): Promise<boolean> {
    return this.#write([oldId, newId], () => {
      const now = this.now();
      const { isTaken, remove, rotate } = this.#statements;
      if (isTaken.get({ id: newId, now }) !== undefined) return false;
      remove.run({ id: newId });
      return changes(rotate.run({ ...record, id: oldId, newId, was: version, now })) === 1;
    });
  }

  touch(id: string, expiresAt: number): Promise<boolean> {
    return this.#write(
      [id],
      () => changes(this.#statements.touch.run({ id, expiresAt, now: this.now() })) === 1,
    );
  }

  async delete(id: string): Promise<void> {
    await this.#write([id], () => this.#statements.remove.run({ id }));
  }

  async list(userId: string): Promise<readonly SessionInfo[]> {
    await this.#commits.idle();
    return this.#commits.read(() => this.#statements.list.all({ userId, now: this.now() }));
  }

  deleteAll(userId: string, exceptId = ""): Promise<number> {
    return this.#write([], () => {
      const { countOf, removeAll } = this.#statements;
      const live = countOf.get({ userId, exceptId, now: this.now() })?.live ?? 0;
      removeAll.run({ userId, exceptId });
      return live;
    });
  }

  async sweep(limit: number): Promise<number> {
    const swept = await this.#write([], () =>
      changes(this.#statements.sweep.run({ now: this.now(), limit })),
    );
    if (this.#isOurs && swept === limit) await this.#shortenLog();
    return swept;
  }

  /**
   * Commits what is waiting. A database that was opened from a path is then closed, its write-ahead
   * log moved into it.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /**
   * Every swept row touches a page of its own. Left to SQLite, a thousand of them move from the log
   * into the file in one go, during some visitor's commit, which takes 14 to 40 ms. After each full
   * batch it is 2 ms, and no more in sum. It waits for nobody.
   */
  async #shortenLog(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#closed === undefined) this.#client.run("PRAGMA wal_checkpoint(PASSIVE)");
  }

  #write<T>(ids: readonly string[], run: () => T): Promise<T> {
    if (this.#closed !== undefined)
      return Promise.reject(new Error("The session database is closed."));
    return this.#commits.write(ids, run);
  }

  async #close(): Promise<void> {
    await this.#commits.idle();
    if (!this.#isOurs) return;
    // Without effect while another process has the file open: the last one to close does it.
    this.#client.run("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#client.close(true);
  }
}

/** How many rows a statement changed. Drizzle passes on what bun:sqlite gives, but does not type it. */
function changes(result: unknown): number {
  return (result as Changes).changes;
}

function checkOptions(source: unknown, options: SqliteSessionBackendOptions): void {
  const { synchronous = "normal", busyTimeout = DEFAULT_BUSY_TIMEOUT } = options;
  if (synchronous !== "normal" && synchronous !== "full") {
    throw new TypeError(
      `\`synchronous\` is "${String(synchronous)}"; it has to be "normal" or "full".`,
    );
  }
  if (source === "") {
    throw new TypeError(
      'An empty path is a database that SQLite throws away. Name a file, or ":memory:" for one that is not kept.',
    );
  }
  if (typeof source !== "string" && options.synchronous !== undefined) {
    throw new TypeError(
      "`synchronous` is for a database that is opened from a path. On a connection of yours, run " +
        `\`PRAGMA synchronous = ${synchronous.toUpperCase()}\` yourself.`,
    );
  }
  if (!Number.isFinite(busyTimeout) || busyTimeout < 0) {
    throw new TypeError(`\`busyTimeout\` is ${busyTimeout}; it has to be milliseconds, 0 or more.`);
  }
}
