import type { AnySession } from "../session/session.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { checkFile, findFile, toResponse, unthrow } from "./answers.ts";
import type { AppRequest } from "./request.ts";

/**
 * A function around a page. `next()` calls what is inside, at last the page, and returns its
 * response, as a promise only if something inside is asynchronous. If the page fails, `next()`
 * throws or rejects with the page's error, because `onError` runs later; App's `log` sees the
 * status of every response, failures included. A request that no page answers passes through
 * middleware as well: `request.page` is then `null`, and `next()` returns the error's response.
 *
 * If the function returns nothing, the response of `next()` is sent; otherwise, its return value is
 * sent like that of a page. A response that it throws, such as `requireLogin()` does, counts as
 * returned.
 */
export type Middleware<Request = AppRequest<AnySession>> = (
  request: Request,
  next: () => MaybePromise<Response>,
) => unknown;

/** One pass through a chain of middleware to the page inside. */
export interface Walk {
  readonly chain: readonly Middleware[];
  readonly request: AppRequest<AnySession>;
  /** Calls the page. */
  readonly inside: () => MaybePromise<Response>;
}

/** Calls the middleware from index `at` on, and finally the page. */
export function walk(through: Walk, at: number): MaybePromise<Response> {
  const middleware = through.chain[at];
  if (middleware === undefined) return through.inside();
  let inner: MaybePromise<Response> | undefined;
  const next = (): MaybePromise<Response> => {
    if (inner !== undefined)
      throw new Error("A middleware called next() twice. Call it once and keep its response.");
    inner = walk(through, at + 1);
    // A middleware may ignore the promise, whose rejection must not end the process.
    if (isPromise(inner)) inner.catch(() => {});
    return inner;
  };
  let value: unknown;
  try {
    value = middleware(through.request, next);
  } catch (error) {
    return choose(unthrow(error), inner);
  }
  return isPromise(value)
    ? value.then(
        (late) => choose(late, inner),
        (error) => choose(unthrow(error), inner),
      )
    : choose(value, inner);
}

function choose(value: unknown, inner: MaybePromise<Response> | undefined): MaybePromise<Response> {
  const file = value === inner ? undefined : findFile(value);
  if (file !== undefined) return checkFile(file, value, () => false);
  if (typeof value === "function") {
    throw new TypeError(
      "A middleware returned a function. If it makes the middleware, call it: this.use(compress()).",
    );
  }
  if (value !== undefined) return toResponse(value, false);
  if (inner !== undefined) return inner;
  throw new TypeError("A middleware returned nothing. Return a response, or call next().");
}
