import { SessionStoreError } from "./errors.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";
import type { SessionStore } from "./session-store.ts";

type Operation = Exclude<
  keyof SessionStore,
  "load" | "save" | "isSynchronous" | "watchEnds" | "foreignWrites"
>;
type Answer<Name extends Operation> = Awaited<ReturnType<SessionStore[Name]>>;

/** How often a store was asked, and how long its answers took. Times are in milliseconds. */
export interface StoreUse {
  readonly count: number;
  /** How long all answers together were waited for; those that came at once count as 0. */
  readonly totalTime: number;
  /** How long the slowest answer was waited for. */
  readonly maxTime: number;
}

/**
 * A store that cannot hang and fails in one way only: whatever goes wrong, a late answer too, is
 * reported and becomes a {@link SessionStoreError}.
 */
export class GuardedStore {
  readonly #store: SessionStore;
  readonly #report: (operation: string, error: unknown) => void;
  readonly #timeout: number;
  readonly #loads = { count: 0, totalTime: 0, maxTime: 0 };
  readonly #stores = { count: 0, totalTime: 0, maxTime: 0 };

  /** `report` is told of failures; `timeout` is how long to wait for an answer, in milliseconds. */
  constructor(
    store: SessionStore,
    report: (operation: string, error: unknown) => void,
    timeout: number,
  ) {
    this.#store = store;
    this.#report = report;
    this.#timeout = timeout;
  }

  /** How often it was asked to read, and how often to write. */
  get use(): { readonly loads: StoreUse; readonly stores: StoreUse } {
    return { loads: { ...this.#loads }, stores: { ...this.#stores } };
  }

  /** Calls one of the store's methods. */
  ask<Name extends Operation>(
    operation: Name,
    ...args: Parameters<SessionStore[Name]>
  ): MaybePromise<Answer<Name>> {
    this.#useOf(operation).count++;
    try {
      const method = this.#store[operation] as (...args: unknown[]) => MaybePromise<Answer<Name>>;
      const answer = method.apply(this.#store, args);
      return isPromise(answer) ? this.#await(operation, answer) : answer;
    } catch (cause) {
      throw this.fail(operation, cause);
    }
  }

  /** Calls a method that may fail: that is reported, and the answer is `undefined`. */
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

  #useOf(operation: Operation): { count: number; totalTime: number; maxTime: number } {
    const isLook = operation === "read" || operation === "readTimes" || operation === "list";
    return isLook ? this.#loads : this.#stores;
  }

  #await<T>(operation: Operation, answer: Promise<T>): Promise<T> {
    const use = this.#useOf(operation);
    const asked = performance.now();
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (): void => {
        isOver = true;
        clearTimeout(timer);
        const time = performance.now() - asked;
        use.totalTime += time;
        use.maxTime = Math.max(use.maxTime, time);
      };
      const fail = (cause: unknown): void => {
        // The failure of an answer that came too late was reported when it did not come.
        if (isOver) return;
        end();
        reject(this.fail(operation, cause));
      };
      const timer = setTimeout(
        () => fail(new Error(`No answer after ${this.#timeout} ms.`)),
        this.#timeout,
      );
      answer.then((value) => {
        if (!isOver) end();
        resolve(value);
      }, fail);
    });
  }
}
