// @remix-run/session over its memory storage, with the signed cookie that its README requires.
import { createCookie } from "@remix-run/cookie";
import { createMemorySessionStorage } from "@remix-run/session/memory-storage";

import { ADDRESS, announce, SECRET, show, tally } from "./announce.js";

const cookie = createCookie("session", {
  secrets: [SECRET],
  httpOnly: true,
  sameSite: "Lax",
  path: "/",
});
const storage = createMemorySessionStorage();

const server = Bun.serve({
  ...ADDRESS,
  async fetch(request) {
    tally.handled++;
    const { pathname } = new URL(request.url);
    if (pathname === "/bare") return new Response("hello");
    const session = await storage.read(await cookie.parse(request.headers.get("cookie")));
    const page = respond(pathname, session);
    const value = await storage.save(session);
    const headers = new Headers({ "content-type": "text/plain;charset=utf-8" });
    if (value !== null) headers.set("set-cookie", await cookie.serialize(value));
    return new Response(page, { headers });
  },
});
announce(server.url, () => server.pendingRequests);

function respond(pathname, session) {
  if (pathname === "/page") return show(session.get("visits"));
  if (pathname === "/tabs") return show((session.get("a") ?? 0) + (session.get("b") ?? 0));
  const key = pathname === "/" ? "visits" : pathname.slice("/tab/".length);
  session.set(key, (session.get(key) ?? 0) + 1);
  return show(session.get(key));
}
