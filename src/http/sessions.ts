import { escapeError } from "../session/log.ts";
import { SessionManager } from "../session/manager.ts";
import type { OpenSession, SomeOpenSession } from "../session/open-session.ts";
import type { SessionsOptions as ManagerOptions } from "../session/options.ts";
import { SESSION_OPTIONS } from "../session/options.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import { SessionStoreError } from "../store/errors.ts";
import { refuseUnknown } from "../store/known-options.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { CrossOriginOptions } from "./cross-origin.ts";
import { CROSS_ORIGIN_OPTIONS, CrossOriginPolicy } from "./cross-origin.ts";
import { CrossOriginError } from "./errors.ts";
import { refuseUnsendable, withCookie, withPrivacy } from "./headers.ts";

/**
 * Options of {@link Sessions}: those of the session layer, the backend, and which origins to trust.
 */
export interface SessionsOptions extends ManagerOptions, CrossOriginOptions {}

/** A handler that {@link Sessions.wrap} takes. */
type Handler<
  Data extends SessionShape<Data>,
  Incoming extends Request,
  Rest extends unknown[],
  Answer,
> = (request: Incoming, session: Session<Data>, ...rest: Rest) => MaybePromise<Answer>;

/**
 * The sessions of a service without `App`. On plain `Bun.serve`, {@link wrap} the handlers; for
 * Elysia and Hono, pass the instance to the plugin. An integration of your own calls {@link enter},
 * runs the handler with `open.session`, and sends the response that {@link commit} returns.
 *
 * ```ts
 * const sessions = new Sessions<{ visits: number }>({ backend });
 * Bun.serve({ routes: { "/": sessions.wrap((request, session) => new Response("…")) } });
 * ```
 */
export class Sessions<Data extends SessionShape<Data> = AnySession> extends SessionManager<Data> {
  readonly #policy: CrossOriginPolicy;

  /** @throws TypeError for an unknown or invalid option, with the remedy. */
  constructor(options: SessionsOptions) {
    refuseUnknown("Sessions", options, ["backend", ...SESSION_OPTIONS, ...CROSS_ORIGIN_OPTIONS]);
    super(options);
    this.#policy = new CrossOriginPolicy(options);
  }

  /** The response to a trusted origin's CORS preflight; `undefined` for any other request. */
  answerPreflight(request: Request): Response | undefined {
    return this.#policy.answerPreflight(request);
  }

  /**
   * Checks the request for CSRF and opens its session, to be ended with {@link commit}. Returns a
   * promise only if the store does.
   *
   * @throws CrossOriginError (403) for an unsafe request or a WebSocket handshake from another
   *   site's page.
   * @throws SessionStoreError (503) if the store fails, or takes longer than `storeTimeout`.
   */
  enter(request: Request): MaybePromise<OpenSession<Data>> {
    this.#policy.check(request);
    return this.open(request);
  }

  /**
   * Stores the handler's changes to the session, and returns the response with the session's cookie
   * and cache headers. Committing the same session again does nothing more. For a response with a
   * status of 500 or more, nothing is stored except a `destroy()`: if the handler throws, commit
   * the error response. A handshake that {@link upgradeHeaders} has prepared needs no commit.
   *
   * @throws SessionStoreError (503) if the store fails: send the error's `toResponse()` instead of
   *   the response.
   * @throws SessionDataError if JSON cannot hold the session's data, or if it exceeds `maxBytes`.
   * @throws TypeError if another instance has opened the session, or if the response's body was
   *   sent or read before.
   */
  commit(open: SomeOpenSession, response: Response): MaybePromise<Response> {
    this.refuseForeign(open);
    return this.#commit(open, response);
  }

  #commit(open: SomeOpenSession, response: Response): MaybePromise<Response> {
    refuseUnsendable(response);
    const setCookie = this.settle(open, response.status);
    return isPromise(setCookie)
      ? this.#finishLater(open, response, setCookie)
      : this.finish(open, response, setCookie);
  }

  async #finishLater(
    open: SomeOpenSession,
    response: Response,
    setCookie: Promise<string | undefined>,
  ): Promise<Response> {
    return this.finish(open, response, await setCookie);
  }

  /**
   * @internal The `Set-Cookie` line for an error response, if any. `App`, `wrap`, Elysia and Hono
   * call it when the handler threw or the session could not be stored; it neither throws nor
   * rejects. A cookie is needed after a `destroy()`, and after a `save()` that changed the id: the
   * old one is dead.
   */
  settleFailure(open: SomeOpenSession): MaybePromise<string | undefined> {
    try {
      const setCookie = this.settle(open, 500);
      return isPromise(setCookie) ? setCookie.catch(keepCookie) : setCookie;
    } catch {
      return keepCookie();
    }
  }

  /**
   * @internal Logs a store's failure and returns its 503. `wrap`, Elysia and Hono send that
   * response.
   */
  toUnavailable(error: SessionStoreError): Response {
    console.error(escapeError(error));
    return error.toResponse();
  }

  /**
   * Makes a `Bun.serve` handler of one that takes the session as its second argument. Further
   * arguments, such as Bun's server, follow. A handler that upgrades the request to a WebSocket
   * passes the headers from {@link upgradeHeaders} to `server.upgrade()` and returns nothing.
   *
   * The wrapped handler returns a promise only if the handler or the store does, or if something
   * fails. It answers unsafe requests and handshakes from other sites' pages with 403, and requests
   * that need the store with 503 while the store is down. Other errors are rethrown. If the handler
   * called `destroy()` before, Bun's response to the error clears the cookie, provided that the
   * wrapped handler is in `routes`: in `fetch` Bun offers no way to do so. The session has ended in
   * either case, and its cookie opens nothing.
   */
  wrap<
    Incoming extends Request,
    Rest extends unknown[] = [server: Bun.Server<undefined>],
    Answer extends Response | undefined | void = Response,
  >(
    handler: Handler<Data, Incoming, Rest, Answer>,
  ): (request: Incoming, ...rest: Rest) => MaybePromise<Answer | Response> {
    return (request, ...rest) => {
      const preflight = this.answerPreflight(request);
      if (preflight !== undefined) return preflight;
      let entered: OpenSession<Data> | undefined;
      try {
        const open = this.enter(request);
        if (isPromise(open)) return this.#handleLater(handler, request, rest, open);
        entered = open;
        const answer = handler(request, open.session, ...rest);
        if (!(answer instanceof Response)) return this.#answerLater(request, open, answer);
        const sent = this.#commit(open, answer);
        return isPromise(sent) ? this.#sendLater(request, open, sent) : sent;
      } catch (error) {
        return this.#answerError(request, entered, error);
      }
    };
  }

  async #handleLater<Incoming extends Request, Rest extends unknown[], Answer>(
    handler: Handler<Data, Incoming, Rest, Answer>,
    request: Incoming,
    rest: Rest,
    opening: Promise<OpenSession<Data>>,
  ): Promise<Answer | Response> {
    let open: OpenSession<Data> | undefined;
    try {
      open = await opening;
      return await this.#sendAnswer(open, await handler(request, open.session, ...rest));
    } catch (error) {
      return this.#answerError(request, open, error);
    }
  }

  async #answerLater<Answer>(
    request: Request,
    open: OpenSession<Data>,
    answer: MaybePromise<Answer>,
  ): Promise<Answer | Response> {
    try {
      return await this.#sendAnswer(open, await answer);
    } catch (error) {
      return this.#answerError(request, open, error);
    }
  }

  async #sendLater(
    request: Request,
    open: OpenSession<Data>,
    sent: Promise<Response>,
  ): Promise<Response> {
    try {
      return await sent;
    } catch (error) {
      return this.#answerError(request, open, error);
    }
  }

  /** A handler that returns no response has upgraded the request to a WebSocket. */
  async #sendAnswer<Answer>(open: OpenSession<Data>, answer: Answer): Promise<Answer | Response> {
    if (answer instanceof Response) return this.#commit(open, answer);
    await this.settleUpgrade(open);
    return answer;
  }

  /** @throws what the handler threw. */
  async #answerError(
    request: Request,
    open: OpenSession<Data> | undefined,
    error: unknown,
  ): Promise<Response> {
    const setCookie = open === undefined ? undefined : await this.settleFailure(open);
    if (error instanceof CrossOriginError) return error.toResponse();
    if (error instanceof SessionStoreError) {
      const response = this.toUnavailable(error);
      return open === undefined
        ? this.addHeaders(request, response, undefined)
        : this.finish(open, response, setCookie);
    }
    setRequestCookie(request, setCookie);
    throw error;
  }

  /**
   * @internal The response with the headers that it needs: `Vary`, the cookie and those of CORS.
   * `wrap`, Elysia and Hono call it with the line that {@link settle} or {@link settleFailure}
   * returned.
   */
  finish(open: SomeOpenSession, response: Response, setCookie: string | undefined): Response {
    const answer = open.isAccessed ? withPrivacy(response) : response;
    return this.addHeaders(open.request, answer, setCookie);
  }

  /** @internal Like {@link finish}, but adds no `Vary: Cookie`, which `App` adds itself. */
  addHeaders(request: Request, response: Response, setCookie: string | undefined): Response {
    const shared = this.#policy.share(request, response);
    return setCookie === undefined ? shared : withCookie(shared, setCookie, this.cookie.name);
  }
}

/** The store's failure has been reported, and the response is an error already. */
function keepCookie(): undefined {
  return undefined;
}

/** In `routes`, Bun adds the cookies that are set on the request to every response. */
function setRequestCookie(request: Request, setCookie: string | undefined): void {
  const { cookies } = request as { readonly cookies?: unknown };
  if (setCookie === undefined || !(cookies instanceof Bun.CookieMap)) return;
  cookies.set(Bun.Cookie.parse(setCookie));
}
