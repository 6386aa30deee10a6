// A hand-written counter on Elysia, which has no sessions: its own cookies and a Map. No expiry, no limit.
import { Elysia } from "elysia";

import { ADDRESS, announce, show, tally } from "./announce.js";

const sessions = new Map();

function find(cookie) {
  const known = sessions.get(cookie.value);
  if (known !== undefined) return known;
  const created = {};
  cookie.set({ value: crypto.randomUUID(), httpOnly: true, sameSite: "lax", path: "/" });
  sessions.set(cookie.value, created);
  return created;
}

const { server } = new Elysia()
  .get("/bare", () => {
    tally.handled++;
    return "hello";
  })
  .get("/", ({ cookie: { sid } }) => {
    tally.handled++;
    const session = find(sid);
    session.visits = (session.visits ?? 0) + 1;
    return show(session.visits);
  })
  .get("/page", ({ cookie: { sid } }) => {
    tally.handled++;
    return show(sessions.get(sid.value)?.visits);
  })
  .get("/tab/:tab", ({ cookie: { sid }, params: { tab } }) => {
    tally.handled++;
    const session = find(sid);
    session[tab] = (session[tab] ?? 0) + 1;
    return show(session[tab]);
  })
  .get("/tabs", ({ cookie: { sid } }) => {
    tally.handled++;
    const session = find(sid);
    return show((session.a ?? 0) + (session.b ?? 0));
  })
  .listen(ADDRESS);
announce(server.url, () => server.pendingRequests);
