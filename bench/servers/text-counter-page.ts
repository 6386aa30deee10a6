import { createId, makePage, readId } from "./by-hand.ts";

interface Stored {
  readonly data: string;
  readonly version: number;
  readonly expiresAt: number;
}

const TIMEOUT = 8 * 60 * 60 * 1000;
const ID = /^[A-Za-z0-9_-]{43}$/;
const VARYING = {
  headers: new Headers({ "content-type": "text/plain;charset=utf-8", vary: "Cookie" }),
};
const sessions = new Map<string, Stored>();

/**
 * The minimal counter in memory that does what every session has to do: it hashes ids, stores text
 * instead of live objects, checks expiry, stores changes and sends `Vary`. With `onlyReads`, the
 * visit is not counted.
 */
export function countInText(request: Request, onlyReads = false): Response {
  const id = readId(request);
  const key = id === undefined || !ID.test(id) ? undefined : hash(id);
  const stored = key === undefined ? undefined : sessions.get(key);
  if (key === undefined || stored === undefined || stored.expiresAt <= Date.now()) return begin();
  const session = JSON.parse(stored.data) as { visits: number };
  if (!onlyReads) session.visits++;
  const data = JSON.stringify(session);
  if (data !== stored.data) {
    sessions.set(key, { data, version: stored.version + 1, expiresAt: stored.expiresAt });
  }
  return new Response(`You have visited ${session.visits} times.`, VARYING);
}

function begin(): Response {
  const id = createId();
  sessions.set(hash(id), { data: '{"visits":1}', version: 1, expiresAt: Date.now() + TIMEOUT });
  return makePage(1, id);
}

function hash(id: string): string {
  return Bun.SHA256.hash(id, "base64url");
}
