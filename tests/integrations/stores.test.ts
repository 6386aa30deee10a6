import { describe, expect, test } from "bun:test";

import { App, InMemorySessionBackend, routes, Sessions } from "bunpie";
import type { SessionsOptions } from "bunpie";
import { sessions as elysiaSessions } from "bunpie/elysia";
import { sessions as honoSessions } from "bunpie/hono";
import { Elysia } from "elysia";
import { Hono } from "hono";

import type { Session } from "../../src/session/session.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { watch } from "../support/stores/watched-backend.ts";

interface Data {
  visits: number;
}

type Fetch = (request: Request) => MaybePromise<Response>;

/** Goes through everything that a session does to a store. Not asynchronous, as handlers need not be. */
function visit(path: string, session: Session<Data>): string {
  session.visits = (session.visits ?? 0) + 1;
  if (path === "/login") session.login("ann");
  if (path === "/logout") session.destroy();
  if (path === "/fail") throw new Error("The page failed.");
  return String(session.visits ?? "gone");
}

const PATHS = ["/", "/login", "/logout", "/fail"];

/** Pages that are not asynchronous on each door, so that nothing but the store can be. */
const DOORS: readonly (readonly [name: string, create: (backend: SessionStore) => Fetch])[] = [
  [
    "App",
    (sessionBackend) => {
      class Pages extends App<Data> {
        index = routes({
          "/:page?": () => visit(this.request.path, this.request.session),
        });
      }
      const app = new Pages({ sessionBackend, session: { sweepInterval: 0 } });
      return (request) => app.fetch(request);
    },
  ],
  [
    "wrap",
    (backend) => {
      const wrapped = toSessions(backend).wrap(
        (request: Request, session, ..._rest: []) =>
          new Response(visit(new URL(request.url).pathname, session)),
      );
      return async (request) => {
        try {
          return await wrapped(request);
        } catch {
          return new Response("error", { status: 500 });
        }
      };
    },
  ],
  [
    "Elysia",
    (backend) => {
      const app = new Elysia().use(elysiaSessions(toSessions(backend)));
      // Elysia awaits a handler that returns a call, as it reads in its source.
      for (const path of PATHS) {
        app.get(path, ({ session }) => {
          const page = visit(path, session);
          return page;
        });
      }
      return (request) => app.fetch(request);
    },
  ],
  [
    "Hono",
    (backend) => {
      const app = new Hono().use(honoSessions(toSessions(backend)));
      for (const path of PATHS) app.get(path, (c) => c.text(visit(path, c.var.session)));
      return (request) => app.fetch(request);
    },
  ],
];

function toSessions(backend: SessionsOptions["backend"]): Sessions<Data> {
  return new Sessions<Data>({ backend, sweepInterval: 0 });
}

/** A store in memory whose methods wait for what `before` returns. It does not say that it answers at once. */
function waiting(before: (method: string) => MaybePromise<unknown>): SessionStore {
  const watched = watch(new InMemorySessionBackend());
  watched.before = before;
  return watched.backend;
}

const STORES: readonly (readonly [name: string, create: () => SessionStore])[] = [
  ["that answers at once, and says so", () => new InMemorySessionBackend()],
  ["that answers at once, and does not say so", () => waiting(() => undefined)],
  ["that answers later", () => waiting(() => Promise.resolve())],
  ["that answers later when it writes", () => waiting((method) => later(method !== "read"))],
  ["that answers later when it reads", () => waiting((method) => later(method === "read"))],
  [
    "whose every other answer comes later",
    () => {
      let calls = 0;
      return waiting(() => later(++calls % 2 === 0));
    },
  ],
];

function later(is: boolean): MaybePromise<void> {
  return is ? Promise.resolve() : undefined;
}

async function fail(): Promise<never> {
  throw new Error("The disk is gone.");
}

describe.each(DOORS)("%s", (_, createDoor) => {
  test.each(["read", "replace"])(
    "S7: answers 503 if an asynchronous store fails to %s",
    async (operation) => {
      using error = quiet("error");
      const store = waiting((method) => (method === operation ? fail() : undefined));
      const client = new TestClient({ fetch: createDoor(store) });
      expect(await client.text("/")).toBe("1");
      expect((await client.send("/")).status).toBe(503);
      expect(Bun.inspect(error.mock.calls)).toContain("The disk is gone.");
    },
  );

  describe.each(STORES)("on a store %s", (__, createStore) => {
    test("keeps a session from its first visit to its end", async () => {
      using _error = quiet("error");
      const client = new TestClient({ fetch: createDoor(createStore()) });
      expect(await client.text("/")).toBe("1");
      const first = client.sessionId;
      expect(await client.text("/")).toBe("2");
      expect((await client.send("/fail")).status).toBe(500);
      expect(await client.text("/")).toBe("3");
      expect(client.sessionId).toBe(first);
      expect(await client.text("/login")).toBe("4");
      expect(client.sessionId).not.toBe(first);
      expect(await client.text("/")).toBe("5");
      expect(await client.text("/logout")).toBe("gone");
      expect(client.sessionId).toBeUndefined();
      expect(await client.text("/")).toBe("1");
    });
  });
});
