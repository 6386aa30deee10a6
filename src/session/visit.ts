// What a request's headers say that a session has to know of it.

/** Whether a request only looks: it must leave flash messages for the visitor to see (RFC 9110, 9.3.2). */
export function isLook(request: Request): boolean {
  return (
    request.method === "HEAD" || (request.headers.get("sec-purpose") ?? "").includes("prefetch")
  );
}

/** Whether a method only asks, and changes nothing (RFC 9110, 9.2.1). */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

/**
 * Whether another site's page caused the request, so that the browser has withheld a cookie with this
 * `SameSite`: the visitor may have a session all the same, and a new cookie would take its place.
 */
export function hasWithheldCookie(request: Request, sameSite: "strict" | "lax" | "none"): boolean {
  if (sameSite === "none" || request.headers.get("sec-fetch-site") !== "cross-site") return false;
  return sameSite === "strict" || !isSafe(request.method);
}
