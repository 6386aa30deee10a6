import type { MaybePromise } from "../store/maybe-promise.ts";
import type { TestEvent } from "./test-events.ts";
import { readEvents } from "./test-events.ts";
import { TestSocket } from "./test-socket.ts";

/**
 * Anything that answers requests: an app of Bunpie, Hono or Elysia, the server that `Bun.serve`
 * returns, or your own object.
 */
export interface Fetcher {
  fetch(request: Request, server?: never): MaybePromise<Response>;
  /** `Bun.serve`'s WebSocket handlers, for {@link TestClient.socket}. */
  readonly websocket?: unknown;
}

const ORIGIN = "http://localhost:3000";
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 20;
/** How much of a body an error shows, in characters. */
const MAX_SHOWN = 200;

/**
 * A client for tests that keeps cookies and sends them back, as a browser does.
 *
 * ```ts
 * const client = new TestClient(app);
 * await client.post("/login", { name: "ann" });
 * expect(await client.text("/")).toContain("Hello, ann");
 * ```
 *
 * It talks to one app or one server. A cookie is kept by its name until the server removes it: the
 * client ignores `Path`, `Domain`, `Secure`, `SameSite` and the age of cookies. It follows
 * redirects only with {@link follow}.
 */
export class TestClient {
  /** The cookies to send, by name. You may change them. */
  readonly cookies = new Map<string, string>();
  readonly #target: Fetcher | URL | string;
  readonly #origin: string;
  readonly #requests = new WeakMap<Response, Request>();
  #server: Bun.Server<unknown> | undefined;

  /**
   * `target` is an app, whose requests have the origin `http://localhost:3000` but do not use the
   * network; or the URL of a server, or the server itself, as `Bun.serve` and `app.listen()` return
   * it.
   *
   * @throws TypeError for anything else.
   */
  constructor(target: Fetcher | URL | string) {
    this.#target = isFetcher(target) ? (findUrl(target) ?? target) : target;
    this.#origin = isFetcher(this.#target) ? ORIGIN : toOrigin(this.#target);
  }

  /** The session id, if its cookie has the default name. */
  get sessionId(): string | undefined {
    return this.cookies.get("session_id");
  }

  /**
   * Sends a request and keeps the cookies of the response. A `Cookie` header in `init` is sent
   * unchanged.
   */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = this.#addCookies(init.headers);
    const url = new URL(path, this.#origin);
    const request = new Request(url.href, { redirect: "manual", ...init, headers });
    const response = await (isFetcher(this.#target) ? this.#target.fetch(request) : fetch(request));
    this.#keepAll(response);
    this.#requests.set(response, request);
    return response;
  }

  /** Sends a request and returns the body as text. */
  async text(path: string, init?: RequestInit): Promise<string> {
    return (await this.send(path, init)).text();
  }

  /** Sends a request and returns the body, parsed as JSON. */
  async json<Value = unknown>(path: string, init?: RequestInit): Promise<Value> {
    const response = await this.send(path, init);
    const text = await response.text();
    try {
      return JSON.parse(text) as Value;
    } catch (cause) {
      throw new Error(
        `The response to ${path} is not JSON: status ${response.status}, "${text.slice(0, MAX_SHOWN)}".`,
        { cause },
      );
    }
  }

  /** Sends a form with POST. */
  post(path: string, fields: Record<string, string> = {}): Promise<Response> {
    return this.send(path, { method: "POST", body: new URLSearchParams(fields) });
  }

  /** Sends a value as JSON with POST. */
  postJson(path: string, value: unknown): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return this.send(path, { method: "POST", body: JSON.stringify(value), headers });
  }

  /**
   * Yields the events of an event stream, one by one. Leaving the loop disconnects.
   *
   * @throws Error if the response is not an event stream.
   */
  async *events(path: string, init: RequestInit = {}): AsyncGenerator<TestEvent, void, undefined> {
    const headers = new Headers(init.headers);
    headers.set("accept", "text/event-stream");
    const response = await this.send(path, { ...init, headers });
    const type = response.headers.get("content-type");
    if (response.body === null || type?.startsWith("text/event-stream") !== true) {
      throw new Error(
        `${path} is not an event stream: status ${response.status}, ${type ?? "no Content-Type"}.`,
      );
    }
    yield* readEvents(response.body);
  }

  /**
   * Opens a WebSocket, which offers the subprotocols in `protocols`, and keeps the cookies of the
   * response to the handshake. A refused socket is returned too, with that `response`. An app is
   * served on a free local port for its sockets, which does not keep the process alive; its other
   * requests still do not use the network.
   *
   * @throws Error if nothing answers.
   */
  async socket(
    path: string,
    init: Pick<RequestInit, "headers"> & { readonly protocols?: readonly string[] } = {},
  ): Promise<TestSocket> {
    const headers = this.#addCookies(init.headers);
    const url = new URL(path, this.#serve());
    url.protocol = url.protocol.replace("http", "ws");
    const socket = await TestSocket.open(url.href, headers.toJSON(), init.protocols);
    this.#keepAll(socket.response);
    return socket;
  }

  /**
   * Follows the redirects of a response of this client, and returns the page at the end: the
   * response itself, if it is not a redirect.
   *
   * @throws Error for a redirect to another site, for one that requires sending a form again (307,
   *   308), and after 20 redirects.
   */
  async follow(response: Response): Promise<Response> {
    let page = response;
    for (let count = 0; count < MOST_REDIRECTS; count++) {
      const next = this.#resolveRedirect(page);
      if (next === undefined) return page;
      page = await this.send(next);
    }
    throw new Error(
      `There are more than ${MOST_REDIRECTS} redirects; the next one leads to ${this.#resolveRedirect(page)}.`,
    );
  }

  /**
   * Another client with the same cookies, for the same app or another: a second tab, or a thief.
   */
  clone(target: Fetcher | URL | string = this.#target): TestClient {
    const copy = new TestClient(target);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  /** The URL that a redirect points to; `undefined` for any other response. */
  #resolveRedirect(response: Response): string | undefined {
    const location = response.headers.get("location");
    if (location === null || !REDIRECTS.has(response.status)) return undefined;
    const request = this.#requests.get(response);
    const next = new URL(location, request?.url ?? this.#origin);
    if (next.origin !== this.#origin) {
      throw new Error(
        `The redirect leads to another site; this client follows redirects only within its own: ${next.href}`,
      );
    }
    if (response.status > 303 && request?.method !== "GET") {
      throw new Error(
        `The redirect to ${next.href} has status ${response.status}, which requires sending the body again. Use send().`,
      );
    }
    return next.href;
  }

  #addCookies(given: RequestInit["headers"]): Headers {
    const headers = new Headers(given);
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0 && !headers.has("cookie")) headers.set("cookie", pairs.join("; "));
    return headers;
  }

  #keepAll({ headers }: Response): void {
    for (const line of headers.getSetCookie()) {
      const cookie = Bun.Cookie.parse(line);
      if (cookie.isExpired()) this.cookies.delete(cookie.name);
      else this.cookies.set(cookie.name, cookie.value);
    }
  }

  /** The origin that the target listens on. */
  #serve(): string {
    const target = this.#target;
    if (!isFetcher(target)) return this.#origin;
    this.#server ??= Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => target.fetch(request, server as never),
      ...(target.websocket === undefined
        ? {}
        : { websocket: target.websocket as Bun.WebSocketHandler<unknown> }),
    } as Bun.Serve.Options<unknown>);
    this.#server.unref();
    return this.#server.url.origin;
  }
}

/**
 * The URL of a server that `Bun.serve` returned, whose own `fetch()` ignores routes and leaves the
 * handler without the server; `undefined` for an app, and for a server without TCP or with TLS.
 */
function findUrl(target: Fetcher): URL | undefined {
  const { url, requestIP } = target as Partial<Bun.Server<unknown>>;
  return typeof requestIP === "function" && url?.protocol === "http:" ? url : undefined;
}

/** @throws TypeError for what is no URL of a server. */
function toOrigin(target: URL | string): string {
  const { protocol, origin } = URL.parse(String(target)) ?? {};
  if (origin !== undefined && /^https?:$/.test(protocol ?? "")) return origin;
  throw new TypeError("TestClient takes an app, such as new Site(), or the URL of a server.");
}

function isFetcher(target: Fetcher | URL | string): target is Fetcher {
  return typeof target === "object" && "fetch" in target;
}
