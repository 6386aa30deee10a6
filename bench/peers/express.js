// express-session, as its README configures it for production.
import express from "express";
import session from "express-session";

import { announceNode, name, SECRET, show, storage, tally, target } from "./announce.js";

const app = express();
app.disable("x-powered-by");
app.get("/bare", (request, response) => {
  tally.handled++;
  response.type("text").send("hello");
});
app.use(
  session({
    store: await openStore(),
    secret: SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { secure: "auto", sameSite: "lax", maxAge: 8 * 60 * 60 * 1000 },
  }),
);
app.get("/", (request, response) => {
  tally.handled++;
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.type("text").send(show(request.session.visits));
});
app.get("/page", (request, response) => {
  tally.handled++;
  response.type("text").send(show(request.session.visits));
});
app.get("/tab/:tab", (request, response) => {
  tally.handled++;
  const { tab } = request.params;
  request.session[tab] = (request.session[tab] ?? 0) + 1;
  response.type("text").send(show(request.session[tab]));
});
app.get("/tabs", (request, response) => {
  tally.handled++;
  response.type("text").send(show((request.session.a ?? 0) + (request.session.b ?? 0)));
});
announceNode(app.listen(0, "127.0.0.1"));

async function openStore() {
  switch (storage) {
    case "memory":
      return new session.MemoryStore();
    case "normal": {
      const { default: Database } = await import("better-sqlite3");
      const { default: toStore } = await import("better-sqlite3-session-store");
      const client = new Database(target);
      client.pragma("journal_mode = WAL");
      client.pragma("synchronous = NORMAL");
      return new (toStore(session))({ client, expired: { clear: true, intervalMs: 900_000 } });
    }
    case "redis": {
      const { RedisStore } = await import("connect-redis");
      const { createClient } = await import("redis");
      return new RedisStore({
        client: await createClient({ url: target }).connect(),
        prefix: name,
      });
    }
    case "postgres": {
      const { default: toStore } = await import("connect-pg-simple");
      const { default: pg } = await import("pg");
      const Store = toStore(session);
      const pool = new pg.Pool({ connectionString: target });
      return new Store({ pool, schemaName: name, createTableIfMissing: true });
    }
    default:
      throw new Error(`There is no store "${storage}" here.`);
  }
}
