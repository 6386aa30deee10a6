/** A value or a promise of it: what a store may return. */
export type MaybePromise<T> = T | Promise<T>;

/** Whether a store answered asynchronously. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/**
 * Calls `next` with the value: synchronously if it is there, otherwise when it resolves. A
 * synchronous store thus costs a request no promise and no turn of the event loop.
 */
export function andThen<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

/**
 * Returns the result of `call`. If `call` throws or rejects, runs `undo` before passing the error
 * on.
 */
export function orUndo<T>(call: () => MaybePromise<T>, undo: () => void): MaybePromise<T> {
  const fail = (error: unknown): never => {
    undo();
    throw error;
  };
  try {
    const value = call();
    return isPromise(value) ? value.then(undefined, fail) : value;
  } catch (error) {
    return fail(error);
  }
}
