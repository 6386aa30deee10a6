import { isSafe } from "../session/visit.ts";
import { CrossOriginError } from "./errors.ts";
import { addVary, unshared } from "./headers.ts";

/** Which requests that other sites' pages cause are answered. */
export interface CrossOriginOptions {
  /**
   * Origins, such as `https://admin.example.com`, whose pages may send writes (`POST` and the like), open
   * WebSockets and read responses. By default only this service's own pages may.
   */
  readonly trustedOrigins?: readonly string[];
  /**
   * `"refuse"`, the default: writes and WebSocket handshakes from other sites' pages are answered with
   * 403. `"allow"` is for an API that is meant for other sites and does not go by the session.
   */
  readonly crossOrigin?: "refuse" | "allow";
}

export const CROSS_ORIGIN_OPTIONS = [
  "trustedOrigins",
  "crossOrigin",
] as const satisfies readonly (keyof CrossOriginOptions)[];

/**
 * Keeps other sites' pages from acting in a visitor's name (CSRF; OWASP ASVS 5.0, V3.5.1 and V4.4.2), and
 * lets those of trusted origins do so (CORS).
 */
export class CrossOriginPolicy {
  readonly #trusted: ReadonlySet<string>;
  readonly #isOff: boolean;

  /** @throws TypeError for an origin that no browser would send, and for a mode that does not exist. */
  constructor({ trustedOrigins = [], crossOrigin = "refuse" }: CrossOriginOptions) {
    if (crossOrigin !== "refuse" && crossOrigin !== "allow") {
      throw new TypeError(
        `\`crossOrigin\` is ${JSON.stringify(crossOrigin)}; it has to be "refuse" or "allow".`,
      );
    }
    for (const origin of trustedOrigins) {
      if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
      throw new TypeError(
        `trustedOrigins has "${origin}", which is no origin. One looks like "https://example.com": a scheme, a host, perhaps a port, and no slash at the end.`,
      );
    }
    this.#trusted = new Set(trustedOrigins);
    this.#isOff = crossOrigin === "allow";
  }

  /**
   * Refuses a write, or a WebSocket handshake, that another site's page causes in the visitor's browser,
   * with the visitor's cookies. Browsers say where a request comes from, in `Sec-Fetch-Site`; older ones
   * only in `Origin`. A request with neither comes from no page at all.
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

  /** The answer to the question whether a trusted origin may send a request (CORS preflight). */
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
    const shared = unshared(response);
    addVary(shared.headers, "Origin");
    const origin = request.headers.get("origin");
    if (origin === null || !this.#trusted.has(origin)) return shared;
    shared.headers.set("access-control-allow-origin", origin);
    shared.headers.set("access-control-allow-credentials", "true");
    return shared;
  }
}

/** Whether a request asks to become a WebSocket: Bun's `upgrade` wants no more than this header. */
export function asksForSocket({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Compared without the scheme: behind a proxy that ends TLS, ours is `http` and the page's `https`. */
function isSameHost(origin: string, url: string): boolean {
  return URL.canParse(origin) && URL.canParse(url) && new URL(origin).host === new URL(url).host;
}
