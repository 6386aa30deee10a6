import type { Database } from "bun:sqlite";

import { EndListeners } from "../../store/end-listeners.ts";
import { refuseUnknown } from "../../store/known-options.ts";
import type { MaybePromise } from "../../store/maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../store/record.ts";
import type { EndListener, StopWatching } from "../../store/session-store.ts";
import { SessionStore } from "../../store/session-store.ts";
import { checkName, DEFAULT_TABLE } from "../tables.ts";
import { adoptDatabase, openDatabase } from "./database.ts";
import { GroupCommit } from "./group-commit.ts";
import { paceLog } from "./log.ts";
import { repair } from "./repair.ts";
import { sessionsTable } from "./schema.ts";
import type { Statements } from "./statements.ts";
import { prepareStatements, readRow } from "./statements.ts";
import { Writes } from "./writes.ts";

/** Options of {@link SqliteSessionBackend}. */
export interface SqliteSessionBackendOptions {
  /**
   * `"normal"`, the default: acknowledged writes survive a crash of the process. `"full"`: they
   * survive a power failure too. Only with a path; your own connection keeps its setting.
   */
  readonly synchronous?: "normal" | "full";
  /**
   * How long to wait while another process has the database locked, in milliseconds; 1,500 by
   * default. Keep it below the `storeTimeout` of the sessions.
   */
  readonly busyTimeout?: number;
  /**
   * The table's name, `"bunpie_sessions"` by default. Backends with different tables share nothing,
   * even in the same database.
   */
  readonly table?: string;
  /** The clock, in Unix milliseconds; `Date.now` by default. */
  readonly now?: () => number;
}

const DEFAULT_BUSY_TIMEOUT = 1_500;

/**
 * How many of a user's sessions one transaction deletes. Each is on pages of its own: in a table of
 * 300,000 rows, deleting 30 blocked the event loop for 1 ms, and 200 for 5 to 25 ms.
 */
const DELETE_STEP = 30;

/**
 * Keeps sessions in an SQLite database, with Drizzle on `bun:sqlite`. They survive a restart, and
 * several processes on one machine can share the file.
 *
 * ```ts
 * new SqliteSessionBackend("sessions.db");
 * new SqliteSessionBackend(database); // an existing `bun:sqlite` or Drizzle database
 * ```
 */
export class SqliteSessionBackend extends SessionStore {
  readonly #client: Database;
  readonly #isOurs: boolean;
  readonly #commits: GroupCommit;
  readonly #statements: Statements;
  readonly #writes: Writes;
  readonly #ends = new EndListeners();
  #closed: Promise<void> | undefined;

  /**
   * Opens the database and migrates its table. `source` is a path or a connection of yours, which
   * keeps its pragmas and stays open when the backend closes. End your transactions and iterations
   * on it within one turn of the event loop: requests wait for an open transaction, and during an
   * iteration they do not see what other processes have written since it began.
   *
   * @throws Error if the database cannot be opened or written; the message says what to do.
   * @throws TypeError for an invalid option.
   */
  constructor(
    source: string | Database | { readonly $client: Database },
    options: SqliteSessionBackendOptions = {},
  ) {
    super(options.now);
    checkOptions(source, options);
    const { synchronous = "normal", busyTimeout = DEFAULT_BUSY_TIMEOUT } = options;
    const table = options.table ?? DEFAULT_TABLE;
    this.#isOurs = typeof source === "string";
    this.#client =
      typeof source === "string"
        ? openDatabase(source, synchronous, table)
        : adoptDatabase(source, table);
    this.#statements = prepareStatements(this.#client, sessionsTable(table));
    this.#writes = new Writes(this.#statements, () => this.now());
    this.#commits = new GroupCommit(this.#client, busyTimeout, (error) =>
      repair(this.#client, table, error),
    );
  }

  read(id: string): MaybePromise<SessionRecord | ForwardingNote | undefined> {
    const written = this.#commits.settled(id);
    if (written !== undefined) return written.then(() => this.read(id));
    return this.#commits.read(() => readRow(this.#statements, id));
  }

  create(id: string, record: SessionRecord): Promise<boolean> {
    return this.#write([id], () => this.#writes.create(id, record));
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    return this.#write([id], () => this.#writes.replace(id, record, old));
  }

  async rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): Promise<boolean> {
    const isDone = await this.#write([oldId, newId], () =>
      this.#writes.rotate(oldId, newId, record, old),
    );
    if (isDone) this.#ends.tell([oldId]);
    return isDone;
  }

  touch(id: string, expiresAt: number): Promise<boolean> {
    return this.#write([id], () => this.#writes.touch(id, expiresAt));
  }

  async delete(id: string): Promise<string | undefined> {
    const successor = await this.#write([id], () => this.#writes.delete(id));
    this.#ends.tell([id]);
    return successor;
  }

  async list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    await this.#commits.idle();
    return this.#commits.read(() => this.#statements.list.all({ userId, limit, now: this.now() }));
  }

  async deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const step = Math.min(limit, DELETE_STEP);
    const ids = await this.#write([], () => this.#writes.deleteAll(userId, exceptId ?? "", step));
    this.#ends.tell(ids);
    return ids;
  }

  async sweep(limit: number, before = this.now()): Promise<number> {
    const count = await this.#write([], () => this.#writes.sweep(limit, before));
    if (this.#isOurs) paceLog(this.#client, count === limit);
    return count;
  }

  /**
   * Calls `listener` when this backend ends sessions; writes of other processes show in
   * {@link foreignWrites}.
   */
  override watchEnds(listener: EndListener): StopWatching {
    return this.#ends.add(listener);
  }

  /** Takes 2 µs and reads nothing from the file. */
  override foreignWrites(): number {
    return readDataVersion(this.#client);
  }

  /**
   * Commits pending writes. A database that was opened from a path is then closed, after its
   * write-ahead log has been moved into the file.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #write<T>(ids: readonly string[], write: () => T): Promise<T> {
    if (this.#closed !== undefined)
      return Promise.reject(new Error("The session database is closed."));
    return this.#commits.write(ids, write);
  }

  async #close(): Promise<void> {
    await this.#commits.idle();
    if (!this.#isOurs) return;
    // No effect while another process has the file open: the last one to close it does this.
    this.#client.run("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#client.close(true);
  }
}

/** A number that changes when another connection has committed. */
function readDataVersion(client: Database): number {
  const row = client.query<{ data_version: number }, []>("PRAGMA data_version").get();
  return row?.data_version ?? 0;
}

const OPTIONS = ["synchronous", "busyTimeout", "table", "now"];

function checkOptions(source: unknown, options: SqliteSessionBackendOptions): void {
  const { synchronous = "normal", busyTimeout = DEFAULT_BUSY_TIMEOUT, table } = options;
  refuseUnknown("SqliteSessionBackend", options, OPTIONS);
  if (table !== undefined) checkName("table", table);
  if (synchronous !== "normal" && synchronous !== "full") {
    throw new TypeError(
      `\`synchronous\` is "${String(synchronous)}"; it has to be "normal" or "full".`,
    );
  }
  if (source === "") {
    throw new TypeError(
      'With an empty path, SQLite deletes the database when it is closed. Name a file, or ":memory:" for a database in memory.',
    );
  }
  if (typeof source !== "string" && options.synchronous !== undefined) {
    throw new TypeError(
      "`synchronous` applies only to a database that is opened from a path. On your own connection, run " +
        `\`PRAGMA synchronous = ${synchronous.toUpperCase()}\`.`,
    );
  }
  if (!Number.isFinite(busyTimeout) || busyTimeout < 0) {
    throw new TypeError(`\`busyTimeout\` is ${busyTimeout}; it has to be milliseconds, 0 or more.`);
  }
}
