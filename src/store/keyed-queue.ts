import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";

/** Runs tasks of one key one after the other; tasks of different keys do not wait for each other. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #patience: number | undefined;

  /**
   * `patience` is how long, in milliseconds, a task may keep the next of its key waiting, counted
   * from when it was asked for: for tasks that may never end. By default the next waits for as long
   * as it takes.
   */
  constructor(patience?: number) {
    this.#patience = patience;
  }

  /**
   * Runs `task` when its key is free: at once, and without a promise, when nothing is under way. Rejects,
   * and does not run it, when the key gets free only after the time for it is over.
   */
  run<T>(key: string, task: (turn: Turn) => MaybePromise<T>): MaybePromise<T> {
    const turn = new Turn(this.#patience);
    const tail = this.#tails.get(key);
    if (tail === undefined) {
      const result = task(turn);
      if (isPromise(result)) this.#keep(key, turn.until(result));
      return result;
    }
    const running = tail.then(() => {
      turn.check();
      return task(turn);
    });
    const end = turn.until(running);
    this.#keep(
      key,
      tail.then(() => end),
    );
    return running;
  }

  #keep(key: string, tail: Promise<void>): void {
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
  }
}

/** A task's time with its key. */
export class Turn {
  readonly #patience: number | undefined;
  #isLate = false;
  #release: (() => void) | undefined;
  #lateness: ReturnType<typeof setTimeout> | undefined;
  #holding: ReturnType<typeof setTimeout> | undefined;

  constructor(patience: number | undefined) {
    this.#patience = patience;
  }

  /** Settles when the task is over, well or not, or has taken too long. */
  until(running: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const settle = (): void => {
      clearTimeout(this.#lateness);
      clearTimeout(this.#holding);
      resolve();
    };
    this.#release = resolve;
    this.#lateness = this.#later(() => {
      this.#isLate = true;
      if (this.#holding === undefined) resolve();
    });
    running.then(settle, settle);
    return promise;
  }

  /** @throws Error if the task has taken too long: by now its key may be another's. */
  check(): void {
    if (this.#isLate) throw new Error("It took so long that nobody waits for it any more.");
  }

  /**
   * Keeps the key, from now on, for as long as the task may take, even if that makes it late: for
   * what has to be over before the next task begins.
   *
   * @throws Error as {@link check} does.
   */
  hold(): void {
    this.check();
    if (this.#lateness === undefined) return;
    clearTimeout(this.#holding);
    this.#holding = this.#later(() => this.#release?.());
  }

  #later(callback: () => void): ReturnType<typeof setTimeout> | undefined {
    return this.#patience === undefined ? undefined : setTimeout(callback, this.#patience);
  }
}
