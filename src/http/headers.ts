import { escapeControls } from "../session/log.ts";

/**
 * Adds `Vary: Cookie` and, unless the app has set a `Cache-Control`, `private` (RFC 9111, 5.2.2.7):
 * some shared caches ignore `Vary`.
 */
export function addPrivacy(headers: Headers): Headers {
  addVary(headers, "Cookie");
  if (!headers.has("cache-control")) headers.set("cache-control", "private");
  return headers;
}

/** The response, or its copy, with the headers of {@link addPrivacy}. */
export function withPrivacy(response: Response): Response {
  const answer = unshareConstant(response);
  addPrivacy(answer.headers);
  return answer;
}

/** Adds a field to `Vary`, unless `Vary` has it already. */
export function addVary(headers: Headers, field: string): void {
  const vary = headers.get("vary");
  if (vary === null) headers.set("vary", field);
  else if (!namesField(vary, field)) headers.set("vary", `${vary}, ${field}`);
}

function namesField(vary: string, field: string): boolean {
  const fields = new Set(vary.split(",").map((each) => each.trim().toLowerCase()));
  return fields.has("*") || fields.has(field.toLowerCase());
}

/**
 * The response with the session's cookie and `Cache-Control: no-store`. The app's own `Set-Cookie`
 * lines stay separate lines (RFC 9110, 5.3); one for the session's cookie is replaced.
 */
export function withCookie(response: Response, setCookie: string, cookieName: string): Response {
  const answer = unshare(response);
  forbidStoring(answer.headers);
  replaceCookie(answer.headers, setCookie, cookieName);
  return answer;
}

type OwnBody = ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>;

/** The bodies of the responses of {@link respondOnce}; `null` once passed on to a copy. */
const bodies = new WeakMap<Response, OwnBody | null>();
const copies = new WeakSet<Response>();

/**
 * A response for one visitor: {@link unshare} passes its body on to the copy, because a clone would
 * delay streams.
 */
export function respondOnce(body: OwnBody, init: ResponseInit): Response {
  const response = new Response(body, init);
  bodies.set(response, body);
  return response;
}

/** Whether {@link respondOnce} has made the response. */
export function isForOne(response: Response): boolean {
  return bodies.has(response);
}

/**
 * A response whose headers may be changed for one visitor: a copy, because one visitor's cookie
 * must not stay on a response that the app keeps. Apps may keep one without a body, a redirect for
 * instance, in a constant and send it to many visitors. One with a body can be sent only once.
 *
 * @throws TypeError if the response's body is being sent to another visitor.
 */
export function unshare(response: Response): Response {
  if (copies.has(response)) return response;
  const body = bodies.get(response);
  const copy = body === undefined ? duplicate(response) : passOn(response, body);
  copies.add(copy);
  return copy;
}

function duplicate(response: Response): Response {
  const copy = response.clone() as Response;
  // Reading `body` turns it into a stream, and a text sent as a stream loses its content type: only
  // the original's body is read. Cancelling rejects if the app's stream cannot be cancelled, once
  // the visitor has gone.
  response.body?.cancel().catch(ignore);
  return copy;
}

function passOn(response: Response, body: OwnBody | null): Response {
  if (body === null) throw sentBefore();
  bodies.set(response, null);
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

function ignore(): void {}

/**
 * Refuses a response that cannot be sent, before the session is stored: Bun would notice only
 * afterwards, or send the response without its body.
 *
 * @throws TypeError if the response's body was sent or read before, and for `Response.error()`.
 */
export function refuseUnsendable(response: Response): void {
  if (response.bodyUsed) throw sentBefore();
  if (response.status !== 0) return;
  throw new TypeError(
    "Response.error() has no status and cannot be sent. Make a response such as new Response(null, { status: 502 }).",
  );
}

function sentBefore(): TypeError {
  return new TypeError(
    "The response's body has been sent or read before, which is possible only once. Make a new Response for each request.",
  );
}

/**
 * {@link unshare} for a response that may be a constant: Bun sends the headers of a response only
 * once. Those with status 200 or 206 are left alone: most have a body, which can be sent only once
 * too, and copying all of them would take too long.
 */
export function unshareConstant(response: Response): Response {
  const { status } = response;
  const isLeftAlone = status === 200 || status === 206 || isForOne(response);
  return isLeftAlone ? response : unshare(response);
}

/** RFC 9111, 7.3: a shared cache that stores a Set-Cookie line hands the session to strangers. */
function forbidStoring(headers: Headers): void {
  const asked = headers.get("cache-control");
  if (asked !== null && /\bpublic\b/i.test(asked)) {
    console.warn(
      'A response that sets the session\'s cookie had "Cache-Control: %s". It was sent with "no-store", ' +
        "because a cache that stores it would share the session. Do not use the session on cacheable pages.",
      escapeControls(asked),
    );
  }
  headers.set("cache-control", "no-store");
}

function replaceCookie(headers: Headers, setCookie: string, cookieName: string): void {
  const others = headers.getSetCookie().filter((line) => !line.startsWith(`${cookieName}=`));
  headers.delete("set-cookie");
  for (const line of others) headers.append("set-cookie", line);
  headers.append("set-cookie", setCookie);
}
