/// <reference types="bun-types" preserve="true" />
/**
 * Sessions in a Hono app.
 *
 * @module bunpie/hono
 */
import "../runtime.ts";
import type { Context, MiddlewareHandler } from "hono";

import { checkManager } from "../http/check-manager.ts";
import { refuseUnsendable } from "../http/headers.ts";
import type { Sessions } from "../http/sessions.ts";
import { escapeError } from "../session/log.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import { SessionStoreError } from "../store/errors.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";

/** Options of the middleware. */
export interface SessionsMiddlewareOptions<Key extends string> {
  /** The session's name in `c.var`; `session` by default. */
  readonly key?: Key;
}

/** The part of Bun's server that is used here. */
type Server = Partial<Pick<Bun.Server<unknown>, "requestIP">>;

/** What `fetch` got as its second argument: Bun's server, or an object that has it. */
type Bindings = Server & { readonly server?: Server };

/** The open session of each request in progress, by its manager. */
const openSessions = new WeakMap<object, WeakMap<Context, unknown>>();

/**
 * A Hono middleware that provides the visitor's session to later handlers, as `c.var.session`, and
 * stores it before the response is sent. Every response behind it gets `Vary: Cookie`: use it only
 * where sessions are needed, and not in front of static files.
 *
 * ```ts
 * const manager = new Sessions<{ visits: number }>({ backend });
 * new Hono().use(sessions(manager)).get("/", (c) => c.text(`${c.var.session.visits}`));
 * ```
 *
 * An app and its parts may all use the middleware: a request still has one session.
 *
 * While the store is down, `onError` receives a `SessionStoreError` (503); the response is 503 if
 * there is no `onError`. If the store fails after the handler, the response is always a 503. For an
 * unsafe request from another site's page, `onError` receives a `CrossOriginError` (403).
 */
export function sessions<
  Data extends SessionShape<Data> = AnySession,
  const Key extends string = "session",
>(
  manager: Sessions<Data>,
  options: SessionsMiddlewareOptions<Key> = {},
): MiddlewareHandler<{ Variables: { readonly [Name in Key]: Session<Data> } }> {
  checkManager(manager);
  const { key = "session" as Key } = options;
  const opened = (openSessions.get(manager) ?? new WeakMap()) as WeakMap<
    Context,
    OpenSession<Data>
  >;
  openSessions.set(manager, opened);
  return async (c, next) => {
    const preflight = manager.answerPreflight(c.req.raw);
    if (preflight !== undefined) return preflight;
    const known = opened.get(c);
    const opening = known ?? begin(manager, c);
    const open = isPromise(opening) ? await opening : opening;
    c.set(key, open.session);
    if (known !== undefined) return next();
    opened.set(c, open);
    try {
      await next();
    } catch (error) {
      // Hono turns a thrown Error into a response, but rethrows any other value.
      await manager.settle(open, 500);
      throw error;
    }
    return end(manager, c, open);
  };
}

function begin<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
): MaybePromise<OpenSession<Data>> {
  try {
    const open = manager.enter(c.req.raw);
    return isPromise(open) ? open.catch((error: unknown) => fail(manager, c, error)) : open;
  } catch (error) {
    return fail(manager, c, error);
  }
}

/** Hono makes the response to the error, with the headers that are set here. */
function fail<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  error: unknown,
): never {
  if (error instanceof SessionStoreError) {
    console.error(escapeError(error));
    const { headers } = manager.addHeaders(c.req.raw, new Response(null), undefined);
    headers.forEach((value, name) => c.header(name, value, { append: name === "vary" }));
  }
  throw error;
}

/** Stores the changes to the session, and gives the response its cookie. */
function end<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  open: OpenSession<Data>,
): MaybePromise<void> {
  if (c.error instanceof SessionStoreError) console.error(escapeError(c.error));
  try {
    if (isUpgraded(c)) return endLater(manager, c, open, manager.settleUpgrade(open));
    refuseUnsendable(c.res);
    const settled = manager.settle(open, c.error === undefined ? c.res.status : 500);
    if (isPromise(settled)) return endLater(manager, c, open, settled);
    replace(c, manager.finish(open, c.res, settled));
  } catch (error) {
    return refuse(manager, c, open, error);
  }
}

async function endLater<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  open: OpenSession<Data>,
  settled: Promise<string | undefined | void>,
): Promise<void> {
  try {
    const setCookie = await settled;
    if (!isUpgraded(c)) replace(c, manager.finish(open, c.res, setCookie ?? undefined));
  } catch (error) {
    await refuse(manager, c, open, error);
  }
}

/** Replaces the app's response because the session cannot be stored. */
async function refuse<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  open: OpenSession<Data>,
  error: unknown,
): Promise<void> {
  const setCookie = await manager.settleFailure(open);
  if (!(error instanceof SessionStoreError)) {
    withdraw(c);
    throw error;
  }
  replace(c, manager.finish(open, manager.toUnavailable(error), setCookie));
}

/**
 * Hono answers an upgraded handshake with status 200 and no body, and Bun no longer knows the IP
 * address of its request.
 */
function isUpgraded({ env, req, res }: Context): boolean {
  if (req.header("upgrade")?.toLowerCase() !== "websocket") return false;
  if (res.status !== 200 || res.body !== null) return false;
  const bindings = env as Bindings | undefined;
  const server = bindings?.server ?? bindings;
  return server?.requestIP === undefined || server.requestIP(req.raw) === null;
}

/** Withdraws the former response first: Hono would copy its headers to the new one. */
function replace(c: Context, response: Response): void {
  if (response === c.res) return;
  withdraw(c);
  c.res = response;
}

function withdraw(c: Context): void {
  c.res = undefined;
  c.finalized = false;
}
