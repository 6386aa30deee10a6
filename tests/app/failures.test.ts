import { describe, expect, test } from "bun:test";

import type { HttpError, Middleware, SessionBackend, SessionData } from "bunpie";
import { App, compress, html, redirect, status } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FAILING } from "../support/failing.ts";
import { quiet } from "../support/quiet.ts";
import { sessionCookies } from "../support/visitor.ts";

const MISSING = "/nowhere/at/all.txt";

class Site extends App<{ n: number }> {
  readonly _reported: unknown[] = [];

  bug() {
    this.response.headers.set("x-frame-options", "DENY");
    throw new Error("secret");
  }

  async missing() {
    this.request.session.login("ann");
    return Bun.file(MISSING);
  }

  gone() {
    this.request.session.n = 1;
    return status(410, html`<h1>Gone</h1>`, { "x-why": "old" });
  }

  teapot() {
    this.request.session.n = 1;
    throw status(418, "tea");
  }

  async leave() {
    this.request.session.n = 1;
    throw redirect("/login", 303);
  }

  broken() {
    this.request.session.n = 1;
    return status(503, "later");
  }

  override onReport(error: unknown, request: Request): void {
    this._reported.push(error, request.method);
  }
}

const makeFile = (): Response => status(200, Bun.file(MISSING));

function throwFile(): never {
  throw makeFile();
}

class Filed extends App<{ n: number }> {
  readonly #make: () => unknown;

  constructor(make: () => unknown) {
    super();
    this.#make = make;
  }

  index() {
    return this.#make();
  }
}

describe("an error", () => {
  test("that is unexpected shows the visitor nothing, and the tracker everything", async () => {
    const site = new Site();
    const response = await new TestClient(site).send("/bug");
    expect(await response.text()).toBe("Something went wrong on this server.");
    expect(site._reported).toEqual([new Error("secret"), "GET"]);
  });

  test("has the headers that the page set, and nosniff", async () => {
    const { headers } = await new TestClient(new Site()).send("/bug");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("is shown as the app's onError says, with the error's status and headers", async () => {
    class Own extends Site {
      override async onError(error: HttpError) {
        const shown = error.cause instanceof Error ? "a bug" : error.message;
        return html`<b>${error.status}: ${shown}</b>`;
      }
    }
    const client = new TestClient(new Own());
    const refused = await client.send("/bug", { method: "PUT" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([
      405,
      "GET, HEAD, POST, OPTIONS",
    ]);
    expect(await refused.text()).toBe("<b>405: PUT is not allowed here.</b>");
    expect(await client.text("/bug")).toBe("<b>500: a bug</b>");
  });

  test("may be turned into a custom response", async () => {
    class Own extends Site {
      override onError() {
        return redirect("/sorry");
      }
    }
    expect((await new TestClient(new Own()).send("/nothing")).status).toBe(302);
  });

  test.each<readonly [string, (error: unknown) => unknown]>([
    ...FAILING,
    ["returns what cannot be sent", () => new Map()],
    ["returns a file that is missing", () => Bun.file(MISSING)],
    ["returns a file that is missing, with a status", async () => status(404, Bun.file(MISSING))],
  ])("is a plain 500 if onError %s", async (_, fail) => {
    using error = quiet("error");
    class Own extends Site {
      override onError(): unknown {
        return fail(new Error("in onError"));
      }
    }
    const response = await new TestClient(new Own()).send("/nothing");
    expect([response.status, await response.text()]).toEqual([
      500,
      "Something went wrong on this server.",
    ]);
    expect(error).toHaveBeenCalledTimes(1);
  });

  test("can show who is logged in, and recognizes when there is no session", async () => {
    class Own extends Site {
      override onError(error: HttpError) {
        if (error.status === 503) return "the store is down";
        return `${this.request.session.n ?? "nobody"}`;
      }
    }
    using _error = quiet("error");
    const rows = new Map<string, SessionData>();
    let isDown = false;
    const sessionBackend: SessionBackend = {
      load(id) {
        if (isDown) throw new Error("down");
        return rows.get(id) ?? {};
      },
      save: (id, data) => void rows.set(id, data),
    };
    const client = new TestClient(new Own({ sessionBackend }));
    await client.send("/teapot");
    expect(await client.text("/nothing")).toBe("1");
    isDown = true;
    const response = await client.send("/nothing");
    expect([response.status, await response.text()]).toEqual([503, "the store is down"]);
  });

  test.each(FAILING)("is the response with which onError %s", async (_, fail) => {
    using error = quiet("error");
    class Own extends App {
      override onError(): unknown {
        return fail(redirect("/login"));
      }
    }
    const response = await new TestClient(new Own()).send("/");
    expect([response.status, response.headers.get("location")]).toEqual([302, "/login"]);
    expect(error).not.toHaveBeenCalled();
  });

  describe.each([
    ["no options", {}],
    ["a log", { log: () => undefined }],
    ["trusted origins", { trustedOrigins: ["https://shop.example"] }],
  ])("whose response was sent before, in an app with %s,", (_, options) => {
    const SENT = expect.objectContaining({
      message:
        "The response's body has been sent or read before, which is possible only once. Make a new Response for each request.",
    });
    const PLAIN = [500, "Something went wrong on this server."];

    class Constant extends Site {
      readonly #sorry = new Response("Sorry.", { status: 404 });
      readonly #page = new Response("A page.");

      constant() {
        this.request.session.n = 1;
        return this.#page;
      }

      login() {
        this.request.session.login("ann");
      }

      logout() {
        this.request.session.destroy();
        throw new Error("a bug");
      }

      override onError(error: HttpError): unknown {
        if (error.status === 500 && error.cause !== undefined) return this.#sorry;
        throw this.#sorry;
      }
    }

    test("is a plain 500, and the reason is logged", async () => {
      using error = quiet("error");
      const site = new Constant(options);
      const client = new TestClient(site);
      expect(await client.text("/nothing")).toBe("Sorry.");
      const response = await client.send("/nothing");
      expect([response.status, await response.text()]).toEqual(PLAIN);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(site._reported).toEqual([SENT, "GET"]);
      expect(error.mock.calls).toEqual([["An app's onError failed:", SENT]]);
    });

    test("still ends a destroyed session", async () => {
      using _error = quiet("error");
      const site = new Constant(options);
      const client = new TestClient(site);
      await client.text("/nothing");
      await client.send("/login");
      expect((await site.sessions.list("ann")).length).toBe(1);
      const response = await client.send("/logout");
      expect([response.status, await response.text()]).toEqual(PLAIN);
      expect(client.sessionId).toBeUndefined();
      expect(await site.sessions.list("ann")).toEqual([]);
    });

    test("is reported like any bug if it is a page's, and stores nothing", async () => {
      const site = new Constant(options);
      expect(await new TestClient(site).text("/constant")).toBe("A page.");
      const client = new TestClient(site);
      const response = await client.send("/constant");
      expect([response.status, await response.text()]).toEqual([404, "Sorry."]);
      expect(site._reported).toEqual([SENT, "GET"]);
      expect(client.sessionId).toBeUndefined();
    });

    test.each([
      ["text", () => status(200, "A page.")],
      [
        "a stream",
        () =>
          status(
            200,
            (function* () {
              yield "A page.";
            })(),
          ),
      ],
    ])(
      "is sent to one of two visitors at once, with nothing of the other: %s",
      async (_body, make) => {
        class Shared extends Constant {
          readonly #shared = make();

          shared(user: string) {
            this.request.session.login(user);
            this.request.cookies.set(user, "1");
            this.response.headers.set("x-user", user);
            return this.#shared;
          }
        }
        const rows = new Map<string, SessionData>();
        const sessionBackend: SessionBackend = {
          load: async (id) => rows.get(id) ?? {},
          save: async (id, data) => void rows.set(id, data),
        };
        const site = new Shared({ ...options, sessionBackend });
        const users = ["ann", "bob"];
        const responses = await Promise.all(
          users.map((user) => new TestClient(site).send(`/shared/${user}`)),
        );
        expect(responses.map((response) => response.status).toSorted()).toEqual([200, 404]);
        expect(responses.map(({ headers }) => headers.get("x-user"))).toEqual(users);
        for (const [index, response] of responses.entries()) {
          const other = users[1 - index] ?? "";
          expect(response.headers.getSetCookie().join("\n")).not.toContain(`${other}=`);
          expect(sessionCookies(response).length).toBe(1);
        }
      },
    );

    test("is reported like any bug if middleware has read it", async () => {
      class Reading extends Site {
        constructor() {
          super(options);
          this.use(async (_request, next) => {
            const response = await next();
            await response.text();
            return response;
          });
        }
        index() {
          return "text";
        }
      }
      const site = new Reading();
      const response = await new TestClient(site).send("/");
      expect([response.status, await response.text()]).toEqual(PLAIN);
      expect(site._reported).toEqual([SENT, "GET"]);
    });
  });

  test.each([
    ["no options", {}],
    ["a log", { log: () => undefined }],
    ["trusted origins", { trustedOrigins: ["https://shop.example"] }],
  ])("is a plain 500 if the request is none, in an app with %s", async (_, options) => {
    using _error = quiet("error");
    const response = await new Site(options).fetch(null as never);
    expect([response.status, await response.text()]).toEqual([
      500,
      "Something went wrong on this server.",
    ]);
  });

  test("says so if onError reads a session that could not be opened", async () => {
    using error = quiet("error");
    class Own extends Site {
      override onError() {
        return `${this.request.session.n}`;
      }
    }
    const sessionBackend: SessionBackend = {
      load() {
        throw new Error("down");
      },
      save() {},
    };
    const client = new TestClient(new Own({ sessionBackend }));
    client.cookies.set("session_id", "A".repeat(43));
    expect((await client.send("/gone")).status).toBe(500);
    expect(String(error.mock.lastCall?.[1])).toContain("This request has no session");
  });
});

describe.each(FAILING)("an onReport that %s", (_, fail) => {
  class Untracked extends App {
    bug() {
      throwError("a bug");
    }

    later() {
      this.waitUntil(Promise.reject(new Error("a bug")));
      return "sent";
    }

    *stream() {
      yield "sent";
      this.request.cookies.set("late", "1");
    }

    *broken() {
      yield "sent";
      throwError("a bug");
    }

    override onReport() {
      return fail(new Error("no tracker"));
    }
  }

  test.each([
    ["a page's bug", "/bug", 500, "Something went wrong on this server."],
    ["a bug in background work", "/later", 200, "sent"],
    ["what a stream lost", "/stream", 200, "sent"],
    ["a bug in a stream", "/broken", 200, "cut off"],
  ])("with %s is logged, and changes no response", async (_what, path, code, text) => {
    using error = quiet("error");
    const site = new Untracked();
    const inner = new Untracked();
    site.mount("/inner", inner);
    for (const prefix of ["", "/inner"]) {
      const response = await new TestClient(site).send(prefix + path);
      const received = await response.text().catch(() => "cut off");
      expect([response.status, received]).toEqual([code, text]);
    }
    await site.close();
    const line = ["An app's onReport failed:", new Error("no tracker")];
    expect(error.mock.calls).toEqual([line, line]);
  });
});

test("shutdown waits for an asynchronous onReport", async () => {
  const asked = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  class Tracked extends App {
    bug() {
      throwError("a bug");
    }
    override async onReport() {
      asked.resolve();
      await sent.promise;
    }
  }
  const site = new Tracked();
  expect((await new TestClient(site).send("/bug")).status).toBe(500);
  await asked.promise;
  let isClosed = false;
  const closing = site.close().then(() => (isClosed = true));
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  sent.resolve();
  await closing;
});

function throwError(message: string): never {
  throw new Error(message);
}

describe("an answer with a status", () => {
  test.each([
    ["/gone", 410, true],
    ["/teapot", 418, true],
    ["/leave", 303, true],
    ["/broken", 503, false],
  ])("from %s has the status %p, and stores the session: %p", async (path, code, isStored) => {
    const client = new TestClient(new Site());
    expect((await client.send(path)).status).toBe(code);
    expect(client.sessionId !== undefined).toBe(isStored);
  });

  test("has the given body and headers", async () => {
    const response = await new TestClient(new Site()).send("/gone");
    expect(response.headers.get("content-type")).toBe("text/html;charset=utf-8");
    expect(response.headers.get("x-why")).toBe("old");
    expect(await response.text()).toBe("<h1>Gone</h1>");
  });

  test.each([199, 600, 404.5, Number.NaN])("cannot have the status %p", (code) => {
    expect(() => status(code, "")).toThrow(RangeError);
  });

  test("S10: of a missing file is a 404, and nothing is stored", async () => {
    const client = new TestClient(new Site());
    expect((await client.send("/missing")).status).toBe(404);
    expect(client.sessionId).toBeUndefined();
  });

  test.each<[string, () => unknown, ...Middleware[]]>([
    ["with a status", makeFile],
    ["that is thrown", throwFile],
    ["that is thrown later", async () => throwFile()],
    ["inside compress()", makeFile, compress()],
    ["of a middleware", () => "", () => Bun.file(MISSING)],
    ["of a middleware, with a status", () => "", async () => makeFile()],
    ["that a middleware throws", () => "", throwFile],
    ["that a middleware throws later", () => "", async () => throwFile()],
    ["of a middleware inside compress()", () => "", compress(), makeFile],
  ])("S10: of a missing file %s is a 404, and nothing is stored", async (_, ...functions) => {
    const [make, ...chain] = functions as [() => unknown, ...Middleware[]];
    const site = new Filed(make);
    site.use((request, next) => {
      request.session.n = 1;
      return next();
    });
    for (const each of chain) site.use(each);
    const client = new TestClient(site);
    const response = await client.send("/", { headers: { "accept-encoding": "gzip" } });
    expect([response.status, await response.text()]).toEqual([404, "Not Found"]);
    expect(client.sessionId).toBeUndefined();
  });

  test.each([false, true])(
    "of a missing file from onRequest is a 404: middleware %p",
    async (has) => {
      class Own extends App {
        override onRequest() {
          return status(200, Bun.file(MISSING));
        }
      }
      const site = new Own();
      if (has) site.use((_, next) => next());
      expect((await new TestClient(site).send("/")).status).toBe(404);
    },
  );

  test("of a missing file from onError, for a path without a page, is a plain 500", async () => {
    using error = quiet("error");
    class Own extends Filed {
      override onError() {
        return Bun.file(MISSING);
      }
    }
    const site = new Own(() => "");
    site.use((_, next) => next());
    expect((await new TestClient(site).send("/nothing")).status).toBe(500);
    expect(error).toHaveBeenCalledTimes(1);
  });

  test.each<[string, () => unknown, ...Middleware[]]>([
    ["with a status", () => status(201, Bun.file(import.meta.path), { "x-why": "new" })],
    [
      "of a middleware",
      () => "",
      () => status(201, Bun.file(import.meta.path), { "x-why": "new" }),
    ],
  ])("of a file %s has the file's content", async (_, ...functions) => {
    const [make, ...chain] = functions as [() => unknown, ...Middleware[]];
    const site = new Filed(make);
    for (const each of chain) site.use(each);
    const response = await new TestClient(site).send("/");
    expect([response.status, response.headers.get("x-why")]).toEqual([201, "new"]);
    expect(await response.text()).toBe(await Bun.file(import.meta.path).text());
  });

  test("of a file from onError has the error's status and the file's content", async () => {
    class Own extends Filed {
      override onError() {
        return Bun.file(import.meta.path);
      }
    }
    const response = await new TestClient(new Own(() => "")).send("/nothing");
    expect(response.status).toBe(404);
    expect(await response.text()).toBe(await Bun.file(import.meta.path).text());
  });
});
