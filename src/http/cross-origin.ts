import { isSafe } from "../session/visit.ts";
import { CrossOriginError } from "./errors.ts";
import { addVary, unshare } from "./headers.ts";

/** Which requests from other sites' pages are answered. */
export interface CrossOriginOptions {
  /**
   * Origins, such as `https://admin.example.com`, whose pages may send unsafe requests (`POST` and
   * the like), open WebSockets and read responses. By default only this service's own pages may.
   */
  readonly trustedOrigins?: readonly string[];
  /**
   * `"refuse"`, the default, answers unsafe requests and WebSocket handshakes from other sites'
   * pages with 403 (CSRF). `"allow"` is for an API for other sites that does not rely on the
   * session.
   */
  readonly crossOrigin?: "refuse" | "allow";
}

export const CROSS_ORIGIN_OPTIONS = [
  "trustedOrigins",
  "crossOrigin",
] as const satisfies readonly (keyof CrossOriginOptions)[];

/**
 * Keeps other sites' pages from acting in a visitor's name (CSRF; OWASP ASVS 5.0, V3.5.1 and
 * V4.4.2), and allows it to the pages of trusted origins (CORS).
 */
export class CrossOriginPolicy {
  readonly #trusted: ReadonlySet<string>;
  readonly #isOff: boolean;

  /** @throws TypeError for an origin that no browser sends, and for an unknown mode. */
  constructor({ trustedOrigins = [], crossOrigin = "refuse" }: CrossOriginOptions) {
    if (crossOrigin !== "refuse" && crossOrigin !== "allow") {
      throw new TypeError(
        `\`crossOrigin\` is ${JSON.stringify(crossOrigin)}; it has to be "refuse" or "allow".`,
      );
    }
    if (!Array.isArray(trustedOrigins)) {
      throw new TypeError('`trustedOrigins` has to be a list, such as ["https://example.com"].');
    }
    for (const origin of trustedOrigins) {
      if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
      throw new TypeError(
        `\`trustedOrigins\` has "${origin}", which is not an origin. Write a scheme, a host and, if needed, a port, without a slash at the end, such as "https://example.com".`,
      );
    }
    this.#trusted = new Set(trustedOrigins);
    this.#isOff = crossOrigin === "allow";
  }

  /**
   * Refuses an unsafe request or WebSocket handshake that another site's page causes, with the
   * visitor's cookies. Browsers name a request's source in `Sec-Fetch-Site`, older ones only in
   * `Origin`. A request with neither comes from no page.
   *
   * @throws CrossOriginError (403).
   */
  check(request: Request): void {
    const { method, headers } = request;
    if (this.#isOff || (isSafe(method) && !asksForSocket(request))) return;
    const origin = headers.get("origin");
    if (origin !== null && this.#trusted.has(origin)) return;
    const site = headers.get("sec-fetch-site");
    const isOurs =
      site === null
        ? origin === null || isSameHost(origin, request.url)
        : site === "same-origin" || site === "none";
    if (!isOurs) throw new CrossOriginError();
  }

  /** The response to a trusted origin's CORS preflight; `undefined` for any other request. */
  answerPreflight(request: Request): Response | undefined {
    if (this.#trusted.size === 0 || request.method !== "OPTIONS") return undefined;
    const { headers } = request;
    const origin = headers.get("origin");
    const method = headers.get("access-control-request-method");
    if (origin === null || method === null || !this.#trusted.has(origin)) return undefined;
    const fields = headers.get("access-control-request-headers");
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": method,
        ...(fields === null ? {} : { "access-control-allow-headers": fields }),
        vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
      },
    });
  }

  /** Lets the pages of trusted origins read the response. */
  share(request: Request, response: Response): Response {
    if (this.#trusted.size === 0) return response;
    const shared = unshare(response);
    addVary(shared.headers, "Origin");
    const origin = request.headers.get("origin");
    if (origin === null || !this.#trusted.has(origin)) return shared;
    shared.headers.set("access-control-allow-origin", origin);
    shared.headers.set("access-control-allow-credentials", "true");
    return shared;
  }
}

/** Whether a request is a WebSocket handshake: Bun's `upgrade` requires only this header. */
export function asksForSocket({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

/**
 * Ignores the scheme: behind a proxy that terminates TLS, ours is `http` and the page's `https`.
 */
function isSameHost(origin: string, url: string): boolean {
  return URL.canParse(origin) && URL.canParse(url) && new URL(origin).host === new URL(url).host;
}
