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

type Args<Name extends Operation> = Parameters<SessionStore[Name]>;
type Answer<Name extends Operation> = ReturnType<SessionStore[Name]>;

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

  read(...args: Args<"read">): Answer<"read"> {
    return this.#tap("read", args);
  }

  create(...args: Args<"create">): Answer<"create"> {
    return this.#tap("create", args);
  }

  replace(...args: Args<"replace">): Answer<"replace"> {
    return this.#tap("replace", args);
  }

  rotate(...args: Args<"rotate">): Answer<"rotate"> {
    return this.#tap("rotate", args);
  }

  touch(...args: Args<"touch">): Answer<"touch"> {
    return this.#tap("touch", args);
  }

  delete(...args: Args<"delete">): Answer<"delete"> {
    return this.#tap("delete", args);
  }

  list(...args: Args<"list">): Answer<"list"> {
    return this.#tap("list", args);
  }

  deleteAll(...args: Args<"deleteAll">): Answer<"deleteAll"> {
    return this.#tap("deleteAll", args);
  }

  sweep(...args: Args<"sweep">): Answer<"sweep"> {
    return this.#tap("sweep", args);
  }

  close(...args: Args<"close">): Answer<"close"> {
    return this.#tap("close", args);
  }

  #tap<Name extends Operation>(operation: Name, args: Args<Name>): Answer<Name> {
    this.calls.push(operation);
    const ask = this.inner[operation] as (...args: Args<Name>) => Answer<Name>;
    const answer = (): unknown => ask.apply(this.inner, args);
    return andThen(this.#taps.get(operation)?.(), answer) as Answer<Name>;
  }
}

/** A call that is being held up. */
export interface Hold {
  /** Settles when the call has been made. */
  readonly reached: Promise<void>;
  /** Lets the call go on. */
  readonly release: () => void;
}
