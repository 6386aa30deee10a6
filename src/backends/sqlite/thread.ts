import type { Write, Writes } from "./writes.ts";

/** How a thread writes. */
export interface ThreadOptions {
  /** The database's file, as an absolute path. */
  readonly path: string;
  readonly table: string;
  readonly synchronous: "normal" | "full";
  /** For how long to wait while another process holds the database, in milliseconds. */
  readonly busyTimeout: number;
}

/** What the thread is asked to do. */
export interface Job {
  readonly number: number;
  readonly now: number;
  readonly writes: readonly Write[];
}

/** What it answers: an outcome for each of the writes. */
export interface Answer {
  readonly number: number;
  readonly outcomes: readonly Outcome[];
}

export type Outcome = { readonly value: unknown } | { readonly failure: string };

interface Waiting {
  readonly ids: readonly string[];
  readonly write: Write;
  readonly done: PromiseWithResolvers<unknown>;
}

/**
 * Writes to a database on a thread of its own, with a connection of its own. Who writes a lot waits
 * for the disk, and on the event loop everybody would wait along. A write by itself takes 130 µs of
 * CPU in this way and 28 without, so it is for as long as it is needed.
 */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #now: () => number;
  readonly #ended = Promise.withResolvers<void>();
  readonly #sent = new Map<number, readonly Waiting[]>();
  /** The last write that is under way to each id. */
  readonly #writing = new Map<string, Promise<unknown>>();
  #gathered: Waiting[] = [];
  #count = 0;
  #isOpen = true;

  private constructor(worker: Worker, now: () => number) {
    this.#worker = worker;
    this.#now = now;
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#take(data));
    worker.addEventListener("close", () => this.#end());
  }

  /** A thread that is ready to write, or `undefined` if there can be none. */
  static async start(options: ThreadOptions, now: () => number): Promise<SqliteThread | undefined> {
    const worker = new Worker(new URL("worker.ts", import.meta.url).href, {
      argv: [JSON.stringify(options)],
      smol: true,
    });
    const { promise: isReady, resolve } = Promise.withResolvers<boolean>();
    worker.addEventListener("message", () => resolve(true), { once: true });
    worker.addEventListener("close", () => resolve(false));
    if (!(await isReady)) return undefined;
    worker.unref();
    return new SqliteThread(worker, now);
  }

  /** Whether it takes writes. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Settles once the write has been committed; that of a sweep, once the log is short again. */
  write<Name extends keyof Writes>(
    ids: readonly string[],
    write: Write<Name>,
  ): Promise<ReturnType<Writes[Name]>> {
    const done = Promise.withResolvers<unknown>();
    for (const id of ids) this.#writing.set(id, done.promise);
    const waiting = { ids, write: write as readonly unknown[] as Write, done };
    // A sweep takes its time, and what goes with it would wait for the same answer.
    if (write[0] === "sweep") this.#send([waiting]);
    else this.#gather(waiting);
    return done.promise as Promise<ReturnType<Writes[Name]>>;
  }

  /** Settles once the write to this id, if there is one under way, has been done or has failed. */
  settled(id: string): Promise<unknown> | undefined {
    return this.#writing.get(id)?.catch(() => undefined);
  }

  /** Settles once the writes that are under way have been done or have failed. */
  async idle(): Promise<void> {
    const underWay = [...this.#sent.values(), this.#gathered].flat();
    await Promise.allSettled(underWay.map(({ done }) => done.promise));
  }

  /** Takes no more writes, finishes those under way, and ends the thread. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.idle();
    this.#worker.postMessage("close");
    await this.#ended.promise;
  }

  /** The writes of one turn of the event loop go together. */
  #gather(waiting: Waiting): void {
    this.#gathered.push(waiting);
    if (this.#gathered.length > 1) return;
    setImmediate(() => {
      if (this.#gathered.length > 0) this.#send(this.#gathered.splice(0));
    });
  }

  #send(batch: readonly Waiting[]): void {
    const number = this.#count++;
    this.#sent.set(number, batch);
    this.#worker.ref();
    const writes = batch.map(({ write }) => write);
    this.#worker.postMessage({ number, now: this.#now(), writes } satisfies Job);
  }

  #take({ number, outcomes }: Answer): void {
    const batch = this.#sent.get(number) ?? [];
    this.#sent.delete(number);
    if (this.#sent.size === 0) this.#worker.unref();
    batch.forEach((waiting, index) => {
      const outcome = outcomes[index];
      this.#forget(waiting);
      if (outcome !== undefined && "value" in outcome) waiting.done.resolve(outcome.value);
      else waiting.done.reject(new Error(outcome?.failure));
    });
  }

  #forget({ ids, done }: Waiting): void {
    for (const id of ids) {
      if (this.#writing.get(id) === done.promise) this.#writing.delete(id);
    }
  }

  /** Whether what the thread had been sent was done, nobody knows. */
  #end(): void {
    this.#isOpen = false;
    const lost = [...this.#sent.values(), this.#gathered.splice(0)].flat();
    this.#sent.clear();
    for (const waiting of lost) {
      this.#forget(waiting);
      waiting.done.reject(new Error("The thread that writes to the session database has ended."));
    }
    this.#ended.resolve();
  }
}
