// koa-session, as its README shows it: signed cookies, or an external store of three methods.
import Koa from "koa";
import session from "koa-session";

import { announceNode, SECRET, show, storage, tally } from "./announce.js";

const sessions = new Map();
const store = {
  get: async (key) => sessions.get(key),
  set: async (key, value) => void sessions.set(key, value),
  destroy: async (key) => void sessions.delete(key),
};

const app = new Koa();
app.keys = [SECRET];
app.use(async (context, next) => {
  if (context.path !== "/bare") return next();
  tally.handled++;
  context.body = "hello";
});
app.use(session(storage === "memory" ? { store } : {}, app));
app.use((context) => {
  tally.handled++;
  context.body = respond(context.path, context.session);
});
announceNode(app.listen(0, "127.0.0.1"));

function respond(path, stored) {
  if (path === "/") {
    stored.visits = (stored.visits ?? 0) + 1;
    return show(stored.visits);
  }
  if (path === "/page") return show(stored.visits);
  if (path === "/tabs") return show((stored.a ?? 0) + (stored.b ?? 0));
  const tab = path.slice("/tab/".length);
  stored[tab] = (stored[tab] ?? 0) + 1;
  return show(stored[tab]);
}
