import type { Database } from "bun:sqlite";
import { constants } from "bun:sqlite";

import { isBusy, OpenTransaction } from "./busy.ts";

interface Write {
  readonly ids: readonly string[];
  readonly run: () => unknown;
  readonly since: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Pauses between attempts to get the write lock, in milliseconds; they double from first to last.
 */
const FIRST_PAUSE = 1;
const LAST_PAUSE = 32;

/**
 * Gathers the writes of one turn of the event loop into one transaction. Under load that halves the
 * CPU time of a request beside a commit for each request, and with `synchronous = FULL` it takes a
 * quarter (bench/results.md).
 *
 * SQLite would wait for a lock inside the call and block every request of the process. So this
 * class waits outside, with a timer, for at most `busyTimeout` milliseconds.
 */
export class GroupCommit {
  readonly #client: Database;
  readonly #busyTimeout: number;
  readonly #repair: (error: unknown) => boolean;
  #writes: Write[] = [];
  /** The ids of the pending writes. */
  #ids = new Set<string>();
  #flushed: Promise<void> | undefined;
  #pause = FIRST_PAUSE;

  /** `repair` is called with errors and returns whether a retry may succeed. */
  constructor(client: Database, busyTimeout: number, repair: (error: unknown) => boolean) {
    this.#client = client;
    this.#busyTimeout = busyTimeout;
    this.#repair = repair;
  }

  /** Runs `run` in the next transaction; settles after the commit. */
  write<T>(ids: readonly string[], run: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#add({ ids, run, since: performance.now(), resolve, reject });
    return promise as Promise<T>;
  }

  /**
   * Settles when the pending writes of this id have been committed; `undefined` if there are none.
   */
  settled(id: string): Promise<void> | undefined {
    return this.#ids.has(id) ? this.#flushed : undefined;
  }

  /** Settles when all pending writes have been committed. */
  async idle(): Promise<void> {
    while (this.#flushed !== undefined) await this.#flushed;
  }

  /**
   * Runs a query that writes nothing; waits while the database is locked, or the app has a
   * transaction open: in it the query would miss what other processes have committed since.
   */
  read<T>(query: () => T): T | Promise<T> {
    try {
      return this.#query(query);
    } catch (error) {
      if (isBusy(error)) return this.#retryRead(query);
      throw error;
    }
  }

  async #retryRead<T>(query: () => T): Promise<T> {
    const deadline = performance.now() + this.#busyTimeout;
    for (let pause = FIRST_PAUSE; ; pause = lengthen(pause)) {
      await Bun.sleep(pause);
      try {
        return this.#query(query);
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw error;
      }
    }
  }

  #query<T>(query: () => T): T {
    if (this.#client.inTransaction) throw new OpenTransaction();
    return this.#runRepairing(query);
  }

  #add(write: Write): void {
    this.#flushed ??= this.#flushSoon();
    for (const id of write.ids) this.#ids.add(id);
    this.#writes.push(write);
  }

  async #flushSoon(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#flush()) {
      await Bun.sleep(this.#pause * (0.5 + Math.random()));
      this.#pause = lengthen(this.#pause);
    }
    this.#pause = FIRST_PAUSE;
  }

  /**
   * Commits the pending writes. `false`: the database is locked, and some writes are still pending.
   */
  #flush(): boolean {
    try {
      this.#transact(this.#writes);
    } catch (error) {
      if (isBusy(error)) return this.#giveUpLate(error);
      const writes = this.#take();
      if (writes.length === 1) writes[0]?.reject(error);
      else for (const write of writes) this.#transactAlone(write);
    }
    return true;
  }

  #transact(writes: readonly Write[]): void {
    const results = this.#commit(() => writes.map((write) => write.run()));
    this.#take();
    writes.forEach((write, index) => write.resolve(results[index]));
  }

  /**
   * Commits one write by itself, so that a write that fails does not fail the others of its turn.
   */
  #transactAlone(write: Write): void {
    try {
      write.resolve(this.#commit(write.run));
    } catch (error) {
      // Another process took the lock since the shared attempt: this write waits for the next
      // transaction.
      if (isBusy(error)) this.#add(write);
      else write.reject(error);
    }
  }

  #commit<T>(work: () => T): T {
    return this.#runRepairing(() => this.#inTransaction(work));
  }

  #inTransaction<T>(work: () => T): T {
    if (this.#client.inTransaction) throw new OpenTransaction();
    checkFile(this.#client);
    this.#client.run("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#client.run("COMMIT");
      return result;
    } catch (error) {
      // On a full disk SQLite has already rolled back.
      if (this.#client.inTransaction) this.#client.run("ROLLBACK");
      throw error;
    }
  }

  /** Runs `work`, and once more if the cause of its failure was repaired. */
  #runRepairing<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!this.#repair(error)) throw error;
      return work();
    }
  }

  #take(): Write[] {
    const writes = this.#writes;
    this.#writes = [];
    this.#ids = new Set();
    this.#flushed = undefined;
    return writes;
  }

  #giveUpLate(error: unknown): boolean {
    const limit = performance.now() - this.#busyTimeout;
    const waiting: Write[] = [];
    for (const write of this.#writes) {
      if (write.since > limit) waiting.push(write);
      else write.reject(error);
    }
    if (waiting.length === 0) {
      this.#take();
      return true;
    }
    this.#writes = waiting;
    return false;
  }
}

/**
 * Unix lets a process keep writing to a file that was deleted: acknowledged writes would be lost at
 * a restart.
 */
function checkFile(client: Database): void {
  HAS_MOVED[0] = 0;
  client.fileControl(constants.SQLITE_FCNTL_HAS_MOVED, HAS_MOVED);
  if (HAS_MOVED[0] !== 0) {
    throw new Error(
      `${client.filename} was moved, replaced or deleted while sessions were kept in it. ` +
        "Put it back, or restart this process.",
    );
  }
}

/** Receives SQLite's answer, which takes four bytes; Bun insists on eight. */
const HAS_MOVED = new Int32Array(2);

function lengthen(pause: number): number {
  return Math.min(pause * 2, LAST_PAUSE);
}
