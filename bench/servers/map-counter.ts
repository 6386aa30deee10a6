// The minimal counter in memory: a cookie and a Map, without expiry, limits or rules.
import { ADDRESS, announce, tally } from "./announce.ts";
import { createId, isBare, isPage, makePage, readId } from "./by-hand.ts";

const sessions = new Map<string, { visits: number }>();

function count(request: Request): Response {
  tally.handled++;
  if (isBare(request)) return new Response("hello");
  const session = sessions.get(readId(request) ?? "");
  if (isPage(request)) return makePage(session?.visits ?? 0);
  if (session !== undefined) return makePage(++session.visits);
  const id = createId();
  sessions.set(id, { visits: 1 });
  return makePage(1, id);
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
