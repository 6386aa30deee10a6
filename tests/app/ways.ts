import { Hono } from "hono";

import { TestClient } from "../../src/testing/client.ts";
import { Everything } from "../fixtures/everything.ts";
import { ServedApp } from "../support/processes/served-app.ts";
import { quiet } from "../support/quiet.ts";

/** An app with every feature, served in one way or another. */
export interface Place {
  /** A browser that has not been here before. */
  client(): TestClient;
  /** Where it listens; `undefined` where it does not. */
  readonly port: number | undefined;
  /** Waits until the app tells this; what it told before then counts no more. */
  heard(word: string): Promise<void>;
  /** What was logged as an error. */
  readonly errors: string;
  /** Lets pages go on that wait for it. */
  release(): void;
  /** Ends the app in good order. */
  stop(): Promise<void>;
}

/** A way to serve an app. */
export interface Way {
  readonly name: string;
  /** Whether the app knows the server that it is behind: without it there are no addresses and no sockets. */
  readonly hasServer: boolean;
  /** Whether requests come over a network. */
  readonly hasNetwork: boolean;
  /** Whether the app looks after the server itself, and ends with it. */
  readonly isWhole: boolean;
  serve(): Promise<Place>;
}

const whole = { hasServer: true, hasNetwork: true, isWhole: true };
const mounted = { hasNetwork: true, isWhole: false };

export const WAYS: readonly Way[] = [
  { name: "as the default export", ...whole, serve: serveDefaultExport },
  { name: "by app.listen()", ...whole, serve: () => serveHere((app) => app.listen(0)) },
  {
    name: "mounted in a server, which it knows",
    ...mounted,
    hasServer: true,
    serve: () =>
      serveHere((app) =>
        Bun.serve({
          port: 0,
          routes: { "/beside": new Response("beside") },
          fetch: (request, server) => app.fetch(request, server),
          websocket: app.websocket,
        }),
      ),
  },
  {
    name: "mounted in a route of a server, which it does not know",
    ...mounted,
    hasServer: false,
    serve: () =>
      serveHere((app) =>
        Bun.serve({
          port: 0,
          routes: {
            "/beside": new Response("beside"),
            "/*": (request: Request) => app.fetch(request),
          },
        }),
      ),
  },
  {
    name: "mounted in a server, by a framework that passes its bindings in the place of that server",
    ...mounted,
    hasServer: false,
    serve: () =>
      serveHere((app) => {
        const framework = new Hono()
          .get("/beside", (context) => context.text("beside"))
          .mount("/", app.fetch);
        return Bun.serve({
          port: 0,
          fetch: (request) => framework.fetch(request, { DATABASE: "shop" }),
        });
      }),
  },
  {
    name: "mounted behind a function that makes another request of each",
    ...mounted,
    hasServer: false,
    serve: () =>
      serveHere((app) =>
        Bun.serve({
          port: 0,
          routes: { "/beside": new Response("beside") },
          fetch: (request, server) => app.fetch(new Request(request), server),
          websocket: app.websocket,
        }),
      ),
  },
  {
    name: "by TestClient",
    hasServer: false,
    hasNetwork: false,
    isWhole: false,
    serve: () => serveHere(() => undefined),
  },
];

async function serveDefaultExport(): Promise<Place> {
  const child = new ServedApp("everything-default-export.ts");
  const url = await child.url();
  return {
    client: () => new TestClient(url),
    port: Number(url.port),
    heard: (word) => child.message(word),
    get errors() {
      return child.errors;
    },
    release: () => void child.process.send("go on"),
    stop: async () => {
      child.process.kill("SIGTERM");
      const end = await child.ended();
      if (end !== 0) throw new Error(`The app ended with ${end}: ${child.errors}`);
    },
  };
}

async function serveHere(
  listen: (app: Everything) => Bun.Server<unknown> | undefined,
): Promise<Place> {
  using _info = quiet("info");
  const error = quiet("error");
  const unheard: string[] = [];
  let hasEnded = false;
  let news = Promise.withResolvers<void>();
  const app = new Everything((word) => {
    unheard.push(word);
    news.resolve();
    news = Promise.withResolvers();
  });
  const server = listen(app);
  return {
    client: () => new TestClient(server?.url ?? app),
    port: server?.port,
    heard: async (word) => {
      while (!unheard.includes(word)) {
        if (hasEnded) throw new Error(`The app has ended, and did not tell "${word}".`);
        await news.promise;
      }
      unheard.splice(0, unheard.indexOf(word) + 1);
    },
    get errors() {
      return error.mock.calls.map((call) => Bun.inspect(call)).join("\n");
    },
    release: () => app._release(),
    stop: async () => {
      await app.close();
      await server?.stop(true);
      hasEnded = true;
      news.resolve();
      error[Symbol.dispose]();
    },
  };
}
