import { test } from "bun:test";

import type { SessionsOptions, Socket } from "bunpie";
import { App, HttpError, status } from "bunpie";

import type { AnySession, Session } from "../../src/session/session.ts";
import { TestSocket } from "../../src/testing/test-socket.ts";
import { multipart } from "../support/probe.ts";
import type { Answer, Integration, Listener, Page, Service } from "./integrations.ts";
import { ask, chunks } from "./integrations.ts";

/** A place in an app where a session can be asked for, beside an ordinary page. */
export interface AppDoor extends Integration {
  /** The scenarios that make no sense there, by a part of their names, each with the reason. */
  readonly cannot: Readonly<Record<string, string>>;
}

const like = { refuses: true, clearsAfterError: true };

const GET_ONLY = "A handshake is a GET, which has no body.";
const POST_ONLY = "An upload is a POST.";
const FOREIGN = "What comes from another site's page is refused.";

export const APP_DOORS: readonly AppDoor[] = [
  { name: "App", ...like, create: plain, cannot: {} },
  { name: "App, behind middleware", ...like, create: behindMiddleware, cannot: {} },
  { name: "App, mounted", ...like, create: mounted, cannot: {} },
  { name: "App, a generator", ...like, create: inGenerator, cannot: {} },
  {
    name: "App, a socket",
    ...like,
    create: inSocket,
    cannot: {
      HEAD: GET_ONLY,
      "a write": GET_ONLY,
      "their writes in": GET_ONLY,
      "follows a link": FOREIGN,
      "page read the response": FOREIGN,
    },
  },
  {
    name: "App, an upload",
    ...like,
    create: inUpload,
    cannot: {
      HEAD: POST_ONLY,
      "follows a link": POST_ONLY,
      "a WebSocket handshake": POST_ONLY,
      "page read the response": FOREIGN,
    },
  },
];

/** `test`, without the scenarios that a door cannot do. */
export function selectTests(integration: Integration): typeof test {
  const { cannot = {} } = integration as Partial<AppDoor>;
  const isLeftOut = (title: string): boolean => {
    const parts = Object.keys(cannot).filter((part) => title.includes(part));
    for (const part of parts) used.add(`${integration.name}: ${part}`);
    return parts.length > 0;
  };
  const choose = (title: string, register: () => unknown): unknown =>
    isLeftOut(title) ? undefined : register();
  const chosen = (title: string, body: () => unknown): unknown =>
    choose(title, () => test(title, body as () => void));
  const each = (table: never) => (title: string, body: never) =>
    choose(title, () => test.each(table)(title, body));
  return Object.assign(chosen, { each }) as unknown as typeof test;
}

const used = new Set<string>();

/** What doors leave out that is no scenario's name any more. */
export function staleExceptions(): string[] {
  return APP_DOORS.flatMap(({ name, cannot }) =>
    Object.keys(cannot).map((part) => `${name}: ${part}`),
  ).filter((exception) => !used.has(exception));
}

/** An app whose pages are made up as the tests go along. */
abstract class Pages extends App {
  readonly #pages: readonly Page[];

  constructor(pages: readonly Page[], options?: SessionsOptions) {
    super(options && toAppOptions(options));
    this.#pages = pages;
  }

  /** What page number `page` answers. */
  _ask(page: string): Promise<Answer> {
    const session = this.request.session as Session<AnySession>;
    return ask(this.#pages, page, session, () => new HttpError(409, "Refused."));
  }

  /** As a page returns it. */
  _toValue(answer: Answer): unknown {
    if (typeof answer === "string" || answer instanceof Response) return answer;
    if ("redirect" in answer) return this.redirect(answer.redirect, 303);
    if ("status" in answer) return status(answer.status, "status");
    if ("stream" in answer) return new Response(chunks(answer.stream)).body;
    for (const name of answer.cookies) this.request.cookies.set(name, name);
    return "cookies";
  }
}

class Plain extends Pages {
  async index(page: string): Promise<unknown> {
    return this._toValue(await this._ask(page));
  }
}

function plain(options: SessionsOptions, pages: readonly Page[]): Service {
  return toService(new Plain(pages, options));
}

function behindMiddleware(options: SessionsOptions, pages: readonly Page[]): Service {
  const app = new Plain(pages, options);
  app.use((_, next) => next());
  app.use(async (_, next) => {
    await Bun.sleep(0);
    const response = await next();
    response.headers.set("x-middleware", "yes");
    return response;
  });
  return toService(app);
}

class Outer extends App {
  constructor(pages: readonly Page[], options: SessionsOptions) {
    super(toAppOptions(options));
    const middle = new App();
    middle.mount("/deeper", new Plain(pages));
    this.mount("/deep", middle);
  }

  override onRequest(request: Request): Request {
    const { pathname } = new URL(request.url);
    return new Request(`http://localhost/deep/deeper${pathname}`, request);
  }
}

function mounted(options: SessionsOptions, pages: readonly Page[]): Service {
  return toService(new Outer(pages, options));
}

/** Whatever can come piece by piece does. */
class Generators extends Pages {
  async index(page: string): Promise<unknown> {
    const answer = await this._ask(page);
    if (typeof answer === "string") return chunks(answer);
    if ("stream" in answer) return chunks(answer.stream);
    if ("status" in answer && answer.status === 404) return status(404, chunks("status"));
    return this._toValue(answer);
  }
}

function inGenerator(options: SessionsOptions, pages: readonly Page[]): Service {
  return toService(new Generators(pages, options));
}

/** What is text is the socket's first message; whatever else answers the handshake. */
class Sockets extends Pages {
  async ws_index(socket: Socket, page: string): Promise<unknown> {
    const answer = await this._ask(page);
    if (typeof answer !== "string" && !("stream" in answer)) return this._toValue(answer);
    await socket.accept();
    await socket.send(
      typeof answer === "string" ? answer : (await Array.fromAsync(answer.stream)).join(""),
    );
    return undefined;
  }
}

function inSocket(options: SessionsOptions, pages: readonly Page[]): Service {
  const app = new Sockets(pages, options);
  return {
    listen: () => {
      const server = app.listen(0);
      return between((request) => openSocket(new URL(server.url), request), server);
    },
  };
}

/** Sends a request as a handshake. A socket's first message is the response's body. */
async function openSocket(origin: URL, request: Request): Promise<Response> {
  const url = new URL(new URL(request.url).pathname, origin);
  if (request.method !== "GET") return fetch(new Request(url.href, request));
  url.protocol = "ws:";
  const headers = ["cookie", "origin", "sec-fetch-site"].flatMap((name) => {
    const value = request.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  await using socket = await TestSocket.open(url.href, Object.fromEntries(headers));
  const { response } = socket;
  if (response.status !== 101) return response;
  const shown = new Headers(response.headers);
  for (const name of ["connection", "upgrade", "sec-websocket-accept"]) shown.delete(name);
  return new Response(await socket.receive(), { headers: shown });
}

/** Asks its page while the upload arrives. */
class Uploads extends Pages {
  async index(page: string): Promise<unknown> {
    let answer: Answer = "nothing was uploaded";
    for await (const part of this.request.parts()) {
      await part.bytes();
      answer = await this._ask(page);
    }
    return this._toValue(answer);
  }
}

const UPLOAD = multipart('name="a"\r\n\r\n1', 'name="f"; filename="f.txt"\r\n\r\ncontent');

function upload(request: Request): Request {
  if (request.method === "OPTIONS") return request;
  const made = new Request(request.url, { ...UPLOAD, redirect: "manual" });
  request.headers.forEach((value, name) => made.headers.set(name, value));
  made.headers.delete("content-length");
  return made;
}

function inUpload(options: SessionsOptions, pages: readonly Page[]): Service {
  const app = new Uploads(pages, options);
  return {
    fetch: (request) => app.fetch(upload(request)),
    listen: () => {
      const server = app.listen(0);
      return between((request) => {
        const url = new URL(new URL(request.url).pathname, server.url);
        return fetch(upload(new Request(url.href, request)));
      }, server);
    },
  };
}

function toService(app: App): Service {
  return { fetch: app.fetch, listen: () => app.listen(0) };
}

/** A server in front of another, that asks it in its own way. */
function between(send: (request: Request) => Promise<Response>, behind: Listener): Listener {
  const server = Bun.serve({ port: 0, fetch: send });
  return {
    url: server.url,
    stop: async (closeActiveConnections) => {
      await server.stop(closeActiveConnections);
      await behind.stop(closeActiveConnections);
    },
  };
}

function toAppOptions({ backend, trustedOrigins = [], crossOrigin, ...session }: SessionsOptions) {
  const guard = crossOrigin === undefined ? {} : { crossOrigin };
  return { sessionBackend: backend, session, trustedOrigins, ...guard };
}
