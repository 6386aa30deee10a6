// What each door does for a counter's page, written for that page only: no layers, no other store,
// no login. It shows how much of a door's time its promises cost, and how much its structure costs.
import { AsyncLocalStorage } from "node:async_hooks";

import { Elysia } from "elysia";
import { Hono } from "hono";

import { isId } from "../../src/session/id.ts";
import { encode } from "../../src/session/json.ts";
import { createId } from "../servers/by-hand.ts";

interface Stored {
  readonly data: string;
  readonly version: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
}

interface Visit {
  readonly key: string;
  readonly stored: Stored;
  readonly now: number;
  session: Record<string, unknown> | undefined;
}

const TIMEOUT = 8 * 60 * 60 * 1000;
/** How long after a session's last stored use the next use is stored. */
const TOUCH_AFTER = TIMEOUT / 10;
const NAME = "session_id=";
const PRIVATE = {
  headers: new Headers({
    "cache-control": "private",
    "content-type": "text/plain;charset=utf-8",
    vary: "Cookie",
    "x-content-type-options": "nosniff",
  }),
};

const sessions = new Map<string, Stored>();

const visits = new AsyncLocalStorage<Visit>();
const pages = new Map([["/", () => count(visits.getStore() as Visit)]]);

/** Finds the page, opens the session, and keeps both for code that the page calls. */
export function countAsAppDoes(request: Request): Response {
  const page = pages.get(readPath(request.url));
  if (page === undefined) return new Response("Not Found", { status: 404 });
  const visit = enter(request);
  if (visit === undefined) return begin();
  const text = visits.run(visit, page);
  settle(visit);
  return new Response(text, PRIVATE);
}

/** Opens the session for a handler, whose response is made private afterwards. */
export function countAsWrapDoes(request: Request): Response {
  const visit = enter(request);
  if (visit === undefined) return begin();
  const response = new Response(count(visit));
  settle(visit);
  return addPrivacy(response);
}

const elysiaVisits = new WeakMap<Request, Visit>();

function beginInElysia(context: { request: Request; session: unknown }): void {
  const visit = enter(context.request);
  if (visit === undefined) return;
  elysiaVisits.set(context.request, visit);
  context.session = readSession(visit);
}

function endInElysia(answer: (request: Request) => Response): (request: Request) => Response {
  return (request) => {
    const response = answer(request);
    const visit = elysiaVisits.get(request);
    if (visit === undefined) return begin();
    settle(visit);
    return addPrivacy(response);
  };
}

const elysia = new Elysia()
  .wrap(endInElysia as unknown as Parameters<Elysia["wrap"]>[0])
  // Bound, to hide its source, from which Elysia would guess what it needs.
  .derive(beginInElysia.bind(undefined) as unknown as () => { session: { visits?: number } })
  .get("/", ({ session = {} }) => {
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  });

export function countAsElysiaDoes(request: Request): Response | Promise<Response> {
  return elysia.fetch(request);
}

/** One middleware, which Hono awaits. */
const hono = new Hono<{ Variables: { visit: Visit } }>()
  .use(async (c, next): Promise<Response | void> => {
    const visit = enter(c.req.raw);
    if (visit === undefined) return begin();
    c.set("visit", visit);
    await next();
    settle(visit);
    addPrivacy(c.res);
  })
  .get("/", (c) => c.text(count(c.var.visit)));

export function countAsHonoDoes(request: Request): Response | Promise<Response> {
  return hono.fetch(request);
}

function count(visit: Visit): string {
  const session = readSession(visit);
  session["visits"] = ((session["visits"] as number | undefined) ?? 0) + 1;
  return `You have visited ${String(session["visits"])} times.`;
}

/** The visit of a request's live session. */
function enter({ headers, method }: Request): Visit | undefined {
  // A write or a handshake would need a look at its origin.
  if (method !== "GET" || headers.get("upgrade") !== null) throw new Error("Only pages are read.");
  const id = readId(headers.get("cookie") ?? "");
  if (id === undefined || !isId(id)) return undefined;
  const key = Bun.SHA256.hash(id, "base64url");
  const stored = sessions.get(key);
  const now = Date.now();
  if (stored === undefined || stored.expiresAt <= now) return undefined;
  return { key, stored, now, session: undefined };
}

/** Decodes the session when it is first asked for: a page that ignores it pays nothing. */
function readSession(visit: Visit): Record<string, unknown> {
  return (visit.session ??= readDictionary(visit.stored.data));
}

/** Stores a changed dictionary, or restarts the idle timeout when that is due. */
function settle({ key, stored, session, now }: Visit): void {
  const data = session === undefined ? stored.data : encode(session, "session");
  const isDue = now - stored.touchedAt >= TOUCH_AFTER;
  if (data === stored.data && !isDue) return;
  // Compare and swap: another request may have written it meanwhile.
  if (sessions.get(key)?.version !== stored.version) throw new Error("Another request wrote it.");
  const { touchedAt, expiresAt, version } = stored;
  sessions.set(key, {
    data,
    version: version + 1,
    touchedAt: isDue ? now : touchedAt,
    expiresAt: isDue ? now + TIMEOUT : expiresAt,
  });
}

function begin(): Response {
  const id = createId();
  const now = Date.now();
  const stored = { data: '{"visits":1}', version: 1, touchedAt: now, expiresAt: now + TIMEOUT };
  sessions.set(Bun.SHA256.hash(id, "base64url"), stored);
  const response = new Response("You have visited 1 times.", PRIVATE);
  response.headers.append("set-cookie", `${NAME}${id}; HttpOnly`);
  return response;
}

/** Keeps the app's own `Vary` and `Cache-Control`. */
function addPrivacy(response: Response): Response {
  const { headers } = response;
  if (headers.get("vary") === null) headers.set("vary", "Cookie");
  if (!headers.has("cache-control")) headers.set("cache-control", "private");
  return response;
}

function readPath(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const query = url.indexOf("?", start);
  return url.slice(start, query === -1 ? url.length : query);
}

/** The value of the cookie with this name, unless there are two. */
function readId(header: string): string | undefined {
  const at = header.indexOf(NAME);
  if (at === -1 || (at > 0 && header[at - 1] !== " " && header[at - 1] !== ";")) return undefined;
  if (header.includes(NAME, at + NAME.length)) return undefined;
  const end = header.indexOf(";", at);
  return header.slice(at + NAME.length, end === -1 ? header.length : end).trim();
}

/** A dictionary to which `__proto__` is a key like any other. */
function readDictionary(text: string): Record<string, unknown> {
  const parsed = JSON.parse(text) as Record<string, unknown>;
  const dictionary = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(parsed)) dictionary[key] = parsed[key];
  return dictionary;
}
