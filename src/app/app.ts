import { AsyncLocalStorage } from "node:async_hooks";

import { InMemorySessionBackend } from "../backends/memory/backend.ts";
import type { CrossOriginOptions } from "../http/cross-origin.ts";
import { CROSS_ORIGIN_OPTIONS } from "../http/cross-origin.ts";
import { CrossOriginError } from "../http/errors.ts";
import { Sessions } from "../http/sessions.ts";
import { escapeControls } from "../session/log.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { SessionOptions } from "../session/options.ts";
import { SESSION_OPTIONS } from "../session/options.ts";
import type { AnySession, SessionShape } from "../session/session.ts";
import type { SessionBackend } from "../store/backend.ts";
import { refuseUnknown } from "../store/known-options.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { Match } from "./dispatch.ts";
import { DispatchTable } from "./dispatch.ts";
import { HttpError } from "./errors.ts";
import { DEFAULT_EXPORT, startService, stopService } from "./lifecycle.ts";
import type { Service, StoppableServer } from "./lifecycle.ts";
import type { ServerLike } from "./request.ts";
import { AppRequest } from "./request.ts";
import { errorResponse, responseOf, withCookies } from "./response.ts";

/** How an app is set up. */
export interface AppOptions extends CrossOriginOptions {
  /** Where sessions are kept; in this process's memory by default. */
  readonly sessionBackend?: SessionBackend;
  /** How sessions live. */
  readonly session?: SessionOptions;
  /** The largest request body, in bytes; 1 MiB by default. A larger one gets 413. */
  readonly maxBodyBytes?: number;
  /** How long requests may take to finish at shutdown, in milliseconds; 10,000 by default. */
  readonly shutdownTimeout?: number;
}

/** Where to listen: what `Bun.serve` takes, under the same names. */
export type ListenOptions =
  | Pick<
      Bun.Serve.HostnamePortServeOptions<undefined>,
      "port" | "hostname" | "tls" | "reusePort" | "idleTimeout"
    >
  | Pick<Bun.Serve.UnixServeOptions<undefined>, "unix" | "tls">;

/** Bun's server, as far as an app asks it something. */
type AppServer = ServerLike & StoppableServer;

const APP_OPTIONS = [
  "sessionBackend",
  "session",
  "maxBodyBytes",
  "shutdownTimeout",
  ...CROSS_ORIGIN_OPTIONS,
] as const satisfies readonly (keyof AppOptions)[];

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;
const DEFAULT_SHUTDOWN_TIMEOUT = 10_000;

/** The request that is being answered. One for all apps: each call answers one request at a time. */
const requests = new AsyncLocalStorage<AppRequest<AnySession>>();

/**
 * A web app whose methods are its pages, with a session on every request.
 *
 * ```ts
 * class Counter extends App<{ visits: number }> {
 *   index() {
 *     const { session } = this.request;
 *     session.visits = (session.visits ?? 0) + 1;
 *     return `You have visited ${session.visits} times.`;
 *   }
 * }
 *
 * export default new Counter();
 * ```
 *
 * `/` calls `index()`, `/greet/Ann` calls `greet("Ann")`. A method answers any verb; a field such as
 * `cart = { GET: () => …, POST: () => … }` only those it has. Names that begin with `_` or `#` are
 * no pages.
 */
export class App<Data extends SessionShape<Data> = AnySession> {
  readonly #sessions: Sessions<Data>;
  readonly #maxBodyBytes: number;
  readonly #service: Service;
  #server: AppServer | undefined;
  #isDefaultExport = false;
  #isEnding = false;
  #table: DispatchTable | undefined;
  #fetch: ((request: Request, server?: AppServer) => MaybePromise<Response>) | undefined;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: AppOptions = {}) {
    refuseUnknown("App", options, APP_OPTIONS);
    refuseUnknown("App's `session`", options.session ?? {}, SESSION_OPTIONS);
    const { session, sessionBackend: backend = defaultBackend(session?.now) } = options;
    const { trustedOrigins = [], crossOrigin = "refuse" } = options;
    this.#sessions = new Sessions({ ...session, backend, trustedOrigins, crossOrigin });
    this.#maxBodyBytes = positive("maxBodyBytes", options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES);
    this.#service = {
      backend,
      shutdownTimeout: positive(
        "shutdownTimeout",
        options.shutdownTimeout ?? DEFAULT_SHUTDOWN_TIMEOUT,
      ),
      server: () => this.#server,
      endConnections: () => {
        this.#isEnding = true;
      },
      closeSessions: () => this.#sessions.close(),
    };
  }

  /** The request that is being answered, for handlers and whatever they call. */
  get request(): AppRequest<Data> {
    const request = requests.getStore();
    if (request === undefined) {
      throw new Error(
        "this.request is there only while a request is being answered: in a handler, or in what a handler calls.",
      );
    }
    return request as unknown as AppRequest<Data>;
  }

  /** The app's sessions: to list and revoke a user's, for instance. */
  get sessions(): Sessions<Data> {
    return this.#sessions;
  }

  /**
   * The whole app as one function, which can be mounted anywhere a web-standard `fetch` handler can.
   * Gives a promise only if the handler or the session backend does. Never throws.
   *
   * @throws TypeError, when it is first asked for, if a page has a name that it cannot have.
   */
  get fetch(): (request: Request, server?: AppServer) => MaybePromise<Response> {
    this.#fetch ??= this.#start();
    return this.#fetch;
  }

  /**
   * The largest request body, in bytes. `Bun.serve` reads it from a default export, and nothing else
   * tells an app that it is being served in that way: so this is where such an app starts.
   */
  get maxRequestBodySize(): number {
    this.#isDefaultExport = true;
    startService(DEFAULT_EXPORT, this.#service);
    queueMicrotask(() => this.#announce());
    return this.#maxBodyBytes;
  }

  /**
   * Serves the app, and lists its routes. On SIGTERM and SIGINT it ends in good order, as by
   * {@link close}, and the process with it.
   *
   * @param options - A port, or where else to listen. By default the port is `$PORT`, or else 3000.
   */
  listen(options: number | ListenOptions = {}): Bun.Server<undefined> {
    const server = Bun.serve({
      ...(typeof options === "number" ? { port: options } : options),
      fetch: this.fetch,
      maxRequestBodySize: this.#maxBodyBytes,
    });
    this.#server = server;
    startService(server, this.#service);
    console.info(`${this.constructor.name} is at ${server.url.href}`);
    this.#announce();
    return server;
  }

  /**
   * Ends the app: ends connections with their next response, takes no new ones, lets requests under
   * way finish for up to `shutdownTimeout`, and closes the session backend. No request is cut before
   * that, and nothing that was acknowledged is lost.
   */
  close(): Promise<void> {
    return stopService(this.#service);
  }

  /**
   * A response that sends the browser elsewhere. Whatever is not ASCII in the location is
   * percent-encoded.
   *
   * @throws RangeError if the status is none of 301, 302, 303, 307 and 308.
   */
  redirect(location: string, status = 302): Response {
    if (![301, 302, 303, 307, 308].includes(status)) {
      throw new RangeError(`A redirect has the status 301, 302, 303, 307 or 308, not ${status}.`);
    }
    const encoded = location.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
    return new Response(null, { status, headers: { location: encoded } });
  }

  #start(): (request: Request, server?: AppServer) => MaybePromise<Response> {
    this.#table = new DispatchTable(this, App.prototype);
    return (request, server) => {
      // Bun does not say which server it has made for a default export, except to its requests.
      if (this.#isDefaultExport) this.#server ??= server;
      return this.#answer(request, server);
    };
  }

  #announce(): void {
    console.info(this.#table?.lines().join("\n"));
  }

  // Where nothing is asynchronous, nothing here makes a promise, or a closure that waits for one: even
  // unused, each closure would put a scope on the heap, five for every request. Whatever has to wait
  // goes on in a method whose name ends in "Later". None of these throws or rejects.

  #answer(request: Request, server: ServerLike | undefined): MaybePromise<Response> {
    try {
      const preflight = this.#sessions.answerPreflight(request);
      if (preflight !== undefined) return preflight;
      const path = pathOf(request.url);
      const match = (this.#table as DispatchTable).match(request.method, path);
      const open = this.#sessions.enter(request);
      return isPromise(open)
        ? this.#handleLater(match, path, request, server, open)
        : this.#handle(match, path, request, server, open);
    } catch (error) {
      return this.#report(error, request, false);
    }
  }

  async #handleLater(
    match: Match,
    path: string,
    request: Request,
    server: ServerLike | undefined,
    open: Promise<OpenSession<Data>>,
  ): Promise<Response> {
    try {
      return await this.#handle(match, path, request, server, await open);
    } catch (error) {
      return this.#report(error, request, false);
    }
  }

  #handle(
    { handler, params }: Match,
    path: string,
    request: Request,
    server: ServerLike | undefined,
    open: OpenSession<Data>,
  ): MaybePromise<Response> {
    const context = new AppRequest(request, path, params, open, server, this.#maxBodyBytes);
    try {
      const store = context as unknown as AppRequest<AnySession>;
      // Spread even where it is empty, the list would take 0.1 µs.
      const value =
        params.length === 0
          ? requests.run(store, handler)
          : requests.run(store, handler, ...params);
      return isPromise(value)
        ? this.#finishLater(value, context, open)
        : this.#finish(value, context, open);
    } catch (error) {
      return this.#fail(error, request, open);
    }
  }

  async #finishLater(
    value: Promise<unknown>,
    context: AppRequest<Data>,
    open: OpenSession<Data>,
  ): Promise<Response> {
    try {
      return await this.#finish(await value, context, open);
    } catch (error) {
      return this.#fail(error, context.raw, open);
    }
  }

  /** Makes the response, and lets it go once the session is stored. */
  #finish(
    value: unknown,
    context: AppRequest<Data>,
    open: OpenSession<Data>,
  ): MaybePromise<Response> {
    const response = withCookies(responseOf(value, open.isAccessed), context._setCookies);
    const setCookie = this.#sessions.settle(open, response.status);
    return isPromise(setCookie)
      ? this.#sendLater(response, setCookie, context.raw, open)
      : this.#send(context.raw, response, setCookie);
  }

  async #sendLater(
    response: Response,
    setCookie: Promise<string | undefined>,
    request: Request,
    open: OpenSession<Data>,
  ): Promise<Response> {
    try {
      return this.#send(request, response, await setCookie);
    } catch (error) {
      return this.#fail(error, request, open);
    }
  }

  /** A request that threw stores nothing, except a `destroy()`. */
  #fail(error: unknown, request: Request, open: OpenSession<Data>): MaybePromise<Response> {
    const response = this.#report(error, request, open.isAccessed);
    try {
      const setCookie = this.#sessions.settle(open, 500);
      return isPromise(setCookie)
        ? this.#failLater(response, setCookie, request, open)
        : this.#send(request, response, setCookie);
    } catch (second) {
      return this.#report(second, request, open.isAccessed);
    }
  }

  async #failLater(
    response: Response,
    setCookie: Promise<string | undefined>,
    request: Request,
    open: OpenSession<Data>,
  ): Promise<Response> {
    try {
      return this.#send(request, response, await setCookie);
    } catch (second) {
      return this.#report(second, request, open.isAccessed);
    }
  }

  /** The response to an error. What the visitor is not told is logged. */
  #report(error: unknown, request: Request, varies: boolean): Response {
    if (!(error instanceof HttpError || error instanceof CrossOriginError)) {
      const page = escapeControls(`${request.method} ${pathOf(request.url)}`);
      console.error("%s failed:", page, error);
    }
    return this.#send(request, errorResponse(error, varies), undefined);
  }

  #send(request: Request, response: Response, setCookie: string | undefined): Response {
    const answer = this.#sessions.addHeaders(request, response, setCookie);
    if (this.#isEnding) answer.headers.set("connection", "close");
    return answer;
  }
}

/** Under `bun --hot` sessions in memory outlive a reload, which evaluates the app's module anew. */
function defaultBackend(now: (() => number) | undefined): InMemorySessionBackend {
  const make = (): InMemorySessionBackend =>
    new InMemorySessionBackend(now === undefined ? {} : { now });
  if (!process.execArgv.includes("--hot")) return make();
  const shared = globalThis as { [HOT_BACKEND]?: InMemorySessionBackend };
  shared[HOT_BACKEND] ??= make();
  return shared[HOT_BACKEND];
}

const HOT_BACKEND = Symbol.for("bunpie.hot-backend");

/**
 * The path of a URL, as it stands there. Parsing it takes five times as long. Where the Host header is
 * missing, or makes no URL, Bun gives the path alone.
 */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", 8);
  if (start === -1) return "/";
  const mark = url.indexOf("?", start);
  return mark === -1 ? url.slice(start) : url.slice(start, mark);
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(`\`${name}\` is ${value}; it has to be a number above 0.`);
}
