/** A value, or a promise of it: what a store may answer with. */
export type MaybePromise<T> = T | Promise<T>;

/** Whether a store answered later rather than at once. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/**
 * Goes on with `next`: at once when the value is there, later when it is promised. A store that
 * answers synchronously thus never costs a request a promise or a turn of the event loop.
 */
export function andThen<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Gives what `call` does. If that fails, now or later, `undo` comes first. */
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
