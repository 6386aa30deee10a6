import type { MaybePromise } from "../store/maybe-promise.ts";

/** What answers requests: an app of Bunpie, Hono or Elysia, what `Bun.serve` gives, anything of one's own. */
export interface Fetcher {
  fetch(request: Request): MaybePromise<Response>;
}

const ORIGIN = "http://localhost:3000";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 20;

/**
 * A browser's half of the conversation, for tests: keeps cookies, and sends them back.
 *
 * ```ts
 * const client = new TestClient(app);
 * await client.post("/login", { name: "ann" });
 * expect(await client.text("/")).toContain("Hello, ann");
 * ```
 *
 * It talks to one app, or to one server. A cookie is kept by its name, until the server removes it:
 * the client does not look at `Path`, `Domain`, `Secure` and `SameSite`, and no cookie of its gets
 * too old. It follows redirects when it is told to, with {@link follow}.
 */
export class TestClient {
  /** The cookies, by name, as they are sent. Yours to look at and to change. */
  readonly cookies = new Map<string, string>();
  readonly #target: Fetcher | URL | string;
  readonly #origin: string;
  readonly #requests = new WeakMap<Response, Request>();

  /**
   * `target` is an app, for which requests then go to `http://localhost:3000`, though not over the
   * network; or the URL of a server.
   */
  constructor(target: Fetcher | URL | string) {
    this.#target = target;
    this.#origin = isFetcher(target) ? ORIGIN : new URL(target).origin;
  }

  /** The id of the session, as long as its cookie has the name that it has by default. */
  get sessionId(): string | undefined {
    return this.cookies.get("session_id");
  }

  /** Sends a request, and keeps the cookies of the response. A `Cookie` header of yours is left alone. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0 && !headers.has("cookie")) headers.set("cookie", pairs.join("; "));
    const url = new URL(path, this.#origin);
    const request = new Request(url.href, { redirect: "manual", ...init, headers });
    const response = await (isFetcher(this.#target) ? this.#target.fetch(request) : fetch(request));
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    this.#requests.set(response, request);
    return response;
  }

  /** The body of a page. */
  async text(path: string, init?: RequestInit): Promise<string> {
    return (await this.send(path, init)).text();
  }

  /** The body of a page that is JSON. */
  async json<Value = unknown>(path: string, init?: RequestInit): Promise<Value> {
    return (await this.send(path, init)).json() as Promise<Value>;
  }

  /** Sends a form. */
  post(path: string, fields: Record<string, string> = {}): Promise<Response> {
    return this.send(path, { method: "POST", body: new URLSearchParams(fields) });
  }

  /** Sends a value as JSON. */
  postJson(path: string, value: unknown): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return this.send(path, { method: "POST", body: JSON.stringify(value), headers });
  }

  /**
   * Goes where a response of this client's points, and on from there. Gives the page at the end: the
   * response itself, if it is no redirect.
   *
   * @throws Error for a redirect to another site, for one that wants a form sent again (307, 308), and
   *   after 20 redirects.
   */
  async follow(response: Response): Promise<Response> {
    let page = response;
    for (let count = 0; count < MOST_REDIRECTS; count++) {
      const next = this.#nextOf(page);
      if (next === undefined) return page;
      page = await this.send(next);
    }
    throw new Error(
      `There are more than ${MOST_REDIRECTS} redirects: to ${this.#nextOf(page)} now.`,
    );
  }

  /** Another client with the same cookies, of the same app or another: a second tab, or a thief. */
  clone(target: Fetcher | URL | string = this.#target): TestClient {
    const copy = new TestClient(target);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  /** Where a redirect points; `undefined` for a response that is none. */
  #nextOf(response: Response): string | undefined {
    const location = response.headers.get("location");
    if (location === null || !REDIRECTS.has(response.status)) return undefined;
    const request = this.#requests.get(response);
    const next = new URL(location, request?.url ?? this.#origin);
    if (next.origin !== this.#origin) {
      throw new Error(
        `The redirect leads to another site, where this client does not go: ${next.href}`,
      );
    }
    if (response.status > 303 && request?.method !== "GET") {
      throw new Error(
        `The redirect to ${next.href} is a ${response.status}: what was sent is to be sent there once more. Do so with send().`,
      );
    }
    return next.href;
  }

  #keep(line: string): void {
    const cookie = Bun.Cookie.parse(line);
    if (cookie.isExpired()) this.cookies.delete(cookie.name);
    else this.cookies.set(cookie.name, cookie.value);
  }
}

function isFetcher(target: Fetcher | URL | string): target is Fetcher {
  return typeof target === "object" && "fetch" in target;
}
