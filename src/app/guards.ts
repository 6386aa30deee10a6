import type { AnySession, Session } from "../session/session.ts";
import { redirect } from "./answers.ts";
import { HttpError } from "./errors.ts";
import type { AppRequest } from "./request.ts";
import { toTarget } from "./request.ts";

/** How a visitor has to be logged in. */
export interface LoginDemand {
  /** The greatest age of the login, in seconds; a visitor with an older one has to log in again. */
  readonly fresh?: number;
}

const RETURN_TO = "returnTo";

/**
 * The id of the user who is logged in. Redirects other visitors to the login page, from where
 * {@link findWayBack} returns them; a request that does not accept HTML gets 401.
 *
 * @throws Response 303 to the login page.
 * @throws HttpError 401.
 */
export function requireLogin(
  request: AppRequest<AnySession>,
  loginPage: string,
  { fresh }: LoginDemand,
): string {
  const { meta } = request.session as Session<AnySession>;
  const { userId } = meta;
  if (userId !== null && (fresh === undefined || meta.authenticatedWithin(fresh))) return userId;
  if (!(request.headers.get("accept") ?? "").includes("text/html")) {
    const message = userId === null ? "Please log in." : "Please log in again to confirm this.";
    throw new HttpError(401, message);
  }
  // Only a GET can be repeated after the login; a form would have to be filled in again.
  if (request.method !== "GET") throw redirect(loginPage, 303);
  throw redirect(addReturnTo(loginPage, toTarget(request.url)), 303);
}

/** The login page may have a query and a fragment of its own. */
function addReturnTo(loginPage: string, target: string): string {
  const at = loginPage.indexOf("#");
  const [page, fragment] =
    at === -1 ? [loginPage, ""] : [loginPage.slice(0, at), loginPage.slice(at)];
  const separator = page.includes("?") ? "&" : "?";
  return `${page}${separator}${RETURN_TO}=${encodeURIComponent(target)}${fragment}`;
}

/**
 * The path that a visitor came from: the one that {@link requireLogin} put into the query, or that
 * of the page with the form. Never one of another site, so that a link to the login page cannot
 * lead elsewhere (open redirect).
 */
export function findWayBack(request: AppRequest<AnySession>, fallback: string): string {
  const noted = request.query(RETURN_TO) ?? request.headers.get("referer");
  if (noted === null || !URL.canParse(noted, request.url)) return fallback;
  const here = new URL(request.url);
  const target = new URL(noted, here);
  const isOwn = target.host === here.host && /^https?:$/.test(target.protocol);
  // A path that begins with "//" leads to another host, and a redirect to the same page would loop.
  if (!isOwn || target.pathname.startsWith("//") || target.pathname === here.pathname)
    return fallback;
  return `${target.pathname}${target.search}${target.hash}`;
}
