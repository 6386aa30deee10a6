import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";

/** Runs tasks of one key one after the other; tasks of different keys do not wait for each other. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `task` when its key is free: at once, and without a promise, when nothing is under way. */
  run<T>(key: string, task: () => MaybePromise<T>): MaybePromise<T> {
    const tail = this.#tails.get(key);
    if (tail !== undefined) return this.#track(key, tail.then(task, task));
    const result = task();
    return isPromise(result) ? this.#track(key, Promise.resolve(result)) : result;
  }

  #track<T>(key: string, running: Promise<T>): Promise<T> {
    this.#tails.set(key, running);
    const release = (): void => {
      if (this.#tails.get(key) === running) this.#tails.delete(key);
    };
    running.then(release, release);
    return running;
  }
}
