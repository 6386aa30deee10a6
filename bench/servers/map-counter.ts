// The minimal counter in memory: a cookie and a Map, without expiry, limits or rules.
import { ADDRESS, announce, tally } from "./announce.ts";
import { createId, idOf, isBare, isPage, pageOf } from "./by-hand.ts";

const sessions = new Map<string, { visits: number }>();

function count(request: Request): Response {
  tally.handled++;
  if (isBare(request)) return new Response("hello");
  const session = sessions.get(idOf(request) ?? "");
  if (isPage(request)) return pageOf(session?.visits ?? 0);
  if (session !== undefined) return pageOf(++session.visits);
  const id = createId();
  sessions.set(id, { visits: 1 });
  return pageOf(1, id);
}

announce(Bun.serve({ ...ADDRESS, fetch: count }));
