/// <reference types="bun-types" preserve="true" />
import "../runtime.ts";
import type { CookieRequest } from "@elysiajs/cookie";
import { cookie } from "@elysiajs/cookie";
import { Elysia } from "elysia";

import type { Sessions } from "../http/sessions.ts";
import { escapeError } from "../session/log.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import { SessionStoreError } from "../store/errors.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";

/** How the plugin is set up. */
export interface SessionsPluginOptions<Key extends string> {
  /** What the session is called in the context; `session` by default. */
  readonly key?: Key;
}

/** A plugin that adds the session to the context of the app that uses it. */
type Plugin<Data extends SessionShape<Data>, Key extends string> = Elysia<
  "",
  { decorator: {}; store: {}; derive: {}; resolve: {} },
  { typebox: {}; error: {} },
  { schema: {}; standaloneSchema: {}; macro: {}; macroFn: {}; parser: {}; response: {} },
  {},
  {
    derive: { readonly [Name in Key]: Session<Data> };
    resolve: {};
    schema: {};
    standaloneSchema: {};
    response: {};
  }
>;

/** Elysia's context, as far as it is asked something here. */
interface Context {
  readonly request: Request;
  /** What was thrown, once something was. */
  readonly error?: unknown;
  /** There for WebSockets, and where a handler asks for it. */
  readonly server?: Pick<Bun.Server<unknown>, "requestIP"> | null;
}

/** One plugin for a manager and a key: Elysia runs it once, however often an app and its parts use it. */
const plugins = new WeakMap<object, Map<string, unknown>>();
let count = 0;

/**
 * An Elysia plugin that gives handlers the visitor's session, as `session` in their context, and
 * stores it before the response leaves.
 *
 * ```ts
 * const manager = new Sessions<{ visits: number }>({ backend });
 * new Elysia().use(sessions(manager)).get("/", ({ session }) => `${session.visits}`);
 * ```
 *
 * It is there for the routes that come after it, in the app that uses it and in its groups. Parts of
 * an app can use it as well, for its type: it still runs once. A WebSocket whose handshake begins a
 * session sends its cookie by `Object.assign(set.headers, await manager.upgradeHeaders(session))`, in
 * `upgrade`.
 *
 * While the store is down, `onError` gets a `SessionStoreError`; where nothing handles it the answer is
 * 503. If the store fails after the handler the answer is 503 in any case.
 */
export function sessions<
  Data extends SessionShape<Data> = AnySession,
  const Key extends string = "session",
>(manager: Sessions<Data>, options: SessionsPluginOptions<Key> = {}): Plugin<Data, Key> {
  const { key = "session" } = options;
  const ofManager = plugins.get(manager) ?? new Map<string, unknown>();
  const plugin = ofManager.get(key) ?? createPlugin(manager, key);
  plugins.set(manager, ofManager.set(key, plugin));
  return plugin as Plugin<Data, Key>;
}

function createPlugin<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  key: string,
): unknown {
  const visits = new WeakMap<Request, Visit<Data>>();
  const around = (answer: (request: Request) => MaybePromise<Response>) => (request: Request) => {
    const preflight = manager.answerPreflight(request);
    if (preflight !== undefined) return preflight;
    const visit = new Visit(manager, request);
    visits.set(request, visit);
    try {
      const response = answer(request);
      return isPromise(response) ? visit.endLater(response) : visit.end(response);
    } catch (error) {
      return visit.abandon(error);
    }
  };
  function getSession(this: Context): Session<Data> | undefined {
    return visits.get(this.request)?.session;
  }
  const begin = (context: Context): MaybePromise<void> => {
    const visit = visits.get(context.request);
    if (visit === undefined) {
      throw new Error(
        "Without `aot` Elysia leaves no way to store a session after the handler. Leave out `aot: false`.",
      );
    }
    // Not as what this hook returns: Elysia would read that, and a session that was read has to be
    // decoded, and makes its response vary with the cookie. `Object.defineProperty` would take 2 µs.
    (context as unknown as WithGetters).__defineGetter__(key, getSession);
    return visit.begin(context);
  };
  const beginLater = async (context: Context): Promise<void> => begin(context);
  const beginAtOnce = (context: Context): void => {
    if (isPromise(begin(context))) {
      throw new TypeError(
        "The session store answered with a promise, and says that it never does. Make its `isSynchronous` false.",
      );
    }
  };
  return (
    new Elysia({ name: "bunpie/elysia", seed: ++count })
      // Around everything, for no hook is called on every way to a response. Some ways have none, of
      // several hooks the first that answers is the last that is called, and a generator begins after
      // all of them. Besides, an `onError` hook here would have Elysia call the app's `mapResponse` for
      // every error, where it does not otherwise.
      .wrap(around as unknown as Parameters<Elysia["wrap"]>[0])
      // Bound, to hide its source. Elysia reads that to see what a hook needs, and of one that hands its
      // context on it believes: everything. It would parse cookies, headers, query and body in advance,
      // for every handler, and leave none to those that read the body by themselves.
      // It awaits a hook only if that is asynchronous by itself, and then its whole route is.
      .derive({ as: "scoped" }, (manager.isSynchronous ? beginAtOnce : beginLater).bind(undefined))
  );
}

interface WithGetters {
  __defineGetter__(name: string, getter: () => unknown): void;
}

/** A request on its way through Elysia. */
class Visit<Data extends SessionShape<Data>> {
  readonly #manager: Sessions<Data>;
  readonly #request: Request;
  #open: OpenSession<Data> | undefined;
  #context: Context | undefined;
  #errorBefore: unknown;

  constructor(manager: Sessions<Data>, request: Request) {
    this.#manager = manager;
    this.#request = request;
  }

  /** The session, once it is open. */
  get session(): Session<Data> | undefined {
    return this.#open?.session;
  }

  /** Opens the session. */
  begin(context: Context): MaybePromise<void> {
    this.#context = context;
    this.#errorBefore = context.error;
    const open = this.#manager.enter(this.#request);
    if (isPromise(open)) return this.#beginLater(open);
    this.#open = open;
  }

  async #beginLater(open: Promise<OpenSession<Data>>): Promise<void> {
    this.#open = await open;
  }

  /** The same as {@link end}, for a response that comes later. */
  async endLater(answer: Promise<Response>): Promise<Response> {
    return this.end(await answer.catch((error: unknown) => this.abandon(error)));
  }

  /** Stores what was done to the session, and gives the response its cookie. */
  end(response: Response): MaybePromise<Response> {
    const failure = this.#failure;
    if (failure instanceof SessionStoreError) console.error(escapeError(failure));
    const open = this.#open;
    if (open === undefined) return response;
    try {
      if (this.#isUpgraded) return this.#endUpgrade(open, response);
      const status = failure === undefined ? response.status : 500;
      const settled = this.#manager.settle(open, status);
      return isPromise(settled)
        ? this.#sendLater(open, response, settled)
        : this.#send(open, response, settled);
    } catch (error) {
      return this.#refuse(open, error);
    }
  }

  /** One of the app's own hooks has thrown where Elysia makes no response of that, such as in `onError`. */
  async abandon(error: unknown): Promise<never> {
    if (this.#open !== undefined) await this.#manager.settle(this.#open, 500);
    throw error;
  }

  /** What was thrown on the way, and made into a response by Elysia, which notes it in the context. */
  get #failure(): unknown {
    const error = this.#context?.error;
    return error === this.#errorBefore ? undefined : error;
  }

  /** Bun no longer knows where a request came from that has become a WebSocket. */
  get #isUpgraded(): boolean {
    if (this.#request.headers.get("upgrade")?.toLowerCase() !== "websocket") return false;
    return this.#context?.server?.requestIP(this.#request) === null;
  }

  async #endUpgrade(open: OpenSession<Data>, response: Response): Promise<Response> {
    try {
      await this.#manager.settleUpgrade(open);
      return response;
    } catch (error) {
      return this.#refuse(open, error);
    }
  }

  async #sendLater(
    open: OpenSession<Data>,
    response: Response,
    settled: Promise<string | undefined>,
  ): Promise<Response> {
    try {
      return this.#send(open, response, await settled);
    } catch (error) {
      return this.#refuse(open, error);
    }
  }

  /** The response, instead of the app's, for a session that cannot be stored. */
  async #refuse(open: OpenSession<Data>, error: unknown): Promise<Response> {
    return this.#send(open, this.#toResponse(error), await this.#manager.settleFailure(open));
  }

  #toResponse(error: unknown): Response {
    if (error instanceof SessionStoreError) return this.#manager.toUnavailable(error);
    console.error(escapeError(error));
    return new Response("Internal Server Error", { status: 500 });
  }

  #send(open: OpenSession<Data>, response: Response, setCookie: string | undefined): Response {
    const line = setCookie === undefined ? undefined : carried(this.#request, setCookie);
    return this.#manager.finish(open, response, line);
  }
}

/** The headers that `@elysiajs/cookie` writes to. */
interface CookieHeaders {
  "Set-Cookie"?: string[];
}

/** The one hook of `@elysiajs/cookie`. */
const [cookieHook] = (cookie().event.transform ?? []) as unknown as readonly [
  { fn: (context: { request: Request; set: { headers: CookieHeaders } }) => CookieRequest },
];

/**
 * The `Set-Cookie` line, as `@elysiajs/cookie` writes it. Its hook is called here, when there is a cookie
 * to send, and not on every request by Elysia:
 *
 * - Its `cookie` would take the place of Elysia's own, for all handlers, and an app's
 *   `cookie.theme.value = "dark"` would be lost.
 * - Elysia joins the lines that it leaves on the context into one, which browsers do not understand,
 *   and drops them for a `Response` with cookies of its own.
 *
 * For reading, the header itself is asked: of two cookies of one name `@elysiajs/cookie` takes the first,
 * and it trims all that Unicode calls a space off a name, so that a cookie planted by another site would
 * pass for the session's.
 */
function carried(request: Request, line: string): string {
  const { name, value, maxAge, domain, path, secure, httpOnly, sameSite, partitioned } =
    Bun.Cookie.parse(line);
  const headers: CookieHeaders = {};
  const attributes = { maxAge, domain: domain ?? undefined, path, secure, httpOnly, sameSite };
  cookieHook.fn({ request, set: { headers } }).setCookie(name, value, attributes);
  const [written = ""] = headers["Set-Cookie"] ?? [];
  // It does not know this attribute.
  return partitioned ? `${written}; Partitioned` : written;
}
