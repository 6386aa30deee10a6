import { SessionStoreError } from "./errors.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";
import { PendingCalls } from "./pending-calls.ts";
import type { SessionStore } from "./session-store.ts";

type Operation = Exclude<
  keyof SessionStore,
  "load" | "save" | "isSynchronous" | "watchEnds" | "foreignWrites"
>;
type Answer<Name extends Operation> = Awaited<ReturnType<SessionStore[Name]>>;

/** How often a store was called, and how long its answers took. Times are in milliseconds. */
export interface StoreUse {
  readonly count: number;
  /** The total time spent waiting for answers; synchronous answers count as 0. */
  readonly totalTime: number;
  /** The longest wait for one answer. */
  readonly maxTime: number;
}

/**
 * A store that cannot hang and has one kind of failure: every error or timeout is reported and
 * becomes a {@link SessionStoreError}.
 */
export class GuardedStore {
  readonly #store: SessionStore;
  readonly #report: (operation: string, error: unknown) => void;
  readonly #pending: PendingCalls<Operation>;
  readonly #loads = { count: 0, totalTime: 0, maxTime: 0 };
  readonly #stores = { count: 0, totalTime: 0, maxTime: 0 };

  /**
   * `report` is called with each failure; `timeout` is how long to wait for an answer, in
   * milliseconds.
   */
  constructor(
    store: SessionStore,
    report: (operation: string, error: unknown) => void,
    timeout: number,
  ) {
    this.#store = store;
    this.#report = report;
    this.#pending = new PendingCalls(timeout, (operation, cause) => this.fail(operation, cause));
  }

  /** Counts and times of reads (`loads`) and writes (`stores`). */
  get use(): { readonly loads: StoreUse; readonly stores: StoreUse } {
    return { loads: { ...this.#loads }, stores: { ...this.#stores } };
  }

  /** Calls one of the store's methods. */
  ask<Name extends Operation>(
    operation: Name,
    ...args: Parameters<SessionStore[Name]>
  ): MaybePromise<Answer<Name>> {
    const use = this.#findUse(operation);
    use.count++;
    try {
      const method = this.#store[operation] as (...args: unknown[]) => MaybePromise<Answer<Name>>;
      const answer = method.apply(this.#store, args);
      return isPromise(answer) ? this.#pending.wait(operation, use, answer) : answer;
    } catch (cause) {
      throw this.fail(operation, cause);
    }
  }

  /** Calls a method whose failure is reported but not thrown: it returns `undefined` then. */
  tell<Name extends Operation>(
    operation: Name,
    ...args: Parameters<SessionStore[Name]>
  ): MaybePromise<Answer<Name> | undefined> {
    try {
      const answer = this.ask(operation, ...args);
      return isPromise(answer) ? answer.catch(() => undefined) : answer;
    } catch {
      // ask() has reported it.
      return undefined;
    }
  }

  /** Reports a failure, and returns the error to throw. */
  fail(operation: Operation, cause: unknown): SessionStoreError {
    this.#report(operation, cause);
    return new SessionStoreError(`The session store failed to ${operation}.`, { cause });
  }

  #findUse(operation: Operation): { count: number; totalTime: number; maxTime: number } {
    const isLook = operation === "read" || operation === "readTimes" || operation === "list";
    return isLook ? this.#loads : this.#stores;
  }
}
