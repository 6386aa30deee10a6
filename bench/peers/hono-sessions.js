// hono-sessions, as its README shows it, over its stores for memory and for bun:sqlite.
import { Hono } from "hono";
import { MemoryStore, sessionMiddleware } from "hono-sessions";

import { ADDRESS, announce, SECRET, show, storage, tally, target } from "./announce.js";

const app = new Hono();
app.get("/bare", (c) => {
  tally.handled++;
  return c.text("hello");
});
app.use(
  "*",
  sessionMiddleware({
    store: await openStore(),
    encryptionKey: SECRET,
    expireAfterSeconds: 8 * 60 * 60,
    cookieOptions: { sameSite: "Lax", path: "/", httpOnly: true },
  }),
);
app.get("/", (c) => {
  tally.handled++;
  return c.text(show(increment(c.get("session"), "visits")));
});
app.get("/page", (c) => {
  tally.handled++;
  return c.text(show(c.get("session").get("visits")));
});
app.get("/tab/:tab", (c) => {
  tally.handled++;
  return c.text(show(increment(c.get("session"), c.req.param("tab"))));
});
app.get("/tabs", (c) => {
  tally.handled++;
  const session = c.get("session");
  return c.text(show((session.get("a") ?? 0) + (session.get("b") ?? 0)));
});
const server = Bun.serve({ ...ADDRESS, fetch: app.fetch });
announce(server.url, () => server.pendingRequests);

function increment(session, key) {
  const count = (session.get(key) ?? 0) + 1;
  session.set(key, count);
  return count;
}

async function openStore() {
  if (storage === "memory") return new MemoryStore();
  const { BunSqliteStore } = await import("hono-sessions/bun-sqlite-store");
  const { Database } = await import("bun:sqlite");
  const database = new Database(target);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = NORMAL");
  return new BunSqliteStore(database);
}
