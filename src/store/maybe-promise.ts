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
