// @fastify/session, as its README shows it, with its default store.
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import fastify from "fastify";

import { announce, SECRET, show, tally } from "./announce.js";

const app = fastify();
app.get("/bare", async () => {
  tally.handled++;
  return "hello";
});
app.register(async (pages) => {
  await pages.register(fastifyCookie);
  await pages.register(fastifySession, {
    secret: SECRET,
    saveUninitialized: false,
    cookie: { secure: "auto", maxAge: 8 * 60 * 60 * 1000 },
  });
  pages.get("/", async ({ session }) => {
    tally.handled++;
    session.visits = (session.visits ?? 0) + 1;
    return show(session.visits);
  });
  pages.get("/page", async ({ session }) => {
    tally.handled++;
    return show(session.visits);
  });
  pages.get("/tab/:tab", async ({ session, params }) => {
    tally.handled++;
    session[params.tab] = (session[params.tab] ?? 0) + 1;
    return show(session[params.tab]);
  });
  pages.get("/tabs", async ({ session }) => {
    tally.handled++;
    return show((session.a ?? 0) + (session.b ?? 0));
  });
});
announce(await app.listen({ port: 0, host: "127.0.0.1" }));
