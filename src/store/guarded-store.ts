import type { SessionStore } from "./backend.ts";
import { SessionStoreError } from "./errors.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";

type Operation = Exclude<keyof SessionStore, "load" | "save">;
type Answer<Name extends Operation> = Awaited<ReturnType<SessionStore[Name]>>;

/**
 * A store that cannot hang and fails in one way only: whatever goes wrong, a late answer too, is
 * reported and becomes a {@link SessionStoreError}.
 */
export class GuardedStore {
  readonly #store: SessionStore;
  readonly #report: (operation: string, error: unknown) => void;
  readonly #timeout: number;

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

  /** Calls one of the store's methods. */
  ask<Name extends Operation>(
    operation: Name,
    ...args: Parameters<SessionStore[Name]>
  ): MaybePromise<Answer<Name>> {
    try {
      const method = this.#store[operation] as (...args: unknown[]) => MaybePromise<Answer<Name>>;
      const answer = method.apply(this.#store, args);
      return isPromise(answer) ? this.#await(operation, answer) : answer;
    } catch (cause) {
      throw this.fail(operation, cause);
    }
  }

  /** Calls a method that may fail: that is reported, and the answer is `undefined`. */
  async tell<Name extends Operation>(
    operation: Name,
    ...args: Parameters<SessionStore[Name]>
  ): Promise<Answer<Name> | undefined> {
    try {
      return await this.ask(operation, ...args);
    } catch {
      // ask() has reported it.
      return undefined;
    }
  }

  /** Reports a failure, and gives the error to throw. */
  fail(operation: Operation, cause: unknown): SessionStoreError {
    this.#report(operation, cause);
    return new SessionStoreError(`The session store failed to ${operation}.`, { cause });
  }

  #await<T>(operation: Operation, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const fail = (cause: unknown): void => {
        // The failure of an answer that came too late was reported when it did not come.
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        reject(this.fail(operation, cause));
      };
      const timer = setTimeout(
        () => fail(new Error(`No answer after ${this.#timeout} ms.`)),
        this.#timeout,
      );
      answer.then((value) => {
        clearTimeout(timer);
        resolve(value);
      }, fail);
    });
  }
}
