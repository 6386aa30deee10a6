import {
  addPrivacy,
  addVary,
  refuseUnsendable,
  unshare,
  unshareConstant,
} from "../http/headers.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { AnySession } from "../session/session.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { checkFile, findFile } from "./answers.ts";
import { callPage } from "./call.ts";
import { giveUp, showFailure } from "./failures.ts";
import { writeLog } from "./log.ts";
import { locate, NO_LINES, toPath } from "./request.ts";
import { finishHandshake, isHandshake } from "./sockets.ts";
import { refuseMissing } from "./table.ts";
import type { Visit } from "./visit.ts";
import { visits } from "./visit.ts";

/** The steps of handling a request, in order. */
const RECEIVE = 0;
const FILE = 1;
const ENTER = 2;
const PAGE = 3;
const SHOW_FAILURE = 4;
const SETTLE = 5;
const DONE = 6;

/** Starts a step and returns its result, as a promise only if the step is asynchronous. */
function ask(visit: Visit, step: number): unknown {
  const { site, raw } = visit;
  switch (step) {
    case RECEIVE: // The app's own onRequest runs first.
      return site.onRequest?.(raw, visit.server?.requestIP(raw)?.address ?? null);
    case FILE: // Public files need no session.
      return visit.match?.files?.respond(raw, visit.match.params);
    case ENTER: // Refuses cross-origin requests (CSRF) and opens the session.
      return site.sessions.enter(raw);
    case PAGE: // Middleware and the page.
      return visits.run(visit, callPageOfVisit);
    case SHOW_FAILURE: // Only after an error: makes its response.
      if (visit.askedDraft !== undefined) dropContentHeaders(visit.askedDraft.headers);
      return visits.run(visit, showFailure, visit, visit.failure?.error);
    default: // Stores the session before the response is sent.
      return checkAndSettle(visit);
  }
}

/** Takes no arguments: passing them on takes longer than looking up the visit. */
function callPageOfVisit(): MaybePromise<Response> {
  return callPage(visits.getStore() as Visit);
}

/** Applies the result of a step to the visit. */
function take(visit: Visit, step: number, answer: unknown): void {
  switch (step) {
    case RECEIVE:
      return receive(visit, answer);
    case FILE:
      visit.response = answer as Response | undefined;
      // If there is no such file, the request continues as one that matches no page.
      if (answer === undefined && visit.match?.files !== undefined)
        visit.match = refuseMissing(visit.match);
      return;
    case ENTER:
      visit.open = answer as OpenSession<AnySession>;
      return;
    case PAGE:
    case SHOW_FAILURE:
      visit.response = answer as Response;
      return;
    default:
      visit.response = addHeaders(visit, visit.response as Response, answer as string | undefined);
  }
}

function receive(visit: Visit, answer: unknown): void {
  if (answer instanceof Response) {
    visit.response = answer;
    return;
  }
  if (answer instanceof Request) visit.raw = answer;
  else if (answer !== undefined && answer !== null) {
    throw new TypeError(
      "onRequest returned neither a Response nor a Request. Return one, or nothing.",
    );
  }
  route(visit);
}

/** The files of pages and middleware have been checked, those of `onRequest` and `onError` not. */
function checkAndSettle(visit: Visit): MaybePromise<string | undefined> {
  const { open, failure, response } = visit;
  const file = open === undefined || failure !== undefined ? findFile(response) : undefined;
  return file === undefined ? settle(visit) : settleWithFile(visit, file);
}

async function settleWithFile(visit: Visit, file: Bun.BunFile): Promise<string | undefined> {
  try {
    await checkFile(file, visit.response, () => false);
  } catch (error) {
    if (visit.failure === undefined) throw error;
    visit.response = giveUp(new Error(`onError returned a file that is missing: ${file.name}`));
  }
  return settle(visit);
}

/**
 * Stores the session; after a failure, only a `destroy()`. If storing fails too, the visitor sees
 * that second failure.
 */
function settle(visit: Visit): MaybePromise<string | undefined> {
  const { site, open, failure, response } = visit;
  if (response !== undefined && !isFresh(visit, response)) refuseUnsendable(response);
  if (open === undefined || response === undefined) return undefined;
  if (failure !== undefined && failure.count > 1) return site.sessions.settleFailure(open);
  return site.sessions.settle(open, failure === undefined ? response.status : 500);
}

/** Whether the response was made for this visit and has not been passed to the app's code. */
function isFresh({ made, match }: Visit, response: Response): boolean {
  return response === made && match?.branch.chain.length === 0;
}

/** Handles a request. Never throws or rejects. */
export function serveVisit(visit: Visit): MaybePromise<Response> {
  const { site } = visit;
  site.underWay += 1;
  if (site.log !== undefined) visit.begunAt = performance.now();
  return site.onRequest === undefined ? runAtOnce(visit) : run(visit, RECEIVE);
}

/**
 * The steps of the most frequent request, written out: synchronous, and for a page. The loop in
 * {@link run}, which takes over in any other case, takes 0.05 µs longer: a tenth of a page without a
 * session.
 */
function runAtOnce(visit: Visit): MaybePromise<Response> {
  try {
    receive(visit, undefined);
    if (visit.response !== undefined || visit.match?.files !== undefined)
      return run(visit, next(visit, RECEIVE));
    const open = visit.site.sessions.enter(visit.raw);
    if (isPromise(open)) return resume(visit, ENTER, open);
    visit.open = open;
    const response = visits.run(visit, callPageOfVisit);
    if (isPromise(response)) return resume(visit, PAGE, response);
    visit.response = response;
    const setCookie = checkAndSettle(visit);
    if (isPromise(setCookie)) return resume(visit, SETTLE, setCookie);
    visit.response = addHeaders(visit, response, setCookie);
  } catch (error) {
    return run(visit, fail(visit, error));
  }
  return leave(visit);
}

function run(visit: Visit, from: number): MaybePromise<Response> {
  let at = from;
  for (;;) {
    if (at === DONE) return leave(visit);
    try {
      const asked = ask(visit, at);
      if (isPromise(asked)) return resume(visit, at, asked);
      take(visit, at, asked);
      at = next(visit, at);
    } catch (error) {
      at = fail(visit, error);
    }
  }
}

function leave(visit: Visit): Response {
  const { site, connection } = visit;
  const response = visit.response as Response;
  const sent = connection === undefined ? response : finishHandshake(visit, connection, response);
  if (site.log !== undefined) writeLog(site.log, visit, sent.status);
  visit.hasLeft = true;
  site.underWay -= 1;
  if (site.underWay === 0) site.onIdle?.();
  return sent;
}

async function resume(visit: Visit, at: number, asked: Promise<unknown>): Promise<Response> {
  let then: number;
  try {
    take(visit, at, await asked);
    then = next(visit, at);
  } catch (error) {
    then = fail(visit, error);
  }
  return run(visit, then);
}

/** Whatever has a response is on its way out. */
function next({ response }: Visit, at: number): number {
  return at < SETTLE && response !== undefined ? SETTLE : at + 1;
}

/**
 * Records an error and returns the next step. Runs four times at most: the error of the app's code
 * or the session backend is shown, a second one too; after a third, such as that of an `onError`
 * whose response was sent before, the response is a plain 500. If even that cannot get its headers,
 * it is sent without them.
 */
function fail(visit: Visit, error: unknown): number {
  // Only onRequest runs before the route is known. Middleware and pages answer for themselves.
  if (visit.match === undefined && error instanceof Response) {
    visit.response = error;
    return SETTLE;
  }
  const count = (visit.failure?.count ?? 0) + 1;
  visit.failure = { error, count };
  visit.response = count < 3 ? undefined : giveUp(error);
  if (count < 3) return SHOW_FAILURE;
  return count === 3 ? SETTLE : DONE;
}

function route(visit: Visit): void {
  const { site, raw } = visit;
  visit.response = site.sessions.answerPreflight(raw);
  const { table } = site;
  const path = toPath(locate(visit));
  // The header is read only where sockets exist: reading it takes longer than finding the page.
  visit.match =
    table.hasSockets && raw.method === "GET" && isHandshake(raw)
      ? table.matchHandshake(path)
      : table.match(raw.method, path);
  const { allow } = visit.match;
  if (allow !== undefined)
    visit.response ??= new Response(null, { status: 204, headers: { allow } });
}

function addHeaders(visit: Visit, made: Response, setCookie: string | undefined): Response {
  const { site, raw, open } = visit;
  const isComplete = made === visit.made;
  let response = addAskedHeaders(visit, isComplete ? made : unshareConstant(made));
  if (!isComplete) response.headers.set("x-content-type-options", "nosniff");
  // Middleware may have accessed the session after the page, or replaced the response's `Vary`.
  const isPrivate = isFresh(visit, made);
  if (open?.isAccessed === true && !isPrivate) addPrivacy(response.headers);
  response = site.sessions.addHeaders(raw, response, setCookie);
  if (site.isEnding && response.status !== 101) {
    site.farewells += 1;
    response.headers.set("connection", "close");
  }
  return response;
}

/** Adds the headers and cookies that the page, its middleware and the log have asked for. */
function addAskedHeaders(visit: Visit, made: Response): Response {
  const { askedDraft, askedId, askedRequest, failure } = visit;
  const lines = (failure === undefined ? askedRequest?._setCookies : undefined) ?? NO_LINES;
  if (askedDraft === undefined && askedId === undefined && lines.length === 0) return made;
  const response = unshare(made);
  if (askedId !== undefined) response.headers.set("x-request-id", askedId);
  if (askedDraft !== undefined) copyHeaders(askedDraft.headers, response.headers);
  visit.sentCookies = lines;
  for (const line of lines) response.headers.append("set-cookie", line);
  return response;
}

/** `Vary` is added to: caches need the fields that App, `compress()` and errors have put there. */
function copyHeaders(from: Headers, to: Headers): void {
  from.forEach((value, name) => {
    if (name === "vary") for (const field of value.split(",")) addVary(to, field.trim());
    else if (name !== "set-cookie") to.set(name, value);
  });
  for (const line of from.getSetCookie()) to.append("set-cookie", line);
}

const CONTENT_HEADERS = [
  "accept-ranges",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "etag",
  "expires",
  "last-modified",
] as const;

/** What a failed page has said about its content is wrong for the error, which replaces it. */
function dropContentHeaders(headers: Headers): void {
  for (const name of CONTENT_HEADERS) headers.delete(name);
  if (headers.has("cache-control")) headers.set("cache-control", "no-store");
}
