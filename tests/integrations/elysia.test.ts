import { describe, expect, expectTypeOf, test } from "bun:test";

import type { CookieRequest } from "@elysiajs/cookie";
import { cookie } from "@elysiajs/cookie";
import type { CookieOptions, Session, SessionsOptions } from "bunpie";
import { App, Sessions, SessionStoreError } from "bunpie";
import { sessions } from "bunpie/elysia";
import type { AnyElysia } from "elysia";
import { Elysia, sse, status, t } from "elysia";

import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, handshake, setCookiesIn } from "../support/raw.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import { sessionCookies } from "../support/visitor.ts";

interface Data {
  visits: number;
}

function setUp(options: Partial<SessionsOptions> = {}) {
  const store = new TappedStore();
  const manager = new Sessions<Data>({ backend: store, sweepInterval: 0, ...options });
  return { store, manager };
}

/** An app with a page that counts visits, and one that shows the number and changes nothing. */
function counter(manager: Sessions<Data>) {
  return new Elysia()
    .use(sessions(manager))
    .get("/", ({ session }) => String((session.visits = (session.visits ?? 0) + 1)))
    .get("/visits", ({ session }) => String(session.visits));
}

async function visited(app: { fetch(request: Request): Response | Promise<Response> }) {
  const client = new TestClient(app);
  await client.send("/");
  return client;
}

describe("the session in the context", () => {
  test("has the type of its manager", () => {
    const { manager } = setUp();
    new Elysia()
      .use(sessions(manager))
      .get("/", ({ session }) => {
        expectTypeOf(session).toEqualTypeOf<Session<Data>>();
        expectTypeOf(session.visits).toEqualTypeOf<number | undefined>();
        return "";
      })
      .derive(({ session }) => ({ user: session.meta.userId }))
      .get("/user", ({ user }) => {
        expectTypeOf(user).toEqualTypeOf<string | null>();
        return "";
      })
      .group("/group", (group) =>
        group.get("/", ({ session }) => {
          expectTypeOf(session).toEqualTypeOf<Session<Data>>();
          return "";
        }),
      )
      .onError(({ session }) => {
        expectTypeOf(session).toEqualTypeOf<Session<Data> | undefined>();
      });
  });

  test("K2: costs a route that leaves it alone the look-up, and no Vary", async () => {
    const { manager, store } = setUp();
    const app = counter(manager).get("/plain", () => "plain");
    const client = await visited(app);
    store.calls.length = 0;
    const response = await client.send("/plain");
    expect(response.headers.get("vary")).toBeNull();
    expect(store.calls).toEqual(["read"]);
  });

  test("is there in groups, guards and hooks, and opened once", async () => {
    const { manager, store } = setUp();
    const app = counter(manager)
      .group("/group", (group) => group.get("/", ({ session }) => `group ${session.visits}`))
      .guard({ query: t.Object({}) }, (guarded) =>
        guarded.get("/guarded", ({ session }) => `guarded ${session.visits}`),
      )
      .derive(({ session }) => ({ twice: 2 * (session.visits ?? 0) }))
      .get("/twice", ({ twice }) => `twice ${twice}`);
    const client = await visited(app);
    for (const [path, page] of [
      ["/group/", "group 1"],
      ["/guarded", "guarded 1"],
      ["/twice", "twice 2"],
    ] as const) {
      store.calls.length = 0;
      expect(await client.text(path)).toBe(page);
      expect(store.calls).toEqual(["read"]);
    }
  });

  test("is one, however many parts of an app use the plugin", async () => {
    const { manager, store } = setUp();
    const part = (path: string) =>
      new Elysia().use(sessions(manager)).get(path, ({ session }) => `${session.visits}`);
    const app = new Elysia()
      .use(part("/before"))
      .use(counter(manager))
      .use(sessions(manager))
      .use(part("/after"))
      .use(sessions(manager))
      .get("/last", ({ session }) => {
        session.visits = 7;
        return "";
      });
    const client = await visited(app);
    for (const path of ["/before", "/after"]) {
      store.calls.length = 0;
      expect(await client.text(path)).toBe("1");
      expect(store.calls).toEqual(["read"]);
    }
    const newcomer = new TestClient(app);
    expect(sessionCookies(await newcomer.send("/last"))).toHaveLength(1);
  });

  test("is not looked up for routes that come before the plugin, or in other parts", async () => {
    const { manager, store } = setUp();
    const app = new Elysia()
      .get("/early", (context) => `${"session" in context}`)
      .use(new Elysia().use(counter(manager)))
      .get("/other", (context) => `${"session" in context}`);
    const client = await visited(app);
    store.calls.length = 0;
    expect(await client.text("/early")).toBe("false");
    expect(await client.text("/other")).toBe("false");
    expect((await client.send("/nowhere")).status).toBe(404);
    expect(store.calls).toEqual([]);
  });

  test("has another name where two managers have one each", async () => {
    const visitors = setUp().manager;
    const staff = new Sessions<{ role: string }>({
      backend: new TappedStore(),
      cookie: { name: "staff_id" },
    });
    const app = new Elysia()
      .use(sessions(visitors))
      .use(sessions(staff, { key: "staff" }))
      .get("/", ({ session, staff: member }) => {
        expectTypeOf(member).toEqualTypeOf<Session<{ role: string }>>();
        session.visits = 1;
        member.role = "cook";
        return "";
      })
      .get("/both", ({ session, staff: member }) => `${session.visits} ${member.role}`)
      .get("/leave", ({ staff: member }) => {
        member.destroy();
        throw new Error("The page failed.");
      });
    const client = await visited(app);
    expect([...client.cookies.keys()].toSorted()).toEqual(["session_id", "staff_id"]);
    expect(await client.text("/both")).toBe("1 cook");
    await client.send("/leave");
    expect([...client.cookies.keys()]).toEqual(["session_id"]);
    expect(await client.text("/both")).toBe("1 undefined");
  });

  test("needs Elysia's `aot`, and says so", async () => {
    const { manager } = setUp();
    const app = new Elysia({ aot: false }).use(sessions(manager)).get("/", () => "");
    const response = await new TestClient(app).send("/");
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("Leave out `aot: false`.");
  });
});

/** An app with sessions and no pages. */
function bare(manager: Sessions<Data>) {
  return new Elysia().use(sessions(manager));
}

function write({ session }: { readonly session: Session<Data> }): void {
  session.visits = 1;
}

const WAYS: [string, (app: ReturnType<typeof bare>) => AnyElysia][] = [
  [
    "that a hook gives before the handler",
    (app) => app.onBeforeHandle((context) => (write(context), "early")).get("/", () => ""),
  ],
  [
    "whose status a hook gives before the handler",
    (app) => app.resolve((context) => (write(context), status(401))).get("/", () => ""),
  ],
  [
    "after a hook behind the handler has written to it",
    (app) => app.onAfterHandle((context) => write(context)).get("/", () => ""),
  ],
  [
    "that a `mapResponse` hook makes",
    (app) =>
      app.mapResponse((context) => (write(context), new Response("mapped"))).get("/", () => ""),
  ],
  [
    "of a generator that writes to it before its first part",
    (app) =>
      app.get("/", function* (context) {
        write(context);
        yield "one";
      }),
  ],
  [
    "of events",
    (app) =>
      app.get("/", async function* (context) {
        write(context);
        yield sse({ event: "visit", data: "1" });
      }),
  ],
  [
    "that is one and the same for all",
    (app) => app.onBeforeHandle((context) => write(context)).get("/", new Response("static")),
  ],
];

const FAILURES: [string, number, (app: ReturnType<typeof bare>) => AnyElysia][] = [
  [
    "a request that is not valid",
    422,
    (app) =>
      app
        .derive((context) => write(context))
        .get("/", () => "", { query: t.Object({ page: t.Numeric() }) }),
  ],
  [
    "a response that is not valid",
    422,
    (app) =>
      app.get("/", (context) => (write(context), "text" as unknown as number), {
        response: t.Number(),
      }),
  ],
  [
    "a status that is thrown",
    401,
    (app) =>
      app.get("/", (context) => {
        write(context);
        throw status(401);
      }),
  ],
  [
    "an error that a hook answers with success",
    200,
    (app) =>
      app
        .onError(({ set }) => {
          set.status = 200;
          return "fine";
        })
        .get("/", (context) => {
          write(context);
          throw new Error("The page failed.");
        }),
  ],
  [
    "something thrown that is no error",
    500,
    (app) =>
      app.get("/", (context) => {
        write(context);
        throw "no error";
      }),
  ],
];

describe("the session is stored, and its cookie leaves, with a response", () => {
  test.each(WAYS)("%s", async (_, build) => {
    const { manager, store } = setUp();
    const response = await new TestClient(build(bare(manager))).send("/");
    expect(sessionCookies(response)).toHaveLength(1);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("vary")).toBe("Cookie");
    expect(store.calls).toEqual(["create"]);
  });
});

describe("S8: nothing is stored for", () => {
  test.each(FAILURES)("%s", async (_, code, build) => {
    const { manager, store } = setUp();
    const response = await new TestClient(build(bare(manager))).send("/");
    expect(response.status).toBe(code);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(store.calls).toEqual([]);
  });

  test("an error that a hook from before the plugin answers", async () => {
    const { manager, store } = setUp();
    const app = new Elysia()
      .onError(({ set }) => {
        set.status = 409;
        return "answered";
      })
      .use(sessions(manager))
      .get("/", (context) => {
        write(context);
        throw new Error("The page failed.");
      });
    const response = await new TestClient(app).send("/");
    expect([response.status, await response.text()]).toEqual([409, "answered"]);
    expect(store.calls).toEqual([]);
  });

  test("an error in an app whose context has an `error` of its own, which harms no other page", async () => {
    const { manager, store } = setUp();
    const app = new Elysia()
      .decorate("error", "my own")
      .use(counter(manager))
      .use(sessions(manager))
      .get("/fail", ({ session }) => {
        session.visits = 7;
        throw status(401);
      });
    const client = await visited(app);
    expect(store.calls).toEqual(["create"]);
    await client.send("/fail");
    expect(await client.text("/visits")).toBe("1");
  });

  test("an `onError` that throws, except a destroy()", async () => {
    const { manager } = setUp();
    const app = counter(manager)
      .onError(({ code }) => {
        if (code === 418) throw new Error("The hook failed.");
      })
      .get("/leave", ({ session }) => {
        session.destroy();
        throw status(418);
      });
    const client = await visited(app);
    await expect(client.send("/leave")).rejects.toThrow("The hook failed.");
    expect(await client.text("/visits")).toBe("undefined");
  });
});

describe("the app's own hooks and cookies", () => {
  test("S7: `onError` is told of a store that fails, and may answer", async () => {
    using _error = quiet("error");
    const { manager, store } = setUp();
    const app = new Elysia()
      .use(counter(manager))
      .use(sessions(manager))
      .onError(({ error }) =>
        error instanceof SessionStoreError ? "Back in a minute." : undefined,
      )
      .get("/page", () => "");
    const client = await visited(app);
    store.break("read");
    const response = await client.send("/page");
    expect([response.status, await response.text()]).toEqual([503, "Back in a minute."]);
  });

  test("`onError` hooks are asked one after the other, as without the plugin", async () => {
    const { manager } = setUp();
    const asked: string[] = [];
    const app = bare(manager)
      .onError(() => void asked.push("first"))
      .onError(() => {
        asked.push("second");
        return "answered";
      })
      .get("/", () => {
        throw new Error("The page failed.");
      });
    expect(await new TestClient(app).text("/")).toBe("answered");
    expect(asked).toEqual(["first", "second"]);
  });

  test("are asked for no more than without the plugin: a handler can read the body by itself", async () => {
    const { manager } = setUp();
    const app = bare(manager)
      .post("/read", async ({ request, session }) => {
        session.visits = 1;
        return request.text();
      })
      .post("/parsed", ({ body }) => body);
    const client = new TestClient(app);
    const init = {
      method: "POST",
      body: '{"line":1}',
      headers: { "content-type": "application/json" },
    };
    expect(await client.text("/read", init)).toBe('{"line":1}');
    expect(await (await client.send("/parsed", init)).json()).toEqual({ line: 1 });
  });

  test("C7: a Response with cookies leaves with all of them, Elysia's and the session's", async () => {
    const { manager } = setUp();
    const app = bare(manager)
      .get("/jar", ({ session, cookie: jar }) => {
        session.visits = 1;
        jar["theme"]?.set({ value: "dark" });
        jar["size"]?.set({ value: "large" });
        return "";
      })
      .get("/response", ({ session }) => {
        session.visits = 1;
        const headers = [
          ["set-cookie", "theme=dark"],
          ["set-cookie", "size=large"],
        ] as [string, string][];
        return new Response("", { headers });
      });
    for (const path of ["/jar", "/response"]) {
      const client = new TestClient(app);
      const response = await client.send(path);
      expect(response.headers.getSetCookie()).toHaveLength(3);
      expect([...client.cookies.keys()].toSorted()).toEqual(["session_id", "size", "theme"]);
    }
  });

  test("Elysia's own `cookie` reads and writes beside the plugin, which reads the header for itself", async () => {
    const { manager } = setUp();
    const app = counter(manager).get("/theme", ({ cookie: { theme }, session }) => {
      const before = String(theme?.value);
      theme?.set({ value: "dark" });
      return `${before} ${session.visits}`;
    });
    const client = await visited(app);
    expect(await client.text("/theme")).toBe("undefined 1");
    expect(await client.text("/theme")).toBe("dark 1");
  });

  test("`@elysiajs/cookie` can be used by the app as well", async () => {
    const { manager } = setUp();
    const app = new Elysia()
      .use(cookie().as("scoped"))
      .use(counter(manager))
      .get("/theme", (context) => {
        (context as unknown as CookieRequest).setCookie("theme", "dark");
        return "";
      });
    const client = await visited(app);
    await client.send("/theme");
    expect([...client.cookies.keys()]).toEqual(["session_id", "theme"]);
    expect(await client.text("/visits")).toBe("1");
  });
});

describe("the cookie that `@elysiajs/cookie` writes", () => {
  test("is on the response as it wrote it", async () => {
    const { manager } = setUp();
    const client = new TestClient(counter(manager));
    const [line] = (await client.send("/")).headers.getSetCookie();
    const attributes = { httpOnly: true, secure: true, sameSite: "lax" } as const;
    const app = cookie().get("/", (context) => {
      (context as unknown as CookieRequest).setCookie(
        "session_id",
        client.sessionId ?? "",
        attributes,
      );
    });
    expect((await new TestClient(app).send("/")).headers.getSetCookie()).toEqual([line ?? ""]);
  });

  const COOKIES: [string, CookieOptions][] = [
    ["by default", {}],
    ["with a prefix", { name: "__Host-id", sameSite: "strict" }],
    [
      "of a domain and for embedding sites",
      { path: "/shop", domain: "example.com", sameSite: "none", partitioned: true },
    ],
    ["on plain http", { secure: false }],
  ];

  test.each(COOKIES)("C9: is set and cleared with the same attributes, %s", async (_, options) => {
    const { manager } = setUp({ cookie: options });
    const { name = "session_id" } = options;
    const lines = async (fetch: (request: Request) => Response | Promise<Response>) => {
      const client = new TestClient({ fetch });
      const set = await client.send("/login");
      const cleared = await client.send("/logout");
      return [set, cleared].map((response) => sessionCookies(response, name).map(partsOf));
    };
    const app = bare(manager)
      .get("/login", ({ session }) => void session.login("ann", { remember: 3_600 }))
      .get("/logout", ({ session }) => void session.destroy());
    const wrapped = manager.wrap((request, session) => {
      if (request.url.endsWith("/login")) session.login("ann", { remember: 3_600 });
      else session.destroy();
      return new Response("");
    });
    const written = await lines(app.fetch);
    expect(written).toEqual(await lines((request) => wrapped(request)));
    expect(written).toEqual([[expect.anything()], [expect.anything()]]);
  });
});

/** A line's parts, without the id. */
function partsOf(line: string): readonly string[] {
  const [pair = "", ...attributes] = line.split("; ");
  const [name = "", value = ""] = pair.split("=");
  return [name, value === "" ? "cleared" : "set", ...attributes.toSorted()];
}

/** Serves a page and a socket, which ends at once. */
function serve(manager: Sessions<Data>, { headed }: { readonly headed: boolean }) {
  const app = counter(manager).ws("/chat", {
    async upgrade(context) {
      // Elysia knows the session here, and its type does not.
      const { session, set } = context as typeof context & { session: Session<Data> };
      session.visits = 7;
      if (headed) Object.assign(set.headers, await manager.upgradeHeaders(session));
    },
    async open({ data: { session }, close }) {
      session.visits = 8;
      if (!session.meta.isNew) await session.save();
      close();
    },
    message: () => undefined,
  });
  const { server } = app.listen(0);
  if (server === null) throw new Error("Elysia does not listen.");
  return server;
}

describe("a WebSocket", () => {
  test("X5: gets a new session's cookie with the 101, and can write the session", async () => {
    const { manager } = setUp();
    await using server = serve(manager, { headed: true });
    const answer = await exchange(Number(server.url.port), handshake("/chat"));
    expect(answer).toStartWith("HTTP/1.1 101 ");
    const [line = "", ...others] = setCookiesIn(answer);
    expect(others).toEqual([]);
    const headers = { cookie: line.split(";", 1).join() };
    expect(await (await fetch(new URL("/visits", server.url), { headers })).text()).toBe("8");
  });

  test("stores what its handshake changed in a session that is there", async () => {
    const { manager } = setUp();
    await using server = serve(manager, { headed: false });
    const [line = ""] = (await fetch(server.url)).headers.getSetCookie();
    const headers = { cookie: line.split(";", 1).join() };
    const answer = await exchange(Number(server.url.port), handshake("/chat", headers.cookie));
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(setCookiesIn(answer)).toEqual([]);
    expect(await (await fetch(new URL("/visits", server.url), { headers })).text()).toBe("8");
  });

  test("begins no session without its cookie, and says how", async () => {
    using error = quiet("error");
    const { manager, store } = setUp();
    await using server = serve(manager, { headed: false });
    const answer = await exchange(Number(server.url.port), handshake("/chat"));
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(store.calls).toEqual([]);
    expect(Bun.inspect(error.mock.calls)).toContain("await sessions.upgradeHeaders(session)");
  });

  test("that is none is answered as any page, with the cookie", async () => {
    const { manager } = setUp();
    await using server = serve(manager, { headed: false });
    const answer = await exchange(Number(server.url.port), handshake("/"));
    expect(answer).toStartWith("HTTP/1.1 200 ");
    expect(setCookiesIn(answer)).toHaveLength(1);
  });
});

describe("an app that is mounted", () => {
  test("has its sessions, and the app around it its own", async () => {
    class Inner extends App<{ pages: number }> {
      index() {
        const { session } = this.request;
        return `${(session.pages = (session.pages ?? 0) + 1)}`;
      }
    }
    const inner = new Inner({ session: { cookie: { name: "inner_id" } } });
    const { manager } = setUp();
    const app = counter(manager).mount("/inner", (request) =>
      Promise.resolve(inner.fetch(request)),
    );
    const client = await visited(app);
    await client.send("/inner/");
    expect(await client.text("/inner/")).toBe("2");
    expect(await client.text("/visits")).toBe("1");
    expect([...client.cookies.keys()]).toEqual(["session_id", "inner_id"]);
  });
});
