import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import type { MaybePromise, SessionInfo, SessionRecord } from "../../src/store/backend.ts";
import { SessionStore } from "../../src/store/backend.ts";
import { andThen } from "../../src/store/maybe-promise.ts";

export type Operation = Exclude<keyof SessionStore, "load" | "save">;

/** A store in memory that notes every call, and lets a test hold one up or make it fail. */
export class TappedStore extends SessionStore {
  readonly calls: Operation[] = [];
  readonly inner: InMemorySessionBackend;
  readonly #taps = new Map<Operation, () => MaybePromise<unknown>>();

  constructor(now?: () => number) {
    super(now);
    this.inner = new InMemorySessionBackend(now === undefined ? {} : { now });
  }

  /** The next call of `operation` waits for what `tap` gives, or fails with what it throws. */
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

  read(id: string): MaybePromise<SessionRecord | undefined> {
    return this.#tap("read", () => this.inner.read(id));
  }

  create(id: string, record: SessionRecord): MaybePromise<boolean> {
    return this.#tap("create", () => this.inner.create(id, record));
  }

  replace(id: string, record: SessionRecord, version: number): MaybePromise<boolean> {
    return this.#tap("replace", () => this.inner.replace(id, record, version));
  }

  rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    version: number,
  ): MaybePromise<boolean> {
    return this.#tap("rotate", () => this.inner.rotate(oldId, newId, record, version));
  }

  touch(id: string, expiresAt: number): MaybePromise<boolean> {
    return this.#tap("touch", () => this.inner.touch(id, expiresAt));
  }

  delete(id: string): MaybePromise<void> {
    return this.#tap("delete", () => this.inner.delete(id));
  }

  list(userId: string): MaybePromise<readonly SessionInfo[]> {
    return this.#tap("list", () => this.inner.list(userId));
  }

  deleteAll(userId: string, exceptId?: string): MaybePromise<number> {
    return this.#tap("deleteAll", () => this.inner.deleteAll(userId, exceptId));
  }

  sweep(limit: number): MaybePromise<number> {
    return this.#tap("sweep", () => this.inner.sweep(limit));
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
