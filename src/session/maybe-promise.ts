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
