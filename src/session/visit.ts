/**
 * Whether the visitor may never see the response's body: `HEAD` (RFC 9110, 9.3.2) and prefetches.
 * Such a request must leave flash messages in place.
 */
export function isPreview(request: Request): boolean {
  return (
    request.method === "HEAD" || (request.headers.get("sec-purpose") ?? "").includes("prefetch")
  );
}

/** Whether a method is safe, that is, read-only (RFC 9110, 9.2.1). */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

/**
 * Whether another site's page caused the request, so that the browser has withheld cookies with
 * this `SameSite`. The visitor may have a session nevertheless, and a new cookie would replace its
 * cookie.
 */
export function hasWithheldCookie(request: Request, sameSite: "strict" | "lax" | "none"): boolean {
  if (sameSite === "none" || request.headers.get("sec-fetch-site") !== "cross-site") return false;
  return sameSite === "strict" || !isSafe(request.method);
}
