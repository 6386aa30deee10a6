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
import { LONGEST_TIMER } from "../store/sweeper.ts";
import { redirect } from "./answers.ts";
import type { BodyLimits } from "./body.ts";
import { isWatched } from "./development.ts";
import { showError } from "./error-page.ts";
import type { HttpError } from "./errors.ts";
import type { LoginDemand } from "./guards.ts";
import { findWayBack, requireLogin } from "./guards.ts";
import { keepThroughReload } from "./hot.ts";
import { closeService, DEFAULT_EXPORT, startService } from "./lifecycle.ts";
import type { Service, StoppableServer } from "./lifecycle.ts";
import type { Linkable, LinkArguments } from "./link.ts";
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
import { serve } from "./serve.ts";
import type { ServerLike } from "./server-like.ts";
import type { WebSocketHandlers } from "./sockets.ts";
import { makeHandlers } from "./sockets.ts";
import type { Member } from "./startup.ts";
import { Startup } from "./startup.ts";
import type { Branch } from "./table.ts";
import { RouteTable } from "./table.ts";
import type { ResponseDraft, Site } from "./visit.ts";
import { Visit, visits } from "./visit.ts";

/** The options of an {@link App}. */
export interface AppOptions extends CrossOriginOptions {
  /** Where sessions are stored; in the memory of this process by default. */
  readonly sessionBackend?: SessionBackend;
  /** Timeouts, cookie and limits of sessions. */
  readonly session?: SessionOptions;
  /** The largest request body, in bytes; 1 MiB by default. A larger body gets 413. */
  readonly maxBodyBytes?: number;
  /**
   * The largest body with uploaded files, in bytes; `maxBodyBytes` by default. See
   * {@link AppRequest.parts}.
   */
  readonly maxUploadBytes?: number;
  /** How long shutdown waits for requests in progress, in milliseconds; 10,000 by default. */
  readonly shutdownTimeout?: number;
  /**
   * The largest WebSocket message, in bytes; 64 KiB by default. A larger one closes the socket with
   * 1009.
   */
  readonly maxMessageBytes?: number;
  /** Where {@link App.requireLogin} sends visitors; `/login` by default. */
  readonly loginPage?: string;
  /**
   * Called once for each request, when its response is ready; what it throws does not reach the
   * visitor. By default a served app prints a line for each request on the console, unless
   * `NODE_ENV` is `production` or `test`; `false` turns that off.
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

/** The part of Bun's server that an app uses. */
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
/** Bun's default, in seconds. */
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
 * `/` calls `index()`, `/greet/Ann` calls `greet("Ann")`. A method answers GET, HEAD and POST, and
 * takes exactly as many segments as it has parameters. A field such as
 * `cart = { GET: () => …, POST: () => … }` answers the verbs that it lists, and a field made by
 * {@link routes} the patterns that it lists. `ws_chat(socket, room)` is the WebSocket page at
 * `/chat/:1`. Names that begin with `_` or `#` are not pages.
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

  /** @throws TypeError for an unknown or invalid option, with the remedy. */
  constructor(options: AppOptions = {}) {
    refuseMisplaced(options);
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
    const shutdownTimeout = Math.min(
      positive("shutdownTimeout", options.shutdownTimeout ?? DEFAULT_SHUTDOWN_TIMEOUT),
      LONGEST_TIMER,
    );
    this.#service = {
      backend,
      shutdownTimeout,
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

  // For pages, while a request is being handled.

  /**
   * The request being answered, for pages and everything that they call.
   *
   * @throws Error outside a request.
   */
  get request(): AppRequest<Data> {
    return this.#visit("request").request as unknown as AppRequest<Data>;
  }

  /**
   * Headers to add to the response, whatever it will be, error responses included.
   *
   * @throws Error outside a request, and once the headers have been sent, as in a generator that a
   *   page returned.
   */
  get response(): ResponseDraft {
    return this.#visit("response").draft;
  }

  /** The app's sessions, for instance to list and revoke those of a user. */
  get sessions(): Sessions<Data> {
    return this.#root.#sessions as unknown as Sessions<Data>;
  }

  /**
   * Returns the id of the user who is logged in. Redirects other visitors to `loginPage`, from
   * where {@link redirectBack} returns them; a request that does not accept HTML gets 401.
   * `{ fresh: 300 }` demands a login within the last 300 seconds: use it before anything sensitive,
   * so that visitors confirm their password.
   *
   * @throws Response 303 to the login page; HttpError 401.
   */
  requireLogin(demand: LoginDemand = {}): string {
    const { loginPage = "/login" } = this.#root.#options;
    return requireLogin(this.#visit("requireLogin()").request, loginPage, demand);
  }

  /**
   * A response that redirects the browser to `location`, with status 302 by default. Spaces,
   * control and non-ASCII characters in the location are percent-encoded.
   *
   * Return it: a page that makes one and returns nothing fails, with an error that says so.
   *
   * @throws RangeError if the status is not 301, 302, 303, 307 or 308.
   */
  redirect(location: string, status = 302): Response {
    const response = redirect(location, status);
    const visit = visits.getStore();
    if (visit !== undefined) visit.hasRedirect = true;
    return response;
  }

  /**
   * A response that redirects the browser (303) to where it came from: the page that
   * {@link requireLogin} interrupted, or the page with the form that was sent. Only to pages of
   * this host, to prevent open redirects; otherwise to `fallback`.
   */
  redirectBack(fallback = "/"): Response {
    return this.redirect(findWayBack(this.#visit("redirectBack()").request, fallback), 303);
  }

  /**
   * The path of a page, given its method or field and the values of its segments, percent-encoded,
   * below the path at which its app is mounted: `this.link(this.greet, "Ann")`,
   * `this.link(this.users, "/:id", 7)`. In TypeScript, a page that links to itself needs an
   * explicit return type.
   *
   * @throws TypeError if `page` is not a page or a value cannot be a segment.
   */
  link<Page extends Linkable>(page: Page, ...values: LinkArguments<Page>): string {
    return toLink(this.#root.#getSite().table, this, page, values);
  }

  // For the app's constructor and fields.

  /**
   * Wraps a function around the pages of this app and of those mounted in it. The function runs
   * with the session open; the first one added is the outermost. See {@link Middleware}.
   *
   * @throws TypeError for what is no function; Error once the app has begun to answer requests.
   */
  use(middleware: Middleware<AppRequest<Data>>): void {
    this.#refuseLate("use()");
    if (typeof middleware !== "function") {
      throw new TypeError("this.use() takes a function: this.use((request, next) => next()).");
    }
    this.#middleware.push(middleware);
  }

  /**
   * Adds an app's pages below a path of this one: `this.mount("/api", new Api())`. The mounted app
   * shares this app's sessions, server, request and middleware, and may have middleware and an
   * `onError` of its own.
   *
   * @throws TypeError for a malformed path, and for an app that has options, is already in use, or
   *   would be mounted inside itself; Error once this app has begun to answer requests.
   */
  mount<Other extends SessionShape<Other>>(prefix: string, app: App<Other>): void {
    this.#refuseLate("mount()");
    checkPrefix(prefix);
    const child = app as unknown as App;
    if (typeof child !== "object" || child === null || !(#options in child)) {
      throw new TypeError('this.mount() takes an app of Bunpie: this.mount("/api", new Api()).');
    }
    const [option] = Object.keys(child.#options);
    if (option !== undefined) {
      throw new TypeError(
        `The app for "${prefix}" was made with \`${option}\`. A mounted app uses the options of the outermost app: set it there.`,
      );
    }
    if (child.#parent !== undefined || child.#site !== undefined) {
      throw new TypeError(`The app for "${prefix}" is in use already. Make another: new …().`);
    }
    if (child === this.#root) {
      throw new TypeError(
        `The app for "${prefix}" would be mounted inside itself. Make another: new …().`,
      );
    }
    child.#parent = this as unknown as App;
    void child.#sessions.close();
    this.#mounted.push({ prefix, app: child });
  }

  /**
   * Takes ownership of a resource and returns it: `db = this.own(new Database("shop.db"))`. When
   * the app ends, `close` closes the resource, by default with the resource's own `close()`; the
   * last one owned is closed first.
   */
  own<Resource extends Closable>(resource: Resource): Resource;
  own<Resource>(resource: Resource, close: (resource: Resource) => unknown): Resource;
  own(resource: unknown, close = (each: unknown): unknown => (each as Closable).close()): unknown {
    return this.#resources.own(resource, close);
  }

  /**
   * Lets work continue after the response, such as sending a mail. Shutdown waits for it, up to
   * `shutdownTimeout`; if it fails, or changes the session without storing that by `save()` or
   * `update()`, {@link onReport} is called.
   *
   * @throws TypeError for what is no promise; Error outside a request.
   */
  waitUntil(work: Promise<unknown>): void {
    const visit = this.#visit("waitUntil()");
    if (!isPromise(work)) {
      throw new TypeError("this.waitUntil() takes a promise: call the function, as in send().");
    }
    const done = work.then(() => {
      if (visit.hasLeft) visit.reportLost();
    });
    this.#resources.waitUntil(done, (error) => this.#report(error, visit.raw));
  }

  // For apps to override.

  /**
   * Called once, before the first request; requests wait for it, and so does shutdown, up to
   * `shutdownTimeout`. If it fails, a served app exits the process with code 1.
   */
  onStart(): MaybePromise<void> {}

  /**
   * Called once when the app ends, after its requests are answered and before the resources that it
   * owns are closed.
   */
  onStop(): MaybePromise<void> {}

  /**
   * Called before anything else, without a session. A returned Response ends the request; a
   * returned Request replaces the original. `ip` is the client's address; behind a proxy, the
   * proxy's. Only the outermost app's `onRequest` is called.
   */
  onRequest(_request: Request, _ip: string | null): MaybePromise<Response | Request | void> {}

  /**
   * Decides what visitors see of an error: returns anything that a page may return, which is sent
   * with the error's status. Anything else that was thrown arrives as the `cause` of an HttpError,
   * usually with status 500. By default a mounted app calls the `onError` of the app it is mounted
   * in, and the outermost app sends browsers a page (in development with details of a bug), clients
   * that accept JSON `application/problem+json` (RFC 9457), and others text.
   */
  onError(error: HttpError): unknown {
    if (this.#parent !== undefined) return this.#parent.onError(error);
    return showError(error, this.#visit("onError()"));
  }

  /**
   * Called with every error whose details visitors do not see; by default, writes it to the
   * console. Override it for error trackers. Responses do not wait for it; shutdown does, up to
   * `shutdownTimeout`. What it throws is written to the console. By default a mounted app calls the
   * `onReport` of the app it is mounted in.
   */
  onReport(error: unknown, request: Request): MaybePromise<void> {
    if (this.#parent !== undefined) return this.#parent.onReport(error, request);
    const page = escapeControls(`${request.method} ${toPath(request.url)}`);
    console.error("%s failed:", page, escapeError(error));
  }

  // For serving the app.

  /**
   * The whole app as one function, which can be mounted wherever a web-standard `fetch` handler
   * can. It returns a promise only if a page, its middleware or the session backend is
   * asynchronous, and never throws. A second argument that is not a server, such as the bindings
   * that Hono's `mount` passes, is ignored.
   *
   * @throws TypeError, on first access, for what looks like a page but cannot be one.
   */
  get fetch(): (request: Request, server?: AppServer) => MaybePromise<Response> {
    this.#fetch ??= this.#makeFetch(this.#getSite());
    return this.#fetch;
  }

  /**
   * The largest request body, in bytes. `Bun.serve` reads this property of a default export.
   * Reading it is the only sign that an app is served in that way, so such an app starts here.
   */
  get maxRequestBodySize(): number {
    if (!this.#isDefaultExport) {
      if (this.#server !== undefined) throw servedAlready();
      this.#isDefaultExport = true;
      startService(DEFAULT_EXPORT, this.#service);
      this.#logLines();
      this.#startup.beginOrExit();
      // If the port is in use, Bun reports that and exits before this runs.
      setTimeout(() => this.#announce(), 0);
    }
    return this.#largestBody;
  }

  /**
   * The handlers of the app's WebSockets, for `Bun.serve`. In a default export, Bun finds them
   * itself; elsewhere pass them on, together with the server:
   * `Bun.serve({ fetch: (request, server) => app.fetch(request, server), websocket: app.websocket })`.
   */
  get websocket(): WebSocketHandlers {
    return this.#websocket;
  }

  /**
   * The app's HTML imports by path, for `Bun.serve`. In a default export, Bun finds them itself;
   * elsewhere pass them on, together with `fetch`: `Bun.serve({ routes: app.routes, … })`.
   */
  get routes(): Record<string, Bun.HTMLBundle> {
    return this.#getSite().table.listHtmlImports();
  }

  /**
   * Serves the app and prints its routes. Requests wait for {@link onStart}. On SIGTERM and SIGINT
   * the app shuts down gracefully, as by {@link close}, and the process exits.
   *
   * @param options - A port, or where else to listen. By default the port is `$PORT`, or 3000.
   * @throws Error if the port is in use or the app is already being served; TypeError for what looks
   *   like a page but cannot be one.
   */
  listen(options: number | string | ListenOptions = {}): Bun.Server<unknown> {
    if (this.#server !== undefined || this.#isDefaultExport) throw servedAlready();
    const place = typeof options === "object" ? options : { port: options };
    if ("idleTimeout" in place)
      this.#getSite().idleTimeout = place.idleTimeout ?? DEFAULT_IDLE_TIMEOUT;
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
   * Runs {@link onStart} of this app and of those mounted in it, once. This happens automatically
   * before the first request; call it if the app is mounted in another server, to learn early
   * whether it can start.
   *
   * @throws what `onStart` throws; TypeError for what looks like a page but cannot be one.
   */
  async start(): Promise<void> {
    this.#getSite();
    await this.#startup.begin();
  }

  /**
   * Shuts the app down gracefully: ends streams and sockets, closes each connection after its next
   * response, stops accepting connections, waits up to `shutdownTimeout` for requests in progress
   * and again for a start in progress and the work passed to {@link waitUntil}; then calls
   * {@link onStop} and closes the app's resources and the session backend. No request is cut off
   * before the timeout, and nothing that was acknowledged is lost. A call during a shutdown, a
   * signal's too, waits for that shutdown.
   *
   * @throws what `onStop` or the closing of a resource or backend throws, after everything else is
   *   closed; AggregateError if several of them fail.
   */
  close(): Promise<void> {
    return closeService(this.#service);
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
      `this.${asked} is available only while a request is being handled: in a page, or in a function that a page calls. Bun reads a ReadableStream later: read this.${asked} before, or return a generator, in which it works.`,
    );
  }

  /** Calls {@link onReport}. Never throws. */
  #report(error: unknown, request: Request): void {
    try {
      const reported = this.onReport(error, request);
      if (isPromise(reported)) this.#resources.waitUntil(reported, complain);
    } catch (second) {
      complain(second);
    }
  }

  #makeFetch(site: Site): (request: Request, server?: AppServer) => MaybePromise<Response> {
    return (request, passed) => {
      // Frameworks pass their bindings in the server's place.
      const server = typeof passed?.requestIP === "function" ? passed : undefined;
      // For a default export, Bun passes the server that it made only along with requests.
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
    site.underWay += 1;
    const hasStarted = await started;
    site.underWay -= 1;
    if (hasStarted) return serveVisit(new Visit(site, request, server));
    if (site.underWay === 0) site.onIdle?.();
    return unavailable(
      this.#startup.hasEnded ? "This service has ended." : "This service could not start.",
    );
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

  /** This app and those mounted in it, outer before inner. */
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

  /** This app and those mounted in it, each with its prefix, middleware and pages. */
  #branches(prefix: string, above: readonly Middleware[]): readonly Branch[] {
    const chain = [...above, ...(this.#middleware as unknown as Middleware[])];
    const own: Branch = {
      app: this,
      prefix,
      chain,
      pages: collectPages(this, App.prototype),
      onError: (error) => this.onError(error),
      onReport: (error, request) => this.#report(error, request),
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

  /** In development, a served app logs each request on the console, unless `log` is set. */
  #logLines(): void {
    if (this.#options.log === undefined && isWatched()) this.#getSite().log = LINES;
  }

  #announce(): void {
    console.info(this.#getSite().table.listLines().join("\n"));
  }
}

function complain(error: unknown): void {
  console.error("An app's onReport failed:", escapeError(error));
}

/** @throws TypeError for an option of the session. */
function refuseMisplaced(options: object): void {
  const name = SESSION_OPTIONS.find((each) => each in options);
  if (name === undefined) return;
  throw new TypeError(`App has no option \`${name}\`. Write it as session: { ${name}: … }.`);
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
    "This app is already being served. Call listen() once, and not on the default export: Bun serves that itself.",
  );
}

function positive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(`\`${name}\` is ${value}; it has to be a number above 0.`);
}
