import { describe, expect, expectTypeOf, test } from "bun:test";

import type { CookieRequest } from "@elysiajs/cookie";
import { cookie } from "@elysiajs/cookie";
import type { CookieOptions, Session, Sessions } from "bunpie";
import { SessionStoreError } from "bunpie";
import { sessions } from "bunpie/elysia";
import type { AnyElysia } from "elysia";
import { Elysia, sse, status, t } from "elysia";

import { TestClient } from "../../src/testing/client.ts";
import { quiet } from "../support/quiet.ts";
import { sessionCookies } from "../support/visitor.ts";
import type { Asked, Data } from "./frameworks.ts";
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
  return new Elysia()
    .use(sessions(manager))
    .get("/", ({ session }) => String((session.visits = (session.visits ?? 0) + 1)))
    .get("/visits", ({ session }) => String(session.visits));
}

describe("the session in the context", () => {
  testManagers(sessions);

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

  test("K2: costs a route that does not access it only the look-up, and no Vary", async () => {
    const { manager, store } = setUp();
    const app = counter(manager).get("/plain", () => "plain");
    const client = await visited(app);
    store.calls.length = 0;
    const response = await client.send("/plain");
    expect(response.headers.get("vary")).toBeNull();
    expect(store.calls).toEqual(["read"]);
  });

  test("is available in groups, guards and hooks, and opened once", async () => {
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

  test("is the same, however many parts of an app use the plugin", async () => {
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

  test("is not looked up for routes before the plugin, or in other parts", async () => {
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

  test("has another name for each of two managers", async () => {
    const app = new Elysia()
      .use(sessions(setUp().manager))
      .use(sessions(setUpStaff(), { key: "staff" }))
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
    await checkTwoManagers(app);
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

/** A handler that writes to the session, and then throws. */
function throwing(error: unknown) {
  return (context: { readonly session: Session<Data> }): never => {
    write(context);
    throw error;
  };
}

const FAILED = new Error("The page failed.");

/** What an app may put around itself. */
function failOnLeaving(answer: (request: Request) => Response) {
  return (request: Request): Response => {
    const response = answer(request);
    if (request.url.endsWith("/leave")) throw new Error("The function failed.");
    return response;
  };
}

const FAILURES: [
  string,
  number,
  (app: ReturnType<typeof bare>, manager: Sessions<Data>) => AnyElysia,
][] = [
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
  ["a status that is thrown", 401, (app) => app.get("/", throwing(status(401)))],
  ["something thrown that is no error", 500, (app) => app.get("/", throwing("no error"))],
  [
    "an error that a hook answers with success",
    200,
    (app) => app.onError(({ set }) => ((set.status = 200), "fine")).get("/", throwing(FAILED)),
  ],
  [
    "an error that a hook from before the plugin answers",
    409,
    (_app, manager) =>
      new Elysia()
        .onError(({ set }) => ((set.status = 409), "answered"))
        .use(sessions(manager))
        .get("/", throwing(FAILED)),
  ],
];

/** Elysia makes other code of a route where the store says that it answers at once. */
describe.each([
  ["", false],
  [", on a store that answers at once", true],
])("the session is stored, and its cookie sent, with a response%s", (_store, isSynchronous) => {
  test.each(WAYS)("%s", async (_, build) => {
    const { manager, store } = setUp({}, isSynchronous);
    const response = await new TestClient(build(bare(manager))).send("/");
    expect(sessionCookies(response)).toHaveLength(1);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("vary")).toBe("Cookie");
    expect(store.calls).toEqual(["create"]);
  });
});

describe("S8: nothing is stored for", () => {
  describe.each([
    ["on any store", false],
    ["on a store that answers at once", true],
  ])("%s", (_store, isSynchronous) => {
    test.each(FAILURES)("%s", async (_, code, build) => {
      const { manager, store } = setUp({}, isSynchronous);
      const response = await new TestClient(build(bare(manager), manager)).send("/");
      expect(response.status).toBe(code);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(store.calls).toEqual([]);
    });
  });

  test("a wrapping function that throws, except a destroy()", async () => {
    const { manager } = setUp({}, true);
    const app = new Elysia()
      .wrap(failOnLeaving as unknown as Parameters<Elysia["wrap"]>[0])
      .use(counter(manager).get("/leave", ({ session }) => session.destroy()));
    const client = await visited(app);
    await expect(client.send("/leave")).rejects.toThrow("The function failed.");
    expect(await client.text("/visits")).toBe("undefined");
  });

  test("an error in an app whose context has its own `error`, which affects no other page", async () => {
    const { manager, store } = setUp();
    const app = new Elysia()
      .decorate("error", "my own")
      .use(counter(manager))
      .use(sessions(manager))
      .get("/fail", throwing(status(401)));
    const client = await visited(app);
    expect(store.calls).toEqual(["create"]);
    await client.send("/fail");
    expect(store.calls).toEqual(["create", "read"]);
    expect(await client.text("/visits")).toBe("1");
  });

  test("an `onError` that throws, except a destroy()", async () => {
    const app = counter(setUp().manager)
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
  test("S7: `onError` receives the error of a store that fails, and may answer", async () => {
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

  test("`onError` hooks run in order, as without the plugin", async () => {
    const asked: string[] = [];
    const app = bare(setUp().manager)
      .onError(() => void asked.push("first"))
      .onError(() => (asked.push("second"), "answered"))
      .get("/", throwing(FAILED));
    expect(await new TestClient(app).text("/")).toBe("answered");
    expect(asked).toEqual(["first", "second"]);
  });

  test("are not read more than without the plugin: a handler can read the body itself", async () => {
    const app = bare(setUp().manager)
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

  test("include `@elysiajs/cookie`, which the app can use too", async () => {
    const app = new Elysia()
      .use(cookie().as("scoped"))
      .use(counter(setUp().manager))
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

test("an asynchronous store that claims to be synchronous is reported", async () => {
  const { manager, store } = setUp({}, true);
  const client = await visited(counter(manager));
  store.once("read", () => Promise.resolve());
  const response = await client.send("/visits");
  expect(response.status).toBe(500);
  expect(await response.text()).toContain("Set `isSynchronous` to false.");
  expect(await client.text("/visits")).toBe("1");
});

function logIn(session: Session<Data>): void {
  session.login("ann", { remember: 3_600 });
}

describe("the cookie that `@elysiajs/cookie` writes", () => {
  test("is on the response unchanged", async () => {
    const client = new TestClient(counter(setUp().manager));
    const lines = (await client.send("/")).headers.getSetCookie();
    const app = cookie().get("/", (context) => {
      const attributes = { httpOnly: true, secure: true, sameSite: "lax" } as const;
      const { setCookie } = context as unknown as CookieRequest;
      setCookie("session_id", client.sessionId ?? "", attributes);
    });
    expect((await new TestClient(app).send("/")).headers.getSetCookie()).toEqual(lines);
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
    /** The lines of a login and of a logout, without the id. */
    const collectLines = async (fetch: Asked["fetch"]) => {
      const client = new TestClient({ fetch });
      const answers = [await client.send("/login"), await client.send("/logout")];
      return answers.map((response) =>
        sessionCookies(response, name).map((line) =>
          line
            .replace(/=[^;]{43};/, "=id;")
            .split("; ")
            .toSorted(),
        ),
      );
    };
    const app = bare(manager)
      .get("/login", ({ session }) => logIn(session))
      .get("/logout", ({ session }) => session.destroy());
    const wrapped = manager.wrap((request: Request, session) => {
      if (request.url.endsWith("/login")) logIn(session);
      else session.destroy();
      return new Response("");
    });
    const written = await collectLines(app.fetch);
    expect(written).toEqual(await collectLines((request) => wrapped(request)));
    expect(written).toEqual([[expect.anything()], [expect.anything()]]);
  });
});

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
  test.each([
    [
      "X5: gets a new session's cookie with the 101, and can write the session",
      true,
      "/chat",
      false,
    ],
    ["stores what its handshake changed in an existing session", false, "/chat", true],
    ["that sends no handshake is answered like any page, with the cookie", false, "/", false],
  ])("%s", async (_, headed, path, isKnown) => {
    await using server = serve(setUp().manager, { headed });
    expect(await shakeHands(server, path, isKnown)).toEqual({
      status: path === "/" ? 200 : 101,
      cookies: isKnown ? 0 : 1,
      visits: path === "/" ? "1" : "8",
    });
  });

  test("begins no session without its cookie, and says how", async () => {
    using error = quiet("error");
    const { manager, store } = setUp();
    await using server = serve(manager, { headed: false });
    const came = await shakeHands(server, "/chat", false);
    expect(came).toEqual({ status: 101, cookies: 0, visits: "undefined" });
    expect(store.calls).toEqual([]);
    expect(Bun.inspect(error.mock.calls)).toContain("await sessions.upgradeHeaders(session)");
  });
});

test("a mounted app has its own sessions, and so has the app around it", () =>
  checkMounted((inner) => counter(setUp().manager).mount("/inner", inner)));
