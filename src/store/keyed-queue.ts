import type { MaybePromise } from "./maybe-promise.ts";
import { isPromise } from "./maybe-promise.ts";

/**
 * Runs tasks with the same key one after the other; tasks with different keys run independently.
 */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Runs `task` when its key is free: synchronously when no task holds the key.
   *
   * `timeout` is how long, in milliseconds from this call, the task may block the next task of its
   * key; without one, there is no limit. It is for tasks that may never settle. If the key becomes
   * free only after the timeout, the result is rejected and the task does not run.
   */
  run<T>(key: string, task: (turn: Turn) => MaybePromise<T>, timeout?: number): MaybePromise<T> {
    const turn = new Turn(timeout);
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

/** A task's turn with its key. */
export class Turn {
  readonly #timeout: number | undefined;
  #isLate = false;
  #release: (() => void) | undefined;
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #holdTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeout: number | undefined) {
    this.#timeout = timeout;
  }

  /** Resolves when the task has settled or has timed out. */
  until(running: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const settle = (): void => {
      clearTimeout(this.#lateTimer);
      clearTimeout(this.#holdTimer);
      resolve();
    };
    this.#release = resolve;
    this.#lateTimer = this.#later(() => {
      this.#isLate = true;
      if (this.#holdTimer === undefined) resolve();
    });
    running.then(settle, settle);
    return promise;
  }

  /** @throws Error if the task has timed out: another task may hold its key by now. */
  check(): void {
    if (this.#isLate) throw new Error("The turn has timed out and lost its key.");
  }

  /**
   * Restarts the timeout and keeps the key for that long, even past the original deadline: for work
   * that must finish before the next task begins.
   *
   * @throws Error as {@link check} does.
   */
  hold(): void {
    this.check();
    if (this.#lateTimer === undefined) return;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = this.#later(() => this.#release?.());
  }

  #later(callback: () => void): ReturnType<typeof setTimeout> | undefined {
    return this.#timeout === undefined ? undefined : setTimeout(callback, this.#timeout);
  }
}
