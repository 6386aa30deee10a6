import { InMemorySessionBackend } from "../backends/memory/backend.ts";
import type { CrossOriginOptions } from "../http/cross-origin.ts";
import { CROSS_ORIGIN_OPTIONS } from "../http/cross-origin.ts";
import { Sessions } from "../http/sessions.ts";
import { escapeControls, escapeError } from "../session/log.ts";
import type { SessionOptions } from "../session/options.ts";
import { SESSION_OPTIONS } from "../session/options.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import type { SessionBackend } from "../store/backend.ts";
import { refuseUnknown } from "../store/known-options.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { redirect } from "./answers.ts";
import type { BodyLimits } from "./body.ts";
import { isWatched } from "./development.ts";
import { showError } from "./error-page.ts";
import type { HttpError } from "./errors.ts";
import type { Files } from "./files.ts";
import type { LoginDemand } from "./guards.ts";
import { findWayBack, requireLogin } from "./guards.ts";
import { keepThroughReload } from "./hot.ts";
import { DEFAULT_EXPORT, startService, stopService } from "./lifecycle.ts";
import type { Service, StoppableServer } from "./lifecycle.ts";
import type { LinkTarget, LinkValues, RouteLink } from "./link.ts";
import { toLink } from "./link.ts";
import { LiveSet } from "./live.ts";
import type { Log, LogEntry } from "./log.ts";
import { LINES, toLog } from "./log.ts";
import type { Middleware } from "./middleware.ts";
import { collectPages } from "./pages.ts";
import { checkPrefix, joinPatterns } from "./patterns.ts";
import { serveVisit } from "./pipeline.ts";
import type { AppRequest } from "./request.ts";
import { toPath } from "./request.ts";
import type { Closable } from "./resources.ts";
import { Resources } from "./resources.ts";
import type { Routes } from "./routes.ts";
import { serve } from "./serve.ts";
import type { ServerLike } from "./server-like.ts";
import type { Socket } from "./socket.ts";
import type { WebSocketHandlers } from "./sockets.ts";
import { makeHandlers } from "./sockets.ts";
import type { Member } from "./startup.ts";
import { Startup } from "./startup.ts";
import type { Branch } from "./table.ts";
import { RouteTable } from "./table.ts";
import type { ResponseDraft, Site } from "./visit.ts";
import { Visit, visits } from "./visit.ts";

/** How an app is set up. */
export interface AppOptions extends CrossOriginOptions {
  /** Where sessions are kept; in this process's memory by default. */
  readonly sessionBackend?: SessionBackend;
  /** How sessions live. */
  readonly session?: SessionOptions;
  /** The largest request body, in bytes; 1 MiB by default. A larger one gets 413. */
  readonly maxBodyBytes?: number;
  /** The largest body with files, in bytes, for {@link AppRequest.parts}; `maxBodyBytes` by default. */
  readonly maxUploadBytes?: number;
  /** How long requests may take to finish at shutdown, in milliseconds; 10,000 by default. */
  readonly shutdownTimeout?: number;
  /** The largest message of a WebSocket, in bytes; 64 KiB by default. A larger one closes the socket with 1009. */
  readonly maxMessageBytes?: number;
  /** Where {@link App.requireLogin} sends visitors; `/login` by default. */
  readonly loginPage?: string;
  /**
   * Called with every request when its response is made; what it throws does not reach the visitor. By default an app
   * that is served writes a line for each on the console, unless `NODE_ENV` is `production` or `test`; `false`
   * leaves that out.
   */
  readonly log?: false | ((entry: LogEntry) => unknown);
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
  "maxMessageBytes",
  "maxUploadBytes",
  "shutdownTimeout",
  "loginPage",
  "log",
  ...CROSS_ORIGIN_OPTIONS,
] as const satisfies readonly (keyof AppOptions)[];

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;
const DEFAULT_MAX_MESSAGE_BYTES = 64 * 1024;
/** Bun's own, in seconds. */
const DEFAULT_IDLE_TIMEOUT = 10;
const DEFAULT_SHUTDOWN_TIMEOUT = 10_000;

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
 * `/` calls `index()`, `/greet/Ann` calls `greet("Ann")`. A method answers GET, HEAD and POST, and takes
 * exactly as many segments as it has parameters; a field such as `cart = { GET: () => …, POST: () => … }`
 * answers the verbs that it has, and one made by {@link routes} the patterns that it has. `ws_chat(socket, room)`
 * is the page of WebSockets at `/chat/:1`. Names that begin with `_` or `#` are no pages.
 */
export class App<Data extends SessionShape<Data> = AnySession> {
  readonly #options: AppOptions;
  readonly #sessions: Sessions<Data>;
  readonly #limits: BodyLimits;
  readonly #log: Log | undefined;
  readonly #websocket: WebSocketHandlers;
  readonly #service: Service;
  readonly #middleware: Middleware<AppRequest<Data>>[] = [];
  readonly #mounted: { readonly prefix: string; readonly app: App }[] = [];
  #parent: App | undefined;
  #server: AppServer | undefined;
  readonly #resources = new Resources();
  readonly #startup = new Startup(() => this.#members());
  #isDefaultExport = false;
  #site: Site | undefined;
  #fetch: ((request: Request, server?: AppServer) => MaybePromise<Response>) | undefined;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: AppOptions = {}) {
    refuseUnknown("App", options, APP_OPTIONS);
    refuseUnknown("App's `session`", options.session ?? {}, SESSION_OPTIONS);
    const { session, trustedOrigins = [], crossOrigin = "refuse" } = options;
    const backend = toBackend(this.constructor.name, options);
    this.#options = options;
    this.#sessions = new Sessions({ ...session, backend, trustedOrigins, crossOrigin });
    const maxBodyBytes = positive("maxBodyBytes", options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES);
    const maxUploadBytes = positive("maxUploadBytes", options.maxUploadBytes ?? maxBodyBytes);
    this.#limits = { maxBodyBytes, maxUploadBytes };
    this.#log = toLog(options.log);
    this.#websocket = makeHandlers(
      positive("maxMessageBytes", options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES),
    );
    const shutdownTimeout = options.shutdownTimeout ?? DEFAULT_SHUTDOWN_TIMEOUT;
    this.#service = {
      backend,
      shutdownTimeout: positive("shutdownTimeout", shutdownTimeout),
      server: () => this.#server,
      endConnections: () => {
        const site = this.#site;
        if (site === undefined) return;
        site.isEnding = true;
        site.live.endAll();
      },
      countArrivals: () => (this.#site?.farewells ?? 0) + (this.#site?.underWay ?? 0),
      idle: () => this.#idle(),
      release: () => this.#startup.end(shutdownTimeout, () => this.#sessions.close()),
    };
  }

  // While a request is answered.

  /** The request that is being answered, for pages and whatever they call. */
  get request(): AppRequest<Data> {
    return this.#visit("request").request as unknown as AppRequest<Data>;
  }

  /**
   * What the page wants on the response, whichever that will be: its `headers`.
   *
   * @throws Error once they have left, as in a generator that a page returned.
   */
  get response(): ResponseDraft {
    return this.#visit("response").draft;
  }

  /** The app's sessions: to list and revoke a user's, for instance. */
  get sessions(): Sessions<Data> {
    return this.#root.#sessions as unknown as Sessions<Data>;
  }

  /**
   * The id of the user who is logged in. Whoever is not is sent to the `loginPage`, and from there back by
   * {@link redirectBack}; a request that is no browser's page view gets 401. `{ fresh: 300 }` wants a login of
   * the last five minutes: for what matters, let visitors confirm their password.
   *
   * @throws what makes that response.
   */
  requireLogin(demand: LoginDemand = {}): string {
    const { loginPage = "/login" } = this.#root.#options;
    return requireLogin(this.#visit("requireLogin()").request, loginPage, demand);
  }

  /**
   * A response that sends the browser elsewhere. Whatever is not ASCII in the location is
   * percent-encoded.
   *
   * @throws RangeError if the status is none of 301, 302, 303, 307 and 308.
   */
  redirect(location: string, status = 302): Response {
    return redirect(location, status);
  }

  /**
   * A response that sends the browser back where it came from: before the login page that
   * {@link requireLogin} sent it to, or to the page with the form. Only to pages of this host; else to
   * `fallback`.
   */
  redirectBack(fallback = "/"): Response {
    return redirect(findWayBack(this.#visit("redirectBack()").request, fallback), 303);
  }

  /**
   * The path of a page, by its method or field, with values for its segments, percent-encoded. It knows where
   * its app is mounted. `this.link(this.greet, "Ann")`, `this.link(this.users, "/:id", 7)`. A page that links to itself needs a
   * return type, as whatever refers to itself does in TypeScript.
   *
   * @throws TypeError for what is no page, and for a value that cannot be a segment.
   */
  link<Pattern extends string, Known extends Pattern>(
    page: Routes<Pattern>,
    ...target: RouteLink<Known>
  ): string;
  link<Arguments extends readonly unknown[]>(
    page: LinkTarget<Arguments>,
    ...values: LinkValues<Arguments>
  ): string;
  link<Arguments extends readonly unknown[]>(
    page: (socket: Socket, ...segments: Arguments) => unknown,
    ...values: LinkValues<Arguments>
  ): string;
  link(page: Bun.HTMLBundle): string;
  link(folder: Files, ...segments: readonly (string | number)[]): string;
  link(page: unknown, ...values: readonly unknown[]): string {
    return toLink(this.#root.#getSite().table, this, page, values);
  }

  // How the app is put together, in its constructor or its fields.

  /**
   * Puts a function around the pages of this app and of those mounted in it, inside the session. The first is
   * the outermost. See {@link Middleware}.
   */
  use(middleware: Middleware<AppRequest<Data>>): void {
    this.#refuseLate("use()");
    this.#middleware.push(middleware);
  }

  /**
   * Puts an app's pages below a path of this one: `this.mount("/api", new Api())`. It shares this app's
   * sessions, server, request and middleware, and may have middleware and an `onError` of its own.
   *
   * @throws TypeError for a path that is none, and for an app that has options or is mounted already.
   */
  mount<Other extends SessionShape<Other>>(prefix: string, app: App<Other>): void {
    this.#refuseLate("mount()");
    checkPrefix(prefix);
    const child = app as unknown as App;
    const [option] = Object.keys(child.#options);
    if (option !== undefined) {
      throw new TypeError(
        `The app for "${prefix}" was made with \`${option}\`. A mounted app has the options of the outermost one: set it there.`,
      );
    }
    if (child.#parent !== undefined || child.#site !== undefined) {
      throw new TypeError(`The app for "${prefix}" is in use already. Make another: new …().`);
    }
    child.#parent = this as unknown as App;
    void child.#sessions.close();
    this.#mounted.push({ prefix, app: child });
  }

  /**
   * Takes over a resource, to be closed when the app ends; the last first. Without `close`, by its own `close()`.
   * `db = this.own(new Database("shop.db"))`.
   */
  own<Resource extends Closable>(resource: Resource): Resource;
  own<Resource>(resource: Resource, close: (resource: Resource) => unknown): Resource;
  own(resource: unknown, close = (each: unknown): unknown => (each as Closable).close()): unknown {
    return this.#resources.own(resource, close);
  }

  /** Work that goes on after the response, such as a mail. The app's end waits for it; {@link onReport} hears if it fails. */
  waitUntil(work: Promise<unknown>): void {
    const { raw } = this.#visit("waitUntil()");
    this.#resources.waitUntil(work, (error) => this.onReport(error, raw));
  }

  // What an app may override.

  /** Called once, before the first request; requests wait for it. If it fails, a served app ends the process. */
  onStart(): MaybePromise<void> {}

  /** Called once, when the app ends and its requests are answered, before what it owns is closed. */
  onStop(): MaybePromise<void> {}

  /**
   * Called before everything, without a session. A response ends the request, and a request takes the place of
   * the one that came. `ip` is where it came from; behind a proxy, the proxy. Only the outermost app's is
   * called.
   */
  onRequest(_request: Request, _ip: string | null): MaybePromise<Response | Request | void> {}

  /**
   * What is shown of an error: anything that a page may return, which gets the error's status. What was not
   * thrown as an HttpError comes as one with the status 500, and as its `cause`. By default a mounted app asks the
   * one around it, and the outermost shows browsers a page (in development with the bug on it), sends `application/problem+json` (RFC 9457) to those
   * that accept JSON, and text to others.
   */
  onError(error: HttpError): unknown {
    if (this.#parent !== undefined) return this.#parent.onError(error);
    return showError(error, this.#visit("onError()"));
  }

  /**
   * Told of every error of which the visitor is not told all: for the log, where it goes by default, and for error
   * trackers. A mounted app's tells the one around it.
   */
  onReport(error: unknown, request: Request): void {
    if (this.#parent !== undefined) return this.#parent.onReport(error, request);
    const page = escapeControls(`${request.method} ${toPath(request.url)}`);
    console.error("%s failed:", page, escapeError(error));
  }

  // How it is served.

  /**
   * The whole app as one function, which can be mounted anywhere a web-standard `fetch` handler can.
   * Returns a promise only if a page, what goes around it or the session backend does. Never throws.
   *
   * @throws TypeError, when it is first asked for, for what looks like a page and cannot be one.
   */
  get fetch(): (request: Request, server?: AppServer) => MaybePromise<Response> {
    this.#fetch ??= this.#makeFetch(this.#getSite());
    return this.#fetch;
  }

  /**
   * The largest request body, in bytes. `Bun.serve` reads it from a default export, and nothing else
   * tells an app that it is being served in that way: so this is where such an app starts.
   */
  get maxRequestBodySize(): number {
    if (!this.#isDefaultExport) {
      if (this.#server !== undefined) throw servedAlready();
      this.#isDefaultExport = true;
      startService(DEFAULT_EXPORT, this.#service);
      this.#logLines();
      this.#startup.beginOrExit();
      // If the port is in use, Bun says so and the process ends before this.
      setTimeout(() => this.#announce(), 0);
    }
    return this.#largestBody;
  }

  /**
   * The app's WebSockets, as `Bun.serve` takes them. It finds them here in a default export; elsewhere pass
   * them on, with the server: `Bun.serve({ fetch: (request, server) => app.fetch(request, server), websocket:
   * app.websocket })`.
   */
  get websocket(): WebSocketHandlers {
    return this.#websocket;
  }

  /**
   * The app's HTML imports by their paths, as `Bun.serve` takes them. It finds them here in a default export;
   * elsewhere pass them on, with `fetch`: `Bun.serve({ routes: app.routes, … })`.
   */
  get routes(): Record<string, Bun.HTMLBundle> {
    return this.#getSite().table.htmlImports();
  }

  /**
   * Serves the app, and lists its routes. Requests wait for {@link onStart}. On SIGTERM and SIGINT the app ends
   * gracefully, as by {@link close}, and the process with it.
   *
   * @param options - A port, or where else to listen. By default the port is `$PORT`, or else 3000.
   * @throws Error if the port is in use, or the app is served already.
   */
  listen(options: number | string | ListenOptions = {}): Bun.Server<unknown> {
    if (this.#server !== undefined || this.#isDefaultExport) throw servedAlready();
    const place = typeof options === "object" ? options : { port: options };
    if ("idleTimeout" in place) this.#getSite().idleTimeout = place.idleTimeout;
    const server = serve({
      ...place,
      fetch: this.fetch,
      routes: this.routes,
      websocket: this.#websocket,
      maxRequestBodySize: this.#largestBody,
    });
    this.#server = server;
    startService(server, this.#service);
    this.#logLines();
    this.#startup.beginOrExit();
    console.info(`${this.constructor.name} is at ${server.url.href}`);
    this.#announce();
    return server;
  }

  /**
   * Runs {@link onStart}, once, of this app and of those mounted in it. Happens by itself before the first request;
   * call it where an app is mounted elsewhere, to know early whether it can start.
   *
   * @throws what `onStart` throws.
   */
  async start(): Promise<void> {
    await this.#startup.begin();
  }

  /**
   * Ends the app: ends streams and sockets, ends connections with their next response, takes no new ones, lets requests under
   * way finish for up to `shutdownTimeout`, and what {@link waitUntil} was given; then calls {@link onStop}, closes
   * what the app owns and the session backend. No request is cut before that, and nothing that was acknowledged is
   * lost.
   */
  close(): Promise<void> {
    return stopService(this.#service);
  }

  get #largestBody(): number {
    return Math.max(this.#limits.maxBodyBytes, this.#limits.maxUploadBytes);
  }

  get #root(): App {
    return this.#parent === undefined ? (this as unknown as App) : this.#parent.#root;
  }

  #visit(asked: string): Visit {
    const visit = visits.getStore();
    if (visit !== undefined) return visit;
    throw new Error(
      `this.${asked} exists only while a request is being handled: in a page, or in what a page calls. Bun reads a ReadableStream later: read this.${asked} before, or return a generator, where it works.`,
    );
  }

  #makeFetch(site: Site): (request: Request, server?: AppServer) => MaybePromise<Response> {
    return (request, server) => {
      // Bun does not say which server it has made for a default export, except to its requests.
      if (this.#isDefaultExport) this.#server ??= server;
      if (!this.#startup.isDone) {
        if (this.#startup.hasEnded) return unavailable("This service has ended.");
        const started = this.#startup.tryBegin();
        if (isPromise(started)) return this.#answerLater(site, request, server, started);
      }
      return serveVisit(new Visit(site, request, server));
    };
  }

  async #answerLater(
    site: Site,
    request: Request,
    server: AppServer | undefined,
    started: Promise<boolean>,
  ): Promise<Response> {
    if (await started) return serveVisit(new Visit(site, request, server));
    return unavailable("This service could not start.");
  }

  async #idle(): Promise<void> {
    const site = this.#site;
    if (site === undefined || site.underWay === 0) return;
    await new Promise<void>((resolve) => {
      const other = site.onIdle;
      site.onIdle = () => {
        site.onIdle = undefined;
        other?.();
        resolve();
      };
    });
  }

  /** This app and those mounted in it, the outer first. */
  #members(): readonly Member[] {
    const own: Member = {
      resources: this.#resources,
      onStart: () => this.onStart(),
      onStop: () => this.onStop(),
    };
    return [own, ...this.#mounted.flatMap(({ app }) => app.#members())];
  }

  #getSite(): Site {
    if (this.#site !== undefined) return this.#site;
    const sessions = this.#sessions as unknown as Sessions;
    const hasOnRequest = this.onRequest !== App.prototype.onRequest;
    this.#site = {
      sessions,
      table: new RouteTable(this.#branches("", [])),
      ...this.#limits,
      idleTimeout: DEFAULT_IDLE_TIMEOUT,
      live: new LiveSet(),
      onSessionEnd: (open, listener) => sessions.onEnd(open.session as Session, listener),
      isEnding: false,
      farewells: 0,
      underWay: 0,
      onIdle: undefined,
      log: this.#log,
      onRequest: hasOnRequest ? (request, ip) => this.onRequest(request, ip) : undefined,
    };
    return this.#site;
  }

  /** This app and those mounted in it, each with its place. */
  #branches(prefix: string, above: readonly Middleware[]): readonly Branch[] {
    const chain = [...above, ...(this.#middleware as unknown as Middleware[])];
    const own: Branch = {
      app: this,
      prefix,
      chain,
      pages: collectPages(this, App.prototype),
      onError: (error) => this.onError(error),
      onReport: (error, request) => this.onReport(error, request),
    };
    const below = this.#mounted.flatMap(({ prefix: mount, app }) =>
      app.#branches(joinPatterns(prefix, mount), chain),
    );
    return [own, ...below];
  }

  #refuseLate(what: string): void {
    if (this.#root.#site === undefined) return;
    throw new Error(
      `this.${what} was called after the app had begun to answer requests. Call it in the constructor.`,
    );
  }

  /** Developers see each request on the console, unless the app has its own log, or none. */
  #logLines(): void {
    if (this.#options.log === undefined && isWatched()) this.#getSite().log = LINES;
  }

  #announce(): void {
    console.info(this.#getSite().table.lines().join("\n"));
  }
}

function toBackend(name: string, { session, sessionBackend }: AppOptions): SessionBackend {
  const now = session?.now;
  const backend = sessionBackend ?? new InMemorySessionBackend(now === undefined ? {} : { now });
  return backend instanceof InMemorySessionBackend ? keepThroughReload(name, backend) : backend;
}

function unavailable(message: string): Response {
  return new Response(message, { status: 503 });
}

function servedAlready(): Error {
  return new Error(
    "This app is being served already. Call listen() once, and not on an app that is the default export: Bun serves that.",
  );
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(`\`${name}\` is ${value}; it has to be a number above 0.`);
}
