import { InMemorySessionBackend } from "../../../src/backends/memory/backend.ts";
import type { MaybePromise } from "../../../src/store/maybe-promise.ts";
import { andThen } from "../../../src/store/maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import { SessionStore } from "../../../src/store/session-store.ts";

export type Operation = Exclude<
  keyof SessionStore,
  "load" | "save" | "isSynchronous" | "readTimes" | "watchEnds" | "foreignWrites"
>;

/** A store in memory that notes every call, and lets a test hold one up or make it fail. */
export class TappedStore extends SessionStore {
  readonly calls: Operation[] = [];
  readonly inner: InMemorySessionBackend;
  override readonly isSynchronous: boolean;
  readonly #taps = new Map<Operation, () => MaybePromise<unknown>>();

  /** With `isSynchronous` it says that it answers at once, which holds while nothing is held up. */
  constructor(now?: () => number, isSynchronous = false) {
    super(now);
    this.isSynchronous = isSynchronous;
    this.inner = new InMemorySessionBackend(now === undefined ? {} : { now });
  }

  /** The live record under an id: neither a note nor one that has expired. */
  live(id: string): SessionRecord | undefined {
    const found = this.inner.read(id);
    const isLive = found !== undefined && !isNote(found) && found.expiresAt > this.now();
    return isLive ? found : undefined;
  }

  /** The next call of `operation` waits for what `tap` returns, or fails with what it throws. */
  once(operation: Operation, tap: () => MaybePromise<unknown>): void {
    this.#taps.set(operation, () => {
      this.#taps.delete(operation);
      return tap();
    });
  }

  /** Every call of `operation` fails, until `mend()`. */
  break(operation: Operation): void {
    this.#taps.set(operation, () => {
      throw new Error("The disk is gone.");
    });
  }

  mend(): void {
    this.#taps.clear();
  }

  /** Holds up the next call of `operation`. */
  hold(operation: Operation): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.once(operation, () => {
      reached.resolve();
      return released.promise;
    });
    return { reached: reached.promise, release: released.resolve };
  }

  read(id: string): MaybePromise<SessionRecord | ForwardingNote | undefined> {
    return this.#tap("read", () => this.inner.read(id));
  }

  create(id: string, record: SessionRecord): MaybePromise<boolean> {
    return this.#tap("create", () => this.inner.create(id, record));
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): MaybePromise<boolean> {
    return this.#tap("replace", () => this.inner.replace(id, record, old));
  }

  rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): MaybePromise<boolean> {
    return this.#tap("rotate", () => this.inner.rotate(oldId, newId, record, old));
  }

  touch(id: string, expiresAt: number): MaybePromise<boolean> {
    return this.#tap("touch", () => this.inner.touch(id, expiresAt));
  }

  delete(id: string): MaybePromise<string | undefined> {
    return this.#tap("delete", () => this.inner.delete(id));
  }

  list(userId: string, limit: number): MaybePromise<readonly SessionInfo[]> {
    return this.#tap("list", () => this.inner.list(userId, limit));
  }

  deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): MaybePromise<readonly string[]> {
    return this.#tap("deleteAll", () => this.inner.deleteAll(userId, exceptId, limit));
  }

  sweep(limit: number, before?: number): MaybePromise<number> {
    return this.#tap("sweep", () => this.inner.sweep(limit, before));
  }

  close(): MaybePromise<void> {
    return this.#tap("close", () => this.inner.close());
  }

  #tap<T>(operation: Operation, call: () => T): MaybePromise<T> {
    this.calls.push(operation);
    return andThen(this.#taps.get(operation)?.(), call);
  }
}

/** A call that is being held up. */
export interface Hold {
  /** Settles when the call has been made. */
  readonly reached: Promise<void>;
  /** Lets the call go on. */
  readonly release: () => void;
}
