import { InMemorySessionBackend } from "../../../src/backends/memory/backend.ts";
import type { MaybePromise } from "../../../src/store/maybe-promise.ts";
import { andThen } from "../../../src/store/maybe-promise.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
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

  override readonly read = this.#tap("read");
  override readonly create = this.#tap("create");
  override readonly replace = this.#tap("replace");
  override readonly rotate = this.#tap("rotate");
  override readonly touch = this.#tap("touch");
  override readonly delete = this.#tap("delete");
  override readonly list = this.#tap("list");
  override readonly deleteAll = this.#tap("deleteAll");
  override readonly sweep = this.#tap("sweep");
  override readonly close = this.#tap("close");

  #tap<Name extends Operation>(operation: Name): SessionStore[Name] {
    const tapped = (...args: unknown[]): unknown => {
      this.calls.push(operation);
      const answer = (): unknown => Reflect.apply(this.inner[operation], this.inner, args);
      return andThen(this.#taps.get(operation)?.(), answer);
    };
    return tapped as SessionStore[Name];
  }
}

/** A call that is being held up. */
export interface Hold {
  /** Settles when the call has been made. */
  readonly reached: Promise<void>;
  /** Lets the call go on. */
  readonly release: () => void;
}
