/// <reference types="bun-types" preserve="true" />
import "../runtime.ts";
import type { Context, MiddlewareHandler } from "hono";

import type { Sessions } from "../http/sessions.ts";
import { escapeError } from "../session/log.ts";
import type { OpenSession } from "../session/open-session.ts";
import type { AnySession, Session, SessionShape } from "../session/session.ts";
import { SessionStoreError } from "../store/errors.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";

/** How the middleware is set up. */
export interface SessionsMiddlewareOptions<Key extends string> {
  /** What the session is called in the context; `session` by default. */
  readonly key?: Key;
}

/** The session of each request that is under way, by its manager. */
const sessionsUnderWay = new WeakMap<object, WeakMap<Context, unknown>>();

/**
 * A Hono middleware that gives the handlers behind it the visitor's session, as `c.var.session`, and
 * stores it before the response leaves. Every response behind it varies with the cookie: use it where
 * sessions are needed, and not in front of files.
 *
 * ```ts
 * const manager = new Sessions<{ visits: number }>({ backend });
 * new Hono().use(sessions(manager)).get("/", (c) => c.text(`${c.var.session.visits}`));
 * ```
 *
 * An app and the parts of it may all use it: a request has one session all the same.
 *
 * While the store is down, `onError` gets a `SessionStoreError`; an app without one answers with 503. If
 * the store fails after the handler the answer is 503 in any case.
 */
export function sessions<
  Data extends SessionShape<Data> = AnySession,
  const Key extends string = "session",
>(
  manager: Sessions<Data>,
  options: SessionsMiddlewareOptions<Key> = {},
): MiddlewareHandler<{ Variables: { readonly [Name in Key]: Session<Data> } }> {
  const { key = "session" as Key } = options;
  const underWay = (sessionsUnderWay.get(manager) ?? new WeakMap()) as WeakMap<
    Context,
    OpenSession<Data>
  >;
  sessionsUnderWay.set(manager, underWay);
  return async (c, next) => {
    const preflight = manager.answerPreflight(c.req.raw);
    if (preflight !== undefined) return preflight;
    const known = underWay.get(c);
    const opening = known ?? begin(manager, c.req.raw);
    const open = isPromise(opening) ? await opening : opening;
    c.set(key, open.session);
    if (known !== undefined) return next();
    underWay.set(c, open);
    try {
      await next();
    } catch (error) {
      // Hono makes a response of an error, but not of anything else that is thrown.
      await manager.settle(open, 500);
      throw error;
    }
    return end(manager, c, open);
  };
}

function begin<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  request: Request,
): MaybePromise<OpenSession<Data>> {
  try {
    const open = manager.enter(request);
    return isPromise(open) ? open.catch(fail) : open;
  } catch (error) {
    return fail(error);
  }
}

function fail(error: unknown): never {
  if (error instanceof SessionStoreError) console.error(escapeError(error));
  throw error;
}

/** Stores what was done to the session, and gives the response its cookie. */
function end<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  open: OpenSession<Data>,
): MaybePromise<void> {
  if (c.error instanceof SessionStoreError) console.error(escapeError(c.error));
  try {
    if (isUpgraded(c)) return endLater(manager, c, open, manager.settleUpgrade(open));
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

/** The response, instead of the app's, for a session that cannot be stored. */
async function refuse<Data extends SessionShape<Data>>(
  manager: Sessions<Data>,
  c: Context,
  open: OpenSession<Data>,
  error: unknown,
): Promise<void> {
  if (!(error instanceof SessionStoreError)) {
    withdraw(c);
    throw error;
  }
  const setCookie = await manager.settleFailure(open);
  replace(c, manager.finish(open, manager.toUnavailable(error), setCookie));
}

/** Hono answers a handshake that has become a WebSocket with nothing, and calls that 200. */
function isUpgraded({ req, res }: Context): boolean {
  if (req.header("upgrade")?.toLowerCase() !== "websocket") return false;
  return res.status === 200 && res.body === null;
}

/** Hono puts the headers of a former response over those of the one that takes its place. */
function replace(c: Context, response: Response): void {
  if (response === c.res) return;
  withdraw(c);
  c.res = response;
}

function withdraw(c: Context): void {
  c.res = undefined;
  c.finalized = false;
}
