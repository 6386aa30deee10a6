// @hono/session, as its README shows it: an encrypted cookie that names the session, and a storage of three functions.
import { useSession, useSessionStorage } from "@hono/session";
import { Hono } from "hono";

import { ADDRESS, announce, SECRET, show, tally } from "./announce.js";

const sessions = new Map();

const app = new Hono();
app.get("/bare", (c) => {
  tally.handled++;
  return c.text("hello");
});
app.use(
  useSessionStorage({
    get: async (sid) => sessions.get(sid) ?? null,
    set: (sid, value) => void sessions.set(sid, value),
    delete: (sid) => void sessions.delete(sid),
  }),
  useSession({ secret: SECRET, duration: { absolute: 8 * 60 * 60 } }),
);
app.get("/", async (c) => {
  tally.handled++;
  return c.text(show(await increment(c.var.session, "visits")));
});
app.get("/page", async (c) => {
  tally.handled++;
  return c.text(show((await c.var.session.get())?.visits));
});
app.get("/tab/:tab", async (c) => {
  tally.handled++;
  return c.text(show(await increment(c.var.session, c.req.param("tab"))));
});
app.get("/tabs", async (c) => {
  tally.handled++;
  const data = await c.var.session.get();
  return c.text(show((data?.a ?? 0) + (data?.b ?? 0)));
});
const server = Bun.serve({ ...ADDRESS, fetch: app.fetch });
announce(server.url, () => server.pendingRequests);

async function increment(session, key) {
  let count = 0;
  await session.update((data) => {
    count = (data?.[key] ?? 0) + 1;
    return { ...data, [key]: count };
  });
  return count;
}
