import { escapeControls } from "../session/log.ts";

/**
 * Says that the response depends on the visitor's cookie and, unless the app says otherwise, that only the
 * visitor's own browser may keep it (RFC 9111, 5.2.2.7): some shared caches ignore `Vary`.
 */
export function addPrivacy(headers: Headers): Headers {
  addVary(headers, "Cookie");
  if (!headers.has("cache-control")) headers.set("cache-control", "private");
  return headers;
}

/** Adds a field to `Vary`, unless it is there. */
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
 * The response with the session's cookie, and kept out of caches. Set-Cookie lines of the app's own
 * stay, each on a line of its own (RFC 9110, 5.3), except one for the session's cookie, which ours
 * replaces.
 */
export function withCookie(response: Response, setCookie: string, cookieName: string): Response {
  const answer = unshared(response);
  forbidStoring(answer.headers);
  replaceCookie(answer.headers, setCookie, cookieName);
  return answer;
}

const alone = new WeakSet<Response>();

/** Says that a response was made for one visitor alone. To copy one whose body is a stream would hold that up. */
export function keepUnshared(response: Response): Response {
  alone.add(response);
  return response;
}

/** Whether {@link keepUnshared} has said so. */
export function isUnshared(response: Response): boolean {
  return alone.has(response);
}

/**
 * Apps keep responses without a body, such as a redirect, in a constant and answer many visitors
 * with it: one visitor's cookie must not stay behind on it. One with a body is sent only once.
 */
export function unshared(response: Response): Response {
  if (alone.has(response)) return response;
  // To look at `body` makes a stream of it, and a text sent as a stream loses its content type: so
  // only the copy's is looked at.
  const copy = response.clone() as Response;
  if (copy.body === null) return copy;
  void copy.body.cancel();
  return response;
}

/** RFC 9111, 7.3: a shared cache that kept a Set-Cookie line would hand the session to strangers. */
function forbidStoring(headers: Headers): void {
  const asked = headers.get("cache-control");
  if (asked !== null && /\bpublic\b/i.test(asked)) {
    console.warn(
      'A response that sets the session cookie asked for "Cache-Control: %s". ' +
        'It was sent with "no-store": any cache that kept it would share the session.',
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
