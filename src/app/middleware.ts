import type { AnySession } from "../session/session.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { toResponse } from "./answers.ts";
import type { AppRequest } from "./request.ts";

/**
 * What goes around a page. `next()` calls what is inside, the page at last, and returns its response: a
 * promise only if something inside returns one. It throws, or rejects, what the page throws, before `onError` has
 * made a response of that: the status of every response, failures included, is known to App's `log`. A request
 * that no page answers passes as well: `request.page` is `null` then, and `next()` returns the response to
 * the error.
 *
 * Whatever it returns is the response, as of a page; nothing, the one that `next()` returned.
 */
export type Middleware<Request = AppRequest<AnySession>> = (
  request: Request,
  next: () => MaybePromise<Response>,
) => unknown;

/** One walk through a chain of middleware to the page inside. */
export interface Walk {
  readonly chain: readonly Middleware[];
  readonly request: AppRequest<AnySession>;
  /** Calls the page. */
  readonly inside: () => MaybePromise<Response>;
}

/** Calls the middleware from a place in the chain on, and at the end the page. */
export function walk(through: Walk, at: number): MaybePromise<Response> {
  const middleware = through.chain[at];
  if (middleware === undefined) return through.inside();
  let inner: MaybePromise<Response> | undefined;
  const next = (): MaybePromise<Response> => {
    if (inner !== undefined)
      throw new Error("A middleware called next() twice. Keep its response.");
    inner = walk(through, at + 1);
    // Whoever does not wait for it need not be told that it failed; the process must not end over it.
    if (isPromise(inner)) inner.catch(() => {});
    return inner;
  };
  const value = middleware(through.request, next);
  return isPromise(value) ? value.then((late) => choose(late, inner)) : choose(value, inner);
}

function choose(value: unknown, inner: MaybePromise<Response> | undefined): MaybePromise<Response> {
  if (value !== undefined) return toResponse(value, false);
  if (inner !== undefined) return inner;
  throw new TypeError("A middleware returned nothing. Return a response, or call next().");
}
