import type { MaybePromise } from "../store/maybe-promise.ts";
import type { TestEvent } from "./test-events.ts";
import { readEvents } from "./test-events.ts";
import { TestSocket } from "./test-socket.ts";

/** What answers requests: an app of Bunpie, Hono or Elysia, what `Bun.serve` gives, anything of one's own. */
export interface Fetcher {
  fetch(request: Request, server?: never): MaybePromise<Response>;
  /** `Bun.serve`'s WebSocket handlers, for {@link TestClient.socket}. */
  readonly websocket?: unknown;
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
  #server: Bun.Server<unknown> | undefined;

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
    const headers = this.#addCookies(init.headers);
    const url = new URL(path, this.#origin);
    const request = new Request(url.href, { redirect: "manual", ...init, headers });
    const response = await (isFetcher(this.#target) ? this.#target.fetch(request) : fetch(request));
    this.#keepAll(response);
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
   * The events of an event stream, one by one. Leaving the loop disconnects.
   *
   * @throws Error for a response that is none.
   */
  async *events(path: string, init: RequestInit = {}): AsyncGenerator<TestEvent, void, undefined> {
    const headers = new Headers(init.headers);
    headers.set("accept", "text/event-stream");
    const response = await this.send(path, { ...init, headers });
    const type = response.headers.get("content-type");
    if (response.body === null || type?.startsWith("text/event-stream") !== true) {
      throw new Error(
        `${path} is no event stream: ${response.status}, ${type ?? "without a type"}.`,
      );
    }
    yield* readEvents(response.body);
  }

  /**
   * Opens a WebSocket, which offers the subprotocols in `protocols`, and keeps the cookies of the response to the
   * handshake. One that is refused has that
   * `response`, too. An app is served on a free port of this machine for it, which does not keep the process
   * alive; its other requests still go without the network.
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

  /** Where the target listens. */
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

function isFetcher(target: Fetcher | URL | string): target is Fetcher {
  return typeof target === "object" && "fetch" in target;
}
