import type { AnySession, Session } from "../session/session.ts";
import { redirect } from "./answers.ts";
import { HttpError } from "./errors.ts";
import type { AppRequest } from "./request.ts";
import { toTarget } from "./request.ts";

/** How a page wants its visitor to be logged in. */
export interface LoginDemand {
  /** The login must not be older than this, in seconds: else the visitor confirms it by logging in again. */
  readonly fresh?: number;
}

const RETURN_TO = "returnTo";

/**
 * The id of the user who is logged in. Anyone else is sent to the login page and, by
 * {@link findWayBack}, back again; what is no browser's page view gets 401.
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
  // Only a page that was looked at can be looked at again; a form would have to be filled in once more.
  if (request.method !== "GET") throw redirect(loginPage, 303);
  throw redirect(`${loginPage}?${RETURN_TO}=${encodeURIComponent(toTarget(request.url))}`, 303);
}

/**
 * Where a visitor came from: what {@link requireLogin} noted in the query, or the page with the form that
 * was sent. Never another site: else a link to the login page could lead anywhere (open redirect).
 */
export function findWayBack(request: AppRequest<AnySession>, fallback: string): string {
  const noted = request.query(RETURN_TO) ?? request.headers.get("referer");
  if (noted === null || !URL.canParse(noted, request.url)) return fallback;
  const here = new URL(request.url);
  const target = new URL(noted, here);
  const isOwn = target.host === here.host && /^https?:$/.test(target.protocol);
  // "//elsewhere" as a path leads elsewhere; the page itself would be asked for again and again.
  if (!isOwn || target.pathname.startsWith("//") || target.pathname === here.pathname)
    return fallback;
  return `${target.pathname}${target.search}${target.hash}`;
}
