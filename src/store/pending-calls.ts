import type { Listed } from "./recency-list.ts";
import { RecencyList } from "./recency-list.ts";

/** How long answers took, in milliseconds. */
interface Times {
  totalTime: number;
  maxTime: number;
}

/** A call that has not been answered. */
class Call<Operation> implements Listed<Call<Operation>> {
  readonly operation: Operation;
  readonly times: Times;
  readonly reject: (error: Error) => void;
  /** By `performance.now()`. */
  readonly askedAt = performance.now();
  isOver = false;
  older: Call<Operation> | undefined = undefined;
  newer: Call<Operation> | undefined = undefined;

  constructor(operation: Operation, times: Times, reject: (error: Error) => void) {
    this.operation = operation;
    this.times = times;
    this.reject = reject;
  }
}

/**
 * The calls of a store that have not been answered. One timer serves all of them: a timer for each
 * would take 4 % of the time of a write on SQLite.
 */
export class PendingCalls<Operation> {
  readonly #timeout: number;
  readonly #fail: (operation: Operation, cause: unknown) => Error;
  readonly #calls = new RecencyList<Call<Operation>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * A call fails after `timeout` milliseconds without an answer. `fail` is called once for each call
   * that fails and returns the error for the caller.
   */
  constructor(timeout: number, fail: (operation: Operation, cause: unknown) => Error) {
    this.#timeout = timeout;
    this.#fail = fail;
  }

  /** Returns the answer, or rejects, and adds the time that this took to `times`. */
  wait<T>(operation: Operation, times: Times, answer: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const call = new Call(operation, times, reject);
    this.#calls.add(call);
    if (this.#timer === undefined) this.#startTimer(this.#timeout);
    answer.then(
      (value) => {
        this.#end(call);
        resolve(value);
      },
      (cause: unknown) => {
        // A late failure was already reported as a timeout.
        if (this.#end(call)) reject(this.#fail(operation, cause));
      },
    );
    return promise;
  }

  /** Returns whether the call had not ended before. */
  #end(call: Call<Operation>): boolean {
    if (call.isOver) return false;
    call.isOver = true;
    this.#calls.remove(call);
    if (this.#calls.oldest === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    const { times } = call;
    const time = performance.now() - call.askedAt;
    times.totalTime += time;
    times.maxTime = Math.max(times.maxTime, time);
    return true;
  }

  #startTimer(delay: number): void {
    this.#timer = setTimeout(() => this.#failLate(), delay);
  }

  /** Fails the calls whose time is over, and waits for that of the next one. */
  #failLate(): void {
    const due = performance.now() - this.#timeout;
    const late: Call<Operation>[] = [];
    let { oldest } = this.#calls;
    // Timers have a resolution of a millisecond.
    while (oldest !== undefined && oldest.askedAt - due < 1) {
      this.#end(oldest);
      late.push(oldest);
      ({ oldest } = this.#calls);
    }
    if (oldest !== undefined) this.#startTimer(oldest.askedAt - due);
    // Last, because the app's listeners may call the store.
    for (const { operation, reject } of late) {
      reject(this.#fail(operation, new Error(`No answer after ${this.#timeout} ms.`)));
    }
  }
}
