/// <reference types="bun-types" preserve="true" />
/**
 * Sessions in an Elysia app.
 *
 * @module bunpie/elysia
 */
import "../runtime.ts";
import type { CookieRequest } from "@elysiajs/cookie";
import { cookie } from "@elysiajs/cookie";
import { Elysia } from "elysia";

import { checkManager } from "../http/check-manager.ts";
import { refuseUnsendable } from "../http/headers.ts";
import type { Sessions } from "../http/sessions.ts";
import { escapeError } from "../session/log.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import { SessionStoreError } from "../store/errors.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";

/** Options of the plugin. */
export interface SessionsPluginOptions<Key extends string> {
  /** The session's name in the context; `session` by default. */
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

/** The parts of Elysia's context that are used here. */
interface Context {
  readonly request: Request;
  /** What was thrown, if anything. */
  readonly error?: unknown;
  /** Present for WebSockets, and if a handler uses it. */
  readonly server?: Pick<Bun.Server<unknown>, "requestIP"> | null;
}

/**
 * One plugin per manager and key: Elysia then runs it once, even if an app and its parts all use
 * it.
 */
const plugins = new WeakMap<object, Map<string, unknown>>();
let count = 0;

/**
 * An Elysia plugin that provides the visitor's session to handlers, as `session` in their context,
 * and stores it before the response is sent.
 *
 * ```ts
 * const manager = new Sessions<{ visits: number }>({ backend });
 * new Elysia().use(sessions(manager)).get("/", ({ session }) => `${session.visits}`);
 * ```
 *
 * The session is available to the routes after the plugin, in the app that uses it and in its
 * groups. Parts of an app can use the plugin too, for its type: it still runs once. If a
 * WebSocket's handshake begins a session, send its cookie in `upgrade`, with
 * `Object.assign(set.headers, await manager.upgradeHeaders(session))`.
 *
 * While the store is down, `onError` receives a `SessionStoreError` (503); if it is not handled,
 * the response is a 503. If the store fails after the handler, the response is always a 503. For an
 * unsafe request from another site's page, `onError` receives a `CrossOriginError` (403).
 */
export function sessions<
  Data extends SessionShape<Data> = AnySession,
  const Key extends string = "session",
>(manager: Sessions<Data>, options: SessionsPluginOptions<Key> = {}): Plugin<Data, Key> {
  checkManager(manager);
  const { key = "session" } = options;
  const byKey = plugins.get(manager) ?? new Map<string, unknown>();
  const plugin = byKey.get(key) ?? createPlugin(manager, key);
  plugins.set(manager, byKey.set(key, plugin));
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
        "With `aot: false`, Elysia offers no way to store a session after the handler. Leave out `aot: false`.",
      );
    }
    // A getter rather than this hook's result, which Elysia would read: that would decode every
    // session and add `Vary: Cookie` to every response. `Object.defineProperty` would take 2 µs.
    (context as unknown as WithGetters).__defineGetter__(key, getSession);
    return visit.begin(context);
  };
  const beginLater = async (context: Context): Promise<void> => begin(context);
  const beginAtOnce = (context: Context): void => {
    if (isPromise(begin(context))) {
      throw new TypeError(
        "The session store returned a promise although its `isSynchronous` is true. Set `isSynchronous` to false.",
      );
    }
  };
  return (
    new Elysia({ name: "bunpie/elysia", seed: ++count })
      // Around everything, because no hook runs for every response: some responses pass no hook,
      // the first of several hooks that answers keeps the others from running, and a generator
      // begins after all hooks. An `onError` hook would also make Elysia call the app's
      // `mapResponse` for every error, which it does not do otherwise.
      .wrap(around as unknown as Parameters<Elysia["wrap"]>[0])
      // Bound, to hide its source. Elysia reads a hook's source to find out what the hook needs,
      // and assumes that one which passes on its context needs everything: it would parse cookies,
      // headers, query and body in advance for every handler, and handlers could not read the body
      // themselves. Elysia awaits a hook only if it is an async function, which makes the whole
      // route asynchronous.
      .derive({ as: "scoped" }, (manager.isSynchronous ? beginAtOnce : beginLater).bind(undefined))
  );
}

interface WithGetters {
  __defineGetter__(name: string, getter: () => unknown): void;
}

/** A request in progress in Elysia. */
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

  /** Like {@link end}, for a promised response. */
  async endLater(answer: Promise<Response>): Promise<Response> {
    return this.end(await answer.catch((error: unknown) => this.abandon(error)));
  }

  /** Stores the changes to the session, and gives the response its cookie. */
  end(response: Response): MaybePromise<Response> {
    const failure = this.#failure;
    if (failure instanceof SessionStoreError) console.error(escapeError(failure));
    const open = this.#open;
    if (open === undefined) return this.#sendUnopened(response);
    try {
      if (this.#isUpgraded) return this.#endUpgrade(open, response);
      refuseUnsendable(response);
      const status = failure === undefined ? response.status : 500;
      const settled = this.#manager.settle(open, status);
      return isPromise(settled)
        ? this.#sendLater(open, response, settled)
        : this.#send(open, response, settled);
    } catch (error) {
      return this.#refuse(open, error);
    }
  }

  /** The response if no session was opened: the store has failed, or the plugin did not run. */
  #sendUnopened(response: Response): Response {
    if (this.#context === undefined) return response;
    return this.#manager.addHeaders(this.#request, response, undefined);
  }

  /** For an error that Elysia does not turn into a response, such as one thrown by `onError`. */
  async abandon(error: unknown): Promise<never> {
    if (this.#open !== undefined) await this.#manager.settle(this.#open, 500);
    throw error;
  }

  /** What was thrown and turned into a response by Elysia, which keeps the error in the context. */
  get #failure(): unknown {
    const error = this.#context?.error;
    return error === this.#errorBefore ? undefined : error;
  }

  /** Bun no longer knows the IP address of a request that has become a WebSocket. */
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

  /** The response that replaces the app's because the session cannot be stored. */
  async #refuse(open: OpenSession<Data>, error: unknown): Promise<Response> {
    return this.#send(open, this.#toResponse(error), await this.#manager.settleFailure(open));
  }

  #toResponse(error: unknown): Response {
    if (error instanceof SessionStoreError) return this.#manager.toUnavailable(error);
    console.error(escapeError(error));
    return new Response("Internal Server Error", { status: 500 });
  }

  #send(open: OpenSession<Data>, response: Response, setCookie: string | undefined): Response {
    const line = setCookie === undefined ? undefined : toSetCookie(this.#request, setCookie);
    return this.#manager.finish(open, response, line);
  }
}

/** The headers that `@elysiajs/cookie` writes to. */
interface CookieHeaders {
  "Set-Cookie"?: string[];
}

/** The only hook of `@elysiajs/cookie`. */
const [cookieHook] = (cookie().event.transform ?? []) as unknown as readonly [
  { fn: (context: { request: Request; set: { headers: CookieHeaders } }) => CookieRequest },
];

/**
 * The `Set-Cookie` line, written by `@elysiajs/cookie`. Its hook is called here, when there is a
 * cookie to send, instead of by Elysia on every request:
 *
 * - The plugin's `cookie` would replace Elysia's own for all handlers, and an app's
 *   `cookie.theme.value = "dark"` would be lost.
 * - Elysia joins the lines that the plugin leaves in the context into one, which browsers do not
 *   understand, and drops them for a `Response` with cookies of its own.
 *
 * The cookie is not read by `@elysiajs/cookie`: of two cookies of one name it takes the first, and
 * it trims every Unicode space from names, so that a cookie planted by another site would pass for
 * the session's.
 */
function toSetCookie(request: Request, line: string): string {
  const { name, value, maxAge, domain, path, secure, httpOnly, sameSite, partitioned } =
    Bun.Cookie.parse(line);
  const headers: CookieHeaders = {};
  const attributes = { maxAge, domain: domain ?? undefined, path, secure, httpOnly, sameSite };
  cookieHook.fn({ request, set: { headers } }).setCookie(name, value, attributes);
  const [written = ""] = headers["Set-Cookie"] ?? [];
  // @elysiajs/cookie does not support this attribute.
  return partitioned ? `${written}; Partitioned` : written;
}
