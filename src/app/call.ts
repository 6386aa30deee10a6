import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen, isPromise } from "../store/maybe-promise.ts";
import { checkFile, findFile, toResponse, unthrow } from "./answers.ts";
import { showFailure } from "./failures.ts";
import { walk } from "./middleware.ts";
import { callSocket } from "./sockets.ts";
import type { Match } from "./table.ts";
import type { Visit } from "./visit.ts";

/** Calls the page through its middleware and returns the response. */
export function callPage(visit: Visit): MaybePromise<Response> {
  const match = visit.match as Match;
  const { chain } = match.branch;
  return chain.length === 0 ? answer(visit, match) : callInside(visit, match);
}

function callInside(visit: Visit, match: Match): MaybePromise<Response> {
  const { chain } = match.branch;
  return walk({ chain, request: visit.request, inside: () => answerInside(visit, match) }, 0);
}

/** If no page matches, middleware receives the error's response, not the error. */
function answerInside(visit: Visit, match: Match): MaybePromise<Response> {
  if (match.refusal === undefined) return answer(visit, match);
  return andThen(showFailure(visit, match.refusal), (response) => respond(visit, response));
}

function answer(visit: Visit, match: Match): MaybePromise<Response> {
  const { handler, branch, params } = match;
  let value: unknown;
  try {
    if (match.isSocket) value = callSocket(visit, match);
    // Spreading an empty list would take 0.1 µs.
    else
      value =
        params.length === 0 ? handler.call(branch.app) : handler.apply(branch.app, [...params]);
  } catch (error) {
    value = unthrow(error);
  }
  return isPromise(value) ? answerLater(visit, value) : respond(visit, value);
}

async function answerLater(visit: Visit, value: Promise<unknown>): Promise<Response> {
  return respond(visit, await value.catch(unthrow));
}

function respond(visit: Visit, value: unknown): MaybePromise<Response> {
  const file = findFile(value);
  if (file !== undefined) return checkFile(file, value, () => visit.open?.isAccessed === true);
  if (value === undefined && visit.hasRedirect) {
    throw new TypeError(
      "The page called this.redirect() and returned nothing. Write `return this.redirect(…)`.",
    );
  }
  const response = toResponse(value, visit.open?.isAccessed === true);
  if (response !== value) visit.made = response;
  return response;
}
