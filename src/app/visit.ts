import type { AsyncLocalStorage } from "node:async_hooks";

import type { Sessions } from "../http/sessions.ts";
import type { SomeOpenSession } from "../session/open-session.ts";
import type { AnySession } from "../session/session.ts";
import type { SessionEnd } from "../session/watchlist.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import type { BodyLimits } from "./body.ts";
import type { Host, LiveSet } from "./live.ts";
import { hosts } from "./live.ts";
import type { Log } from "./log.ts";
import { toRequestId } from "./request-id.ts";
import type { VisitFacts } from "./request.ts";
import { AppRequest, NO_LINES } from "./request.ts";
import type { ServerLike } from "./server-like.ts";
import type { SocketConnection } from "./socket-connection.ts";
import type { Branch, Match, RouteTable } from "./table.ts";

/** The outermost app: what handling a request needs of it. */
export interface Site extends BodyLimits {
  readonly sessions: Sessions<AnySession>;
  readonly table: RouteTable;
  /** How long a connection may be silent, in seconds. */
  idleTimeout: number;
  /** The open streams and sockets. */
  readonly live: LiveSet;
  /** Whether the service is shutting down: every response then closes its connection. */
  isEnding: boolean;
  /** How many responses have closed their connection for that reason. */
  farewells: number;
  /** How many requests are in progress. */
  underWay: number;
  /** Called when no request is in progress any more, if something waits for that. */
  onIdle: (() => void) | undefined;
  /** Where requests are logged, if anywhere. */
  log: Log | undefined;
  /** The app's `onRequest`, if it has one. */
  readonly onRequest: OnRequest | undefined;
  onSessionEnd(open: SomeOpenSession, listener: (reason: SessionEnd) => void): () => void;
}

type OnRequest = (request: Request, ip: string | null) => MaybePromise<Response | Request | void>;

/** What a page or its middleware adds to the response, whatever that will be: `this.response`. */
export class ResponseDraft {
  /**
   * Sent with the response, an error's too, replacing headers of the same name; `Vary` is added to.
   * If the page fails, those about its content are dropped, and a `Cache-Control` becomes `no-store`.
   */
  readonly headers = new Headers();
}

/** One request on its way through an app: what the steps of the pipeline have found and made. */
export class Visit implements VisitFacts, Host {
  readonly site: Site;
  /** The request as Bun's server knows it. */
  readonly arrived: Request;
  readonly server: ServerLike | undefined;
  /** The request; `onRequest` may have replaced the one that arrived. */
  raw: Request;
  match: Match | undefined;
  open: SomeOpenSession | undefined;
  /** The socket of a handshake. */
  connection: SocketConnection | undefined;
  response: Response | undefined;
  /** What was thrown. The response is then the error's, and the session is not stored. */
  failure: Failure | undefined;
  /** The response made from a page's value: its headers are already complete. */
  made: Response | undefined;
  /** Whether the page has called `this.redirect()`, which does nothing unless it is returned. */
  hasRedirect = false;
  /** The `Set-Cookie` lines of `this.request.cookies` that were sent with the response. */
  sentCookies: readonly string[] = NO_LINES;
  /** When the visit began, by `performance.now()`; set only if it is logged. */
  begunAt = 0;
  #id: string | undefined;
  /** Whether the response has been handed to the server; its body may still be in the making. */
  hasLeft = false;
  #request: AppRequest<AnySession> | undefined;
  #draft: ResponseDraft | undefined;

  constructor(site: Site, raw: Request, server: ServerLike | undefined) {
    this.site = site;
    this.raw = raw;
    this.arrived = raw;
    this.server = server;
  }

  /** The app whose page was requested; the outermost app if no page was looked up. */
  get branch(): Branch {
    return this.match?.branch ?? this.site.table.branch;
  }

  /** Reports an error that happened after the response was sent. Never throws. */
  report(error: unknown): void {
    visits.run(this, () => this.branch.onReport(error, this.raw));
  }

  reportLost(): void {
    const { open, failure } = this;
    if (failure !== undefined || (this.response?.status ?? 500) >= 500) return;
    try {
      if (open !== undefined && isUnsaved(open)) throw new Error(LOST_SESSION);
      const lines = this.askedRequest?._setCookies ?? [];
      if (lines.join("\n") !== this.sentCookies.join("\n")) throw new Error(LOST_COOKIES);
    } catch (error) {
      this.report(error);
    }
  }

  get request(): AppRequest<AnySession> {
    this.#request ??= new AppRequest(this);
    return this.#request;
  }

  /** @throws Error once the response has been sent: headers set later would be lost. */
  get draft(): ResponseDraft {
    if (this.hasLeft) {
      throw new Error(
        "this.response was accessed after the headers had been sent. Set headers before the page returns; for a generator, return status(200, generator, headers).",
      );
    }
    this.#draft ??= new ResponseDraft();
    return this.#draft;
  }

  /** The request's id, created when it is first read. */
  get id(): string {
    this.#id ??= toRequestId(this.raw);
    return this.#id;
  }

  /** The request's id, if anything has read it or the log needs it. */
  get askedId(): string | undefined {
    return this.site.log?.needsId === true ? this.id : this.#id;
  }

  /** The request object, if anything has accessed it. */
  get askedRequest(): AppRequest<AnySession> | undefined {
    return this.#request;
  }

  /** The draft, if anything has accessed it. */
  get askedDraft(): ResponseDraft | undefined {
    return this.#draft;
  }
}

const LOST_SESSION =
  "The session was changed after the response's headers had been sent, and the change was not stored. In a stream, a socket or work passed to waitUntil(), call `await session.save()`, or change the session with `await session.update(…)`.";

const LOST_COOKIES =
  "Cookies were set after the response's headers had been sent, and are lost. Set cookies before the page returns or accepts the socket.";

/**
 * Whether the session has changes that are not stored.
 *
 * @throws SessionDataError for a change that cannot be stored at all.
 */
function isUnsaved(open: SomeOpenSession): boolean {
  if (open.destroyed.length > 0) return true;
  const { kind } = open.attempt({ at: open.openedAt, restarts: "never" }, true);
  return kind === "create" || kind === "replace" || kind === "rotate";
}

/** Boxed, because anything can be thrown, `undefined` too. */
export interface Failure {
  readonly error: unknown;
  /**
   * Which of the visit's failures it is, counted from 1: the later ones happened while the response
   * to the one before was being made or stored.
   */
  readonly count: number;
}

/** The current visit. Shared by all apps: an async context handles one request at a time. */
export const visits = hosts as AsyncLocalStorage<unknown> as AsyncLocalStorage<Visit>;
