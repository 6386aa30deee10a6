import { HttpError } from "./errors.ts";

/** Whether a method only asks, and changes nothing (RFC 9110, 9.2.1). */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

/**
 * Refuses writes that another site's page makes in the visitor's browser, with the visitor's
 * cookies (OWASP ASVS 5.0, V3.5.1). Browsers say where a request comes from, in `Sec-Fetch-Site`;
 * older ones only in `Origin`. A request with neither comes from no page at all.
 *
 * @throws HttpError 403.
 */
export function refuseCrossOrigin(request: Request, trustedOrigins: ReadonlySet<string>): void {
  const origin = request.headers.get("origin");
  if (origin !== null && trustedOrigins.has(origin)) return;
  const site = request.headers.get("sec-fetch-site");
  const isOurs =
    site === null
      ? origin === null || isSameHost(origin, request.url)
      : site === "same-origin" || site === "none";
  if (!isOurs) {
    throw new HttpError(
      403,
      "This request comes from another site. An origin that may write here has to be listed in `trustedOrigins`.",
    );
  }
}

/**
 * The origins, checked.
 *
 * @throws TypeError for one that no browser would send.
 */
export function originsOf(origins: readonly string[]): ReadonlySet<string> {
  for (const origin of origins) {
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
    throw new TypeError(
      `trustedOrigins has "${origin}", which is no origin. One looks like "https://example.com": a scheme, a host, perhaps a port, and no slash at the end.`,
    );
  }
  return new Set(origins);
}

/** Compared without the scheme: behind a proxy that ends TLS, ours is `http` and the page's `https`. */
function isSameHost(origin: string, url: string): boolean {
  return URL.canParse(origin) && URL.canParse(url) && new URL(origin).host === new URL(url).host;
}
