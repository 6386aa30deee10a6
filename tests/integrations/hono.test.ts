import { describe, expect, expectTypeOf, test } from "bun:test";

import type { Session, Sessions } from "bunpie";
import { SessionStoreError } from "bunpie";
import { sessions } from "bunpie/hono";
import { Hono } from "hono";
import { upgradeWebSocket, websocket } from "hono/bun";
import { etag } from "hono/etag";

import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { sessionCookies } from "../support/visitor.ts";
import type { Data } from "./frameworks.ts";
import {
  checkMounted,
  checkTwoManagers,
  setUp,
  setUpStaff,
  shakeHands,
  testManagers,
  visited,
} from "./frameworks.ts";

/** An app with a page that counts visits, and one that shows the number and changes nothing. */
function counter(manager: Sessions<Data>) {
  return new Hono()
    .use(sessions(manager))
    .get("/", (c) => {
      const { session } = c.var;
      return c.text(String((session.visits = (session.visits ?? 0) + 1)));
    })
    .get("/visits", (c) => c.text(String(c.var.session.visits)));
}

describe("the session in the context", () => {
  testManagers(sessions);

  test("has the type of its manager in both ways to access it", async () => {
    const { manager } = setUp();
    const app = new Hono().use(sessions(manager)).get("/", (c) => {
      expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>();
      expectTypeOf(c.get("session")).toEqualTypeOf<Session<Data>>();
      return c.json(c.var.session === c.get("session"));
    });
    expect(await (await app.request("/")).json()).toBeTrue();
  });

  test("is new for every request, even one that is sent twice", async () => {
    const { manager, store } = setUp();
    const app = counter(manager);
    const [line = ""] = (await app.request("/")).headers.getSetCookie();
    const request = new Request("http://localhost/", {
      headers: { cookie: line.split(";", 1).join() },
    });
    expect(await (await app.request(request)).text()).toBe("2");
    expect(await (await app.request(request)).text()).toBe("3");
    expect(store.calls).toEqual(["create", "read", "replace", "read", "replace"]);
  });

  test("is the same, however many parts of an app use the middleware", async () => {
    const { manager, store } = setUp();
    const part = new Hono().use(sessions(manager)).get("/", (c) => {
      c.var.session.visits = 7;
      return c.text("part");
    });
    const app = counter(manager).route("/part", part);
    const client = await visited(app);
    store.calls.length = 0;
    await client.send("/part");
    expect(store.calls).toEqual(["read", "replace"]);
    expect(sessionCookies(await new TestClient(app).send("/part"))).toHaveLength(1);
  });

  test("is not looked up without the middleware", async () => {
    const { manager, store } = setUp();
    const app = new Hono()
      .use("/shop/*", sessions(manager))
      .get("/shop/", (c) => c.text(`${c.var.session.meta.isNew}`))
      .get("/", (c) => c.text(`${"session" in c.var}`));
    const client = new TestClient(app);
    client.cookies.set("session_id", "A".repeat(43));
    expect(await client.text("/")).toBe("false");
    expect(store.calls).toEqual([]);
    expect(await client.text("/shop/")).toBe("true");
    expect(store.calls).toEqual(["read"]);
  });

  test("has another name for each of two managers", async () => {
    const app = new Hono()
      .use(sessions(setUp().manager), sessions(setUpStaff(), { key: "staff" }))
      .get("/", (c) => {
        expectTypeOf(c.var.staff).toEqualTypeOf<Session<{ role: string }>>();
        c.var.session.visits = 1;
        c.var.staff.role = "cook";
        return c.redirect("/both");
      })
      .get("/both", (c) => c.text(`${c.var.session.visits} ${c.var.staff.role}`))
      .get("/leave", (c) => {
        c.var.staff.destroy();
        return c.body(null, 204);
      });
    await checkTwoManagers(app);
  });
});

describe("the app's own handlers", () => {
  test("S7: `onError` receives the error of a store that fails, and may answer", async () => {
    using _error = quiet("error");
    const { manager, store } = setUp();
    const app = counter(manager).onError((error, c) =>
      c.text(error instanceof SessionStoreError ? "Back in a minute." : "?", 503),
    );
    const client = await visited(app);
    store.break("read");
    expect(await client.text("/")).toBe("Back in a minute.");
  });

  test("S8: an error that `onError` answers with success stores nothing either", async () => {
    const { manager, store } = setUp();
    const app = new Hono()
      .use(sessions(manager))
      .get("/", (c) => {
        c.var.session.visits = 1;
        throw new Error("The page failed.");
      })
      .onError((_error, c) => c.text("fine"));
    const response = await app.request("/");
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []]);
    expect(store.calls).toEqual([]);
  });

  test("S8: a thrown value that is no error is passed on, also after a destroy()", async () => {
    const app = counter(setUp().manager).get("/leave", (c) => {
      c.var.session.destroy();
      throw "no error";
    });
    const client = await visited(app);
    await expect(client.send("/leave")).rejects.toBe("no error");
    expect(await client.text("/visits")).toBe("undefined");
  });

  test("S4: a session that cannot be stored is an error for `onError`, like any other", async () => {
    const app = new Hono()
      .use(sessions(setUp().manager))
      .get("/", (c) => {
        Object.assign(c.var.session, { run: () => 1 });
        return c.text("");
      })
      .onError((error, c) => {
        c.header("x-failed", "yes");
        return c.text(error.message, 500);
      });
    const response = await app.request("/");
    expect(await response.text()).toContain("session.run is a function");
    expect([response.status, response.headers.get("x-failed")]).toEqual([500, "yes"]);
  });

  test("a page that is not found has a session too", async () => {
    const app = counter(setUp().manager).notFound((c) => {
      (c.get("session" as never) as Session<Data>).visits = 404;
      return c.text("Not here.", 404);
    });
    const client = new TestClient(app);
    expect((await client.send("/nowhere")).status).toBe(404);
    expect(await client.text("/visits")).toBe("404");
  });

  test("other middleware may process the response, outside and inside", async () => {
    const { manager } = setUp();
    const app = new Hono()
      .use(etag())
      .use(sessions(manager))
      .use(async (c, next) => {
        await next();
        c.var.session.visits = 5;
        c.header("x-inside", "yes");
      })
      .get("/", (c) => c.text("page"));
    const client = new TestClient(app);
    const response = await client.send("/");
    expect(sessionCookies(response)).toHaveLength(1);
    expect(response.headers.get("x-inside")).toBe("yes");
    expect(response.headers.get("etag")).toBeString();
  });
});

/** Serves a page, an empty one, one without a body, and a socket that ends at once. */
function serve(manager: Sessions<Data>) {
  const app = counter(manager)
    .get(
      "/chat",
      upgradeWebSocket((c) => {
        const session = c.get("session" as never) as Session<Data>;
        session.visits = 7;
        return { onOpen: (_event, socket) => socket.close() };
      }),
    )
    .get("/empty", (c) => {
      c.var.session.visits = 1;
      return c.body("");
    })
    .get("/nobody", (c) => {
      c.var.session.visits = 1;
      return c.body(null);
    });
  return Bun.serve({ port: 0, fetch: app.fetch, websocket });
}

describe("a WebSocket", () => {
  test.each([
    ["stores what its handshake changed in an existing session", "/chat", true, [101, 0, "7"]],
    [
      "that sends no handshake is answered like any page, with the cookie",
      "/",
      false,
      [200, 1, "1"],
    ],
    ["that sends no handshake may be answered with nothing", "/empty", false, [200, 1, "1"]],
    ["that sends no handshake may be answered without a body", "/nobody", false, [200, 1, "1"]],
  ] as const)("%s", async (_, path, isKnown, [status, cookies, visits]) => {
    await using server = serve(setUp().manager);
    expect(await shakeHands(server, path, isKnown)).toEqual({ status, cookies, visits });
  });

  test("begins no session, because Hono's helper cannot send its cookie", async () => {
    using error = quiet("error");
    const { manager, store } = setUp();
    await using server = serve(manager);
    const came = await shakeHands(server, "/chat", false);
    expect(came).toEqual({ status: 101, cookies: 0, visits: "undefined" });
    expect(store.calls).toEqual([]);
    expect(Bun.inspect(error.mock.calls)).toContain("A new session needs a cookie");
  });
});

test("a mounted app has its own sessions, and so has the app around it", () =>
  checkMounted((inner) => {
    const app = counter(setUp().manager);
    app.mount("/inner", inner);
    return app;
  }));
