import { CrossOriginError } from "../http/errors.ts";
import { escapeError } from "../session/log.ts";
import { SessionStoreError } from "../store/errors.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { status } from "./answers.ts";
import { HttpError } from "./errors.ts";
import type { Visit } from "./visit.ts";

/**
 * The response to an error: what the app's `onError` returns. Errors whose details visitors do not
 * see go to `onReport`. Never throws or rejects: if `onError` fails, that is logged, and the
 * response is a plain 500.
 */
export function showFailure(visit: Visit, error: unknown): MaybePromise<Response> {
  const shown = toHttpError(error);
  if (isBug(error)) visit.branch.onReport(error, visit.raw);
  try {
    const value = visit.branch.onError(shown);
    return isPromise(value) ? showLater(shown, value) : toErrorResponse(shown, value);
  } catch (second) {
    return giveUp(second);
  }
}

async function showLater(shown: HttpError, value: Promise<unknown>): Promise<Response> {
  try {
    return toErrorResponse(shown, await value);
  } catch (second) {
    return giveUp(second);
  }
}

/** The response to what `onError` threw: a response is sent, an error is logged. */
export function giveUp(error: unknown): Response {
  if (error instanceof Response) return error;
  console.error("An app's onError failed:", escapeError(error));
  const plain = new HttpError(500, BUG);
  return toErrorResponse(plain, plain.message);
}

/**
 * A `Response` from `onError` is sent unchanged; any other value gets the error's status and
 * headers.
 */
function toErrorResponse(error: HttpError, value: unknown): Response {
  return value instanceof Response ? value : status(error.status, value, error.headers);
}

const BUG = "Something went wrong on this server.";

/** Whether an error has details that visitors do not see, so that it has to be reported. */
function isBug(error: unknown): boolean {
  return !(error instanceof HttpError || error instanceof CrossOriginError);
}

/** The error as visitors may see it, with what was thrown as its `cause`. */
function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof CrossOriginError) {
    return new HttpError(error.status, error.message, { cause: error });
  }
  if (error instanceof SessionStoreError) {
    // Visitors without a cookie are still served.
    const headers = { vary: "Cookie" };
    return new HttpError(error.status, error.visible, { cause: error, headers });
  }
  return new HttpError(500, BUG, { cause: error });
}
