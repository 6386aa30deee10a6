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
import { addPrivacy, withCookie } from "./headers.ts";

/** Options for sessions that stand on their own. */
export interface SessionsOptions extends ManagerOptions, CrossOriginOptions {}

/** What {@link Sessions.wrap} makes a handler of. */
type Handler<
  Data extends SessionShape<Data>,
  Incoming extends Request,
  Rest extends unknown[],
  Answer,
> = (request: Incoming, session: Session<Data>, ...rest: Rest) => MaybePromise<Answer>;

/**
 * The sessions of a service, and what every door to them shares: `App`, {@link Sessions.wrap}, Elysia and
 * Hono each {@link enter} with a request, have its handler answer, and {@link commit} the response.
 *
 * ```ts
 * const sessions = new Sessions<{ visits: number }>({ backend });
 * Bun.serve({ routes: { "/": sessions.wrap((request, session) => new Response("…")) } });
 * ```
 */
export class Sessions<Data extends SessionShape<Data> = AnySession> extends SessionManager<Data> {
  readonly #policy: CrossOriginPolicy;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: SessionsOptions) {
    refuseUnknown("Sessions", options, ["backend", ...SESSION_OPTIONS, ...CROSS_ORIGIN_OPTIONS]);
    super(options);
    this.#policy = new CrossOriginPolicy(options);
  }

  /** The answer to a trusted origin's CORS preflight; `undefined` for any other request. */
  answerPreflight(request: Request): Response | undefined {
    return this.#policy.answerPreflight(request);
  }

  /**
   * Opens the session of a request that may come in. Returns a promise only if the store does.
   *
   * @throws CrossOriginError (403) for a write or a WebSocket handshake from another site's page.
   * @throws SessionStoreError (503) if the store fails, or takes longer than `storeTimeout`.
   */
  enter(request: Request): MaybePromise<OpenSession<Data>> {
    this.#policy.check(request);
    return this.open(request);
  }

  /**
   * Stores what the handler did to the session and gives the response its cookie and cache headers. A
   * response with a status of 500 or more stores nothing, except a `destroy()`. To do so again with the
   * same session does nothing more.
   *
   * @throws SessionStoreError (503) if the store fails: the response must not be sent then.
   * @throws SessionDataError if the session holds what JSON cannot, or more than `maxBytes`.
   */
  commit(open: SomeOpenSession, response: Response): MaybePromise<Response> {
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
   * For a handler that threw, or a session that could not be stored: the `Set-Cookie` line that goes with
   * the response to the error. There is one after a `destroy()`, and if `save()` had changed the id before:
   * by then the old one is dead. Neither throws nor rejects.
   */
  settleFailure(open: SomeOpenSession): MaybePromise<string | undefined> {
    try {
      const setCookie = this.settle(open, 500);
      return isPromise(setCookie) ? setCookie.catch(keepCookie) : setCookie;
    } catch {
      return keepCookie();
    }
  }

  /** The response to a request for which the store failed; what it said goes to the log. */
  toUnavailable(error: SessionStoreError): Response {
    console.error(escapeError(error));
    return error.toResponse();
  }

  /**
   * A `Bun.serve` handler with a session, from one that takes it as its second argument. Further
   * arguments, such as Bun's server, follow behind it. One that upgrades the request to a WebSocket
   * returns nothing, and passes {@link upgradeHeaders} to `server.upgrade()`.
   *
   * Returns a promise only if the handler or the store does, or something fails. Writes and handshakes
   * from other sites' pages are answered with 403. While the store is down the answer is 503; an error
   * that the handler throws goes on to whoever called. What a `destroy()` before it means for the cookie
   * goes out with Bun's response to the error, if the handler is in `routes`. In `fetch` Bun offers no
   * way: the session has ended all the same, and its cookie opens nothing.
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
        const sent = this.commit(open, answer);
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

  /** A handler that returned no response has upgraded the request to a WebSocket. */
  async #sendAnswer<Answer>(open: OpenSession<Data>, answer: Answer): Promise<Answer | Response> {
    if (answer instanceof Response) return this.commit(open, answer);
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
    setCookieOf(request, setCookie);
    throw error;
  }

  /** The response with the headers that it needs: `Vary`, the cookie, and those of CORS. */
  finish(open: SomeOpenSession, response: Response, setCookie: string | undefined): Response {
    if (open.isAccessed) addPrivacy(response.headers);
    return this.addHeaders(open.request, response, setCookie);
  }

  /** The same for a response that says by itself on what it depends. */
  addHeaders(request: Request, response: Response, setCookie: string | undefined): Response {
    const shared = this.#policy.share(request, response);
    return setCookie === undefined ? shared : withCookie(shared, setCookie, this.cookie.name);
  }
}

/** The store fails. That has been reported, and the response is an error already. */
function keepCookie(): undefined {
  return undefined;
}

/** In `routes`, Bun sends what is set on the request's cookies with whatever response there is. */
function setCookieOf(request: Request, setCookie: string | undefined): void {
  const { cookies } = request as { readonly cookies?: unknown };
  if (setCookie === undefined || !(cookies instanceof Bun.CookieMap)) return;
  cookies.set(Bun.Cookie.parse(setCookie));
}
