import type { AsyncLocalStorage } from "node:async_hooks";

import type { Sessions } from "../http/sessions.ts";
import { escapeError } from "../session/log.ts";
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
import { AppRequest } from "./request.ts";
import type { ServerLike } from "./server-like.ts";
import type { SocketConnection } from "./socket-connection.ts";
import type { Branch, Match, RouteTable } from "./table.ts";

/** The outermost app, as far as a request's way through it needs it. */
export interface Site extends BodyLimits {
  readonly sessions: Sessions<AnySession>;
  readonly table: RouteTable;
  /** For how many seconds a connection may be silent. */
  idleTimeout: number;
  /** The streams and sockets that are open. */
  readonly live: LiveSet;
  /** Whether the service is shutting down: connections then end with their next response. */
  isEnding: boolean;
  /** How many responses have said so. */
  farewells: number;
  /** How many requests are under way. */
  underWay: number;
  /** Told when none is any more, if somebody waits for that. */
  onIdle: (() => void) | undefined;
  /** Where requests are logged, if anywhere. */
  log: Log | undefined;
  /** The app's `onRequest`, if it has one. */
  readonly onRequest: OnRequest | undefined;
  onSessionEnd(open: SomeOpenSession, listener: (reason: SessionEnd) => void): () => void;
}

type OnRequest = (request: Request, ip: string | null) => MaybePromise<Response | Request | void>;

/** What a page, or what goes around it, wants on the response, whichever that will be: `this.response`. */
export class ResponseDraft {
  /** Go out with the response, an error's too, in the place of any of the same name. */
  readonly headers = new Headers();
}

/** One request on its way through an app: what the steps of the pipeline found out, and made. */
export class Visit implements VisitFacts, Host {
  readonly site: Site;
  /** The request as Bun's server knows it. */
  readonly arrived: Request;
  readonly server: ServerLike | undefined;
  /** The request; `onRequest` may have put another in the place of the one that came. */
  raw: Request;
  match: Match | undefined;
  open: SomeOpenSession | undefined;
  /** The socket that a handshake asks for. */
  connection: SocketConnection | undefined;
  response: Response | undefined;
  /** What was thrown. The response is one to that error then, and the session is not stored. */
  failure: Failure | undefined;
  /** The response that a page's value was made into: its headers are complete already. */
  made: Response | undefined;
  /** The `Set-Cookie` lines of `this.request.cookies` that went out with the response. */
  sentCookies: readonly string[] = [];
  /** When it began, by `performance.now()`, if it is logged. */
  begunAt = 0;
  #id: string | undefined;
  /** Whether the response is on its way: its body may still be made. */
  hasLeft = false;
  #request: AppRequest<AnySession> | undefined;
  #draft: ResponseDraft | undefined;

  constructor(site: Site, raw: Request, server: ServerLike | undefined) {
    this.site = site;
    this.raw = raw;
    this.arrived = raw;
    this.server = server;
  }

  /** The app whose page was asked for; of a request whose page was not looked up, the outermost. */
  get branch(): Branch {
    return this.match?.branch ?? this.site.table.branch;
  }

  /** Tells the app of an error that happened when the response had left. Never throws. */
  report(error: unknown): void {
    try {
      visits.run(this, () => this.branch.onReport(error, this.raw));
    } catch (second) {
      console.error("An app's onReport failed:", escapeError(second));
    }
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

  /** @throws Error once the response has left: what is set then would be lost. */
  get draft(): ResponseDraft {
    if (this.hasLeft) {
      throw new Error(
        "this.response was accessed after the headers had left. Set headers before the page returns; those of a generator by status(200, generator, headers).",
      );
    }
    this.#draft ??= new ResponseDraft();
    return this.#draft;
  }

  /** The request's id, made when it is first asked for. */
  get id(): string {
    this.#id ??= toRequestId(this.raw);
    return this.#id;
  }

  /** The request's id, if anybody has asked for it, or the log will. */
  get askedId(): string | undefined {
    return this.site.log?.needsId === true ? this.id : this.#id;
  }

  /** The request, if anybody has asked for it. */
  get askedRequest(): AppRequest<AnySession> | undefined {
    return this.#request;
  }

  /** The draft, if anybody has asked for it. */
  get askedDraft(): ResponseDraft | undefined {
    return this.#draft;
  }
}

const LOST_SESSION =
  "The session was changed when the response's headers had left, and not stored. In a stream or a socket, call `await session.save()`, or change it by `await session.update(…)`.";

const LOST_COOKIES =
  "Cookies were set when the response's headers had left, and are lost. Set them before the page returns its stream, or before it accepts the socket.";

/** @throws SessionDataError for a change that could not be saved any more either. */
function isUnsaved(open: SomeOpenSession): boolean {
  if (open.destroyed.length > 0) return true;
  const { kind } = open.attempt({ at: open.openedAt, restarts: "never" }, true);
  return kind === "create" || kind === "replace" || kind === "rotate";
}

/** Boxed, because anything can be thrown, `undefined` too. */
export interface Failure {
  readonly error: unknown;
  /** Whether it came when the response to another was on its way. */
  readonly isSecond: boolean;
}

/** The visit that is going on. One for all apps: each call answers one request at a time. */
export const visits = hosts as AsyncLocalStorage<unknown> as AsyncLocalStorage<Visit>;
