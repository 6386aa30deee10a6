// iron-session, as its README shows it: the session is an encrypted cookie.
import { getIronSession, webCookies } from "iron-session";

import { ADDRESS, announce, SECRET, show, tally } from "./announce.js";

const OPTIONS = { password: SECRET, cookieName: "session", ttl: 8 * 60 * 60 };

const server = Bun.serve({
  ...ADDRESS,
  async fetch(request) {
    tally.handled++;
    const { pathname } = new URL(request.url);
    if (pathname === "/bare") return new Response("hello");
    const headers = new Headers({ "content-type": "text/plain;charset=utf-8" });
    const session = await getIronSession(webCookies(request, headers), OPTIONS);
    if (pathname !== "/page") {
      session.visits = (session.visits ?? 0) + 1;
      await session.save();
    }
    return new Response(show(session.visits), { headers });
  },
});
announce(server.url, () => server.pendingRequests);
