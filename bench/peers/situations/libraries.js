// The site on each library, configured as its README recommends for production, over the same store.
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import express from "express";
import expressSession from "express-session";
import fastify from "fastify";
import { Hono } from "hono";
import { sessionMiddleware } from "hono-sessions";
import Koa from "koa";
import koaSession from "koa-session";

import { Sessions } from "../../../src/index.ts";
import { SECRET } from "../announce.js";
import { PAGES } from "./site.js";

const HOURS = 60 * 60 * 1000;

/** A store with callbacks, for express-session and @fastify/session. */
class CallbackStore extends expressSession.Store {
  constructor(store) {
    super();
    this.store = store;
  }
  get(id, done) {
    this.store.read(id).then((data) => done(null, data ?? null), done);
  }
  set(id, data, done = () => {}) {
    this.store.write(id, data).then(() => done(null), done);
  }
  destroy(id, done = () => {}) {
    this.store.delete(id).then(() => done(null), done);
  }
}

/** For libraries whose session has methods with callbacks. */
function callbackVisit(request) {
  const call = (name) =>
    new Promise((resolve, reject) => {
      request.session[name]((error) => (error ? reject(error) : resolve()));
    });
  return {
    get: (key) => request.session[key],
    set: (key, value) => {
      request.session[key] = value;
    },
    login: async (user) => {
      await call("regenerate");
      request.session.user = user;
    },
    destroy: () => call("destroy"),
  };
}

const parseQuery = (url) => new URL(url, "http://localhost").searchParams;

async function startExpress(store) {
  const app = express();
  app.use(
    expressSession({
      store: new CallbackStore(store),
      secret: SECRET,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 8 * HOURS },
    }),
  );
  for (const [path, page] of Object.entries(PAGES)) {
    // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 forwards rejections.
    app.get(path, async (request, response) => {
      const answer = await page(callbackVisit(request), parseQuery(request.url));
      if (typeof answer === "string") response.type("text").send(answer);
      else response.redirect(answer.location);
    });
  }
  app.use((_error, _request, response, next) => {
    if (response.headersSent) return next(_error);
    response.status(500).type("text").send("error");
  });
  return listen(app.listen(0, "127.0.0.1"));
}

async function startFastify(store) {
  const app = fastify();
  await app.register(fastifyCookie);
  await app.register(fastifySession, {
    store: new CallbackStore(store),
    secret: SECRET,
    cookie: { secure: false, maxAge: 8 * HOURS },
  });
  for (const [path, page] of Object.entries(PAGES)) {
    app.get(path, async (request, reply) => {
      const answer = await page(callbackVisit(request), parseQuery(request.url));
      return typeof answer === "string"
        ? reply.type("text/plain").send(answer)
        : reply.redirect(answer.location);
    });
  }
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { url, stop: () => app.close() };
}

async function startHono(store) {
  const app = new Hono();
  app.use(
    "*",
    sessionMiddleware({
      store: {
        getSessionById: (id) => store.read(id),
        createSession: (id, data) => store.write(id, data),
        persistSessionData: (id, data) => store.write(id, data),
        deleteSession: (id) => store.delete(id),
      },
      encryptionKey: SECRET,
      expireAfterSeconds: (8 * HOURS) / 1000,
      cookieOptions: { sameSite: "Lax", path: "/", httpOnly: true },
    }),
  );
  for (const [path, page] of Object.entries(PAGES)) {
    app.get(path, async (c) => {
      const session = c.get("session");
      const visit = {
        get: (key) => session.get(key),
        set: (key, value) => session.set(key, value),
        login: (user) => {
          session.set("user", user);
          c.set("session_key_rotation", true);
        },
        destroy: () => session.deleteSession(),
      };
      const answer = await page(visit, parseQuery(c.req.url));
      return typeof answer === "string" ? c.text(answer) : c.redirect(answer.location);
    });
  }
  app.onError((_error, c) => c.text("error", 500));
  return serve(app.fetch);
}

async function startKoa(store) {
  const app = new Koa();
  app.silent = true;
  app.keys = [SECRET];
  app.use(
    koaSession(
      {
        maxAge: 8 * HOURS,
        store: {
          get: (id) => store.read(id),
          set: (id, data) => store.write(id, data),
          destroy: (id) => store.delete(id),
        },
      },
      app,
    ),
  );
  app.use(async (ctx) => {
    const visit = {
      get: (key) => ctx.session[key],
      set: (key, value) => {
        ctx.session[key] = value;
      },
      login: async (user) => {
        await ctx.session.regenerate();
        ctx.session.user = user;
      },
      destroy: () => {
        ctx.session = null;
      },
    };
    const answer = await PAGES[ctx.path](visit, parseQuery(ctx.url));
    if (typeof answer === "string") ctx.body = answer;
    else ctx.redirect(answer.location);
  });
  return listen(app.listen(0, "127.0.0.1"));
}

/** Bunpie's two-method interface. */
const bunpieBackend = (store) => ({
  load: async (id) => (await store.read(id)) ?? {},
  save: (id, data, timeout) => (timeout === 0 ? store.delete(id) : store.write(id, data)),
});

async function startBunpie(store) {
  const sessions = new Sessions({ backend: bunpieBackend(store) });
  const routes = Object.entries(PAGES).map(([path, page]) => [
    path,
    sessions.wrap(async (request, session) => {
      const visit = {
        get: (key) =>
          session[key] ?? (key === "user" ? (session.meta.userId ?? undefined) : undefined),
        set: (key, value) => {
          session[key] = value;
        },
        login: (user) => session.login(user),
        destroy: () => session.destroy(),
      };
      const answer = await page(visit, parseQuery(request.url));
      return typeof answer === "string" ? new Response(answer) : Response.redirect(answer.location);
    }),
  ]);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    routes: Object.fromEntries(routes),
    error: () => new Response("error", { status: 500 }),
  });
  return { url: server.url.origin, stop: () => server.stop(true) };
}

function serve(fetch) {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
  return { url: server.url.origin, stop: () => server.stop(true) };
}

function listen(server) {
  return new Promise((resolve) => {
    server.on("listening", () => {
      const { port } = server.address();
      resolve({ url: `http://127.0.0.1:${port}`, stop: () => server.close() });
    });
  });
}

/** How to start the site on each library, by its name on npm. */
export const LIBRARIES = {
  bunpie: startBunpie,
  "express-session": startExpress,
  "@fastify/session": startFastify,
  "hono-sessions": startHono,
  "koa-session": startKoa,
};
