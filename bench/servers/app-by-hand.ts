// What App does for a counter's page, written for that page only: no layers, no other store, no login.
// It shows how much of App's time its promises cost, and how much its structure costs.
import { AsyncLocalStorage } from "node:async_hooks";

import { isId } from "../../src/session/id.ts";
import { encode } from "../../src/session/json.ts";
import { createId } from "./by-hand.ts";

interface Stored {
  readonly data: string;
  readonly version: number;
  readonly touchedAt: number;
  readonly expiresAt: number;
}

interface Visit {
  readonly raw: Request;
  readonly stored: Stored;
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
const pages = new Map([["/", count]]);

function count(): string {
  const visit = visits.getStore() as Visit;
  const session = (visit.session ??= readDictionary(visit.stored.data));
  session["visits"] = ((session["visits"] as number | undefined) ?? 0) + 1;
  return `You have visited ${String(session["visits"])} times.`;
}

export function countAsAppDoes(request: Request): Response {
  const { headers, method } = request;
  const page = pages.get(readPath(request.url));
  if (page === undefined) return new Response("Not Found", { status: 404 });
  if (method !== "GET" || headers.get("upgrade") !== null)
    return new Response(null, { status: 403 });
  const id = readId(headers.get("cookie") ?? "");
  if (id === undefined || !isId(id)) return begin();
  const key = Bun.SHA256.hash(id, "base64url");
  const stored = sessions.get(key);
  const now = Date.now();
  if (stored === undefined || stored.expiresAt <= now) return begin();
  const visit: Visit = { raw: request, stored, session: undefined };
  const text = visits.run(visit, page);
  store(key, visit, now);
  return new Response(text, PRIVATE);
}

/** Stores a changed dictionary, or restarts the idle timeout when that is due. */
function store(key: string, { stored, session }: Visit, now: number): void {
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
