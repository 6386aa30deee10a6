import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";

/** Runs tasks of one key one after the other; tasks of different keys do not wait for each other. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #patience: number | undefined;

  /**
   * `patience` is how long, in milliseconds, one task may keep the next of its key waiting: for
   * tasks that may never end. By default the next waits for as long as it takes.
   */
  constructor(patience?: number) {
    this.#patience = patience;
  }

  /** Runs `task` when its key is free: at once, and without a promise, when nothing is under way. */
  run<T>(key: string, task: () => MaybePromise<T>): MaybePromise<T> {
    const tail = this.#tails.get(key);
    if (tail === undefined) {
      const result = task();
      if (isPromise(result)) this.#keep(key, this.#end(result));
      return result;
    }
    const running = tail.then(task);
    this.#keep(
      key,
      tail.then(() => this.#end(running)),
    );
    return running;
  }

  /** Settles when a task that has begun is over, well or not, or has taken too long. */
  #end(running: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#patience === undefined ? undefined : setTimeout(resolve, this.#patience);
    const settle = (): void => {
      clearTimeout(timer);
      resolve();
    };
    running.then(settle, settle);
    return promise;
  }

  #keep(key: string, tail: Promise<void>): void {
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
  }
}
