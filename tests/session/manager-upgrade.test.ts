import { describe, expect, expectTypeOf, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import { SessionDataError } from "../../src/session/errors.ts";
import type { Session } from "../../src/session/session.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";
import { quiet } from "../support/quiet.ts";
import { exchange, handshake, setCookiesIn } from "../support/raw.ts";
import { createRequest, setUpVisited } from "../support/stores/site.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies } from "../support/visitor.ts";

const DAY = 86_400_000;

const change: Page = (session) => (session["a"] = 2);
const take: Page = (session) => (session["seat"] = 7);
const destroy: Page = (session) => session.destroy();
const logIn: Page = (session) => session.login("ann");
const begin: Page = (session) => (session["a"] = 1);
const remembered: Page = (session) => session.login("ann", { remember: 10 * 86_400 });
const beginAndSave: Page = (session) => ((session["a"] = 1), session.save());

/** Serves a page that upgrades its request, in `fetch` and in `routes`. The sockets end at once. */
function serve(sessions: Sessions, page: Page, { headed = true } = {}): Bun.Server<undefined> {
  const upgrade = sessions.wrap(
    async (request: Request, session, server: Bun.Server<undefined>) => {
      await page(session);
      const headers = headed ? await sessions.upgradeHeaders(session) : {};
      const isUpgraded = server.upgrade(request, { headers });
      return isUpgraded ? undefined : new Response("", { status: 426 });
    },
  );
  return Bun.serve({
    port: 0,
    development: false,
    routes: { "/route": upgrade },
    fetch: upgrade,
    error: () => new Response("", { status: 500 }),
    websocket: { open: (socket) => socket.close(), message: () => undefined },
  });
}

const CLEARED = "session_id=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

describe.each(["/", "/route"])("a request that becomes a WebSocket, at %s", (path) => {
  /** What a handshake is answered with, by a visitor whose session is known, or by one without. */
  async function shake(page: Page, { isKnown = true, headed = true } = {}) {
    const { sessions, visitor } = await setUpVisited();
    await using server = serve(sessions, page, { headed });
    const cookie = isKnown ? `session_id=${visitor.id}` : undefined;
    const answer = await exchange(Number(server.url.port), handshake(path, cookie));
    expect(answer).toStartWith("HTTP/1.1 101 ");
    return { visitor, lines: setCookiesIn(answer) };
  }

  test.each([
    ["X5: sends a new session's cookie with the 101, and stores the session before", false, take],
    ["X5: sends the new id of a login, and the old one is dead", true, logIn],
  ] as [string, boolean, Page][])("%s", async (_, isKnown, page) => {
    const { visitor, lines } = await shake(page, { isKnown });
    const [line = "", ...others] = lines;
    expect(others).toEqual([]);
    const { name, value, httpOnly } = Bun.Cookie.parse(line);
    expect([name, httpOnly]).toEqual(["session_id", true]);
    expect(await visitor.look()).toEqual(isKnown ? {} : { a: 1 });
    visitor.client.cookies.set("session_id", value);
    expect(await visitor.look()).toEqual(isKnown ? { a: 1 } : { seat: 7 });
  });

  test.each([
    ["X5: clears the cookie of a session that it ends", true, destroy, [CLEARED], {}],
    [
      "C15: sets no cookie if it has not changed, and stores what has changed",
      true,
      change,
      [],
      { a: 2 },
    ],
    ["C15: does the same without the headers", false, change, [], { a: 2 }],
  ] as [string, boolean, Page, string[], object][])("%s", async (_, headed, page, lines, after) => {
    const shaken = await shake(page, { headed });
    expect(shaken.lines).toEqual(lines);
    expect(await shaken.visitor.look()).toEqual(after);
  });

  test("S7: is answered with 503 and no cookie while the store is down", async () => {
    using _error = quiet("error");
    const { sessions, store } = await setUpVisited();
    store.break("create");
    await using server = serve(sessions, take);
    const answer = await exchange(Number(server.url.port), handshake(path));
    expect(answer).toStartWith("HTTP/1.1 503 ");
    expect(setCookiesIn(answer)).toEqual([]);
  });
});

describe("a request that became a WebSocket without the headers", () => {
  test.each([
    ["a session that it began", begin],
    ["a session that it began and saved", beginAndSave],
    ["a login", logIn],
  ] as [string, Page][])(
    "fails for %s, because the visitor has no cookie for it",
    async (_, page) => {
      const { sessions } = await setUpVisited();
      const handler = sessions.wrap(async (_request, session) => {
        await page(session);
      });
      const answer = handler(createRequest());
      await expect(answer).rejects.toBeInstanceOf(SessionDataError);
      await expect(answer).rejects.toThrow("await sessions.upgradeHeaders(session)");
    },
  );

  test.each([
    ["only reads", () => undefined],
    ["writes", change],
    ["has saved before", (session) => session.save()],
    ["writes after it has saved", async (session) => (await session.save(), change(session))],
  ] as [string, Page][])(
    "does not fail if the cookie of a remembered session is due to be sent again, and it %s",
    async (_, page) => {
      const { sessions, visitor, clock } = await setUpVisited({}, remembered);
      clock.advance(2 * DAY);
      const handler = sessions.wrap(async (_request, session) => {
        await page(session);
      });
      expect(await handler(createRequest(visitor))).toBeUndefined();
    },
  );

  test.each([
    ["reads", () => undefined],
    ["writes", change],
  ] as [string, Page][])(
    "C15: leaves the cookie of a remembered session to the next response if it %s",
    async (_, page) => {
      const { sessions, visitor, clock } = await setUpVisited({}, remembered);
      clock.advance(2 * DAY);
      const handler = sessions.wrap(async (_request, session) => {
        await page(session);
      });
      await handler(createRequest(visitor));
      expect(sessionCookies(await visitor.visit(() => undefined))).toHaveLength(1);
    },
  );

  test("does not fail if the session has ended again", async () => {
    const { sessions, store } = await setUpVisited();
    const handler = sessions.wrap(async (_request, session) => {
      await beginAndSave(session);
      session.destroy();
    });
    expect(await handler(createRequest())).toBeUndefined();
    expect(store.calls.slice(-2)).toEqual(["create", "delete"]);
  });

  test("S7: reports a store that fails at its end", async () => {
    using error = quiet("error");
    const { sessions, store, visitor } = await setUpVisited();
    store.break("replace");
    const handler = sessions.wrap((_request, session): void => void (session["a"] = 2));
    const answer = await handler(createRequest(visitor));
    expect(answer).toMatchObject({ status: 503 });
    expect(error).toHaveBeenCalledTimes(1);
  });
});

describe("upgradeHeaders", () => {
  test("C15: returns the cookie of a remembered session when it is due to be sent again", async () => {
    const { sessions, visitor, clock } = await setUpVisited({}, remembered);
    const headers: Record<string, string>[] = [];
    for (const passed of [0, 2 * DAY, 0]) {
      clock.advance(passed);
      const handler = sessions.wrap(async (_request, session) => {
        headers.push(await sessions.upgradeHeaders(session));
      });
      expect(await handler(createRequest(visitor))).toBeUndefined();
    }
    const line = expect.stringContaining("Max-Age=864000");
    expect(headers).toEqual([{}, { "set-cookie": line }, {}]);
  });

  test("leaves the cookie to the response if no upgrade follows", async () => {
    const { sessions } = await setUpVisited();
    const handler = sessions.wrap(async (_request, session) => {
      session["a"] = 1;
      await sessions.upgradeHeaders(session);
      return new Response("", { status: 426 });
    });
    const response = await handler(createRequest());
    expect(response.headers.getSetCookie()).toEqual([expect.stringContaining("session_id=")]);
  });

  test("leaves the socket with a session that can get no new id", async () => {
    const { sessions, visitor } = await setUpVisited();
    const opened = Promise.withResolvers<Session>();
    await visitor.visit(async (session) => {
      await sessions.upgradeHeaders(session);
      opened.resolve(session);
    });
    const session = await opened.promise;
    session["b"] = 2;
    expect(await session.save()).toBe(true);
    expect(await visitor.look()).toEqual({ a: 1, b: 2 });
    session.login("ann");
    await expect(session.save()).rejects.toThrow("A new id needs a cookie");
  });

  test.each([{}, { a: 1 }])("refuses what is no session: %p", async (copy) => {
    const { sessions } = await setUpVisited();
    await expect(sessions.upgradeHeaders(copy as Session)).rejects.toThrow(
      "This is not a session.",
    );
  });
});

describe("the type of a wrapped handler", () => {
  test("is the handler's own: a Response, or possibly undefined", () => {
    const sessions = new Sessions<{ visits: number }>({ backend: new TappedStore() });
    const page = sessions.wrap((_request: Request, session) => {
      expectTypeOf(session.visits).toEqualTypeOf<number | undefined>();
      return new Response("");
    });
    expectTypeOf(page).toEqualTypeOf<(request: Request) => MaybePromise<Response>>();
    const socket = sessions.wrap((_request: Request, _session, server: Bun.Server<undefined>) =>
      server.pendingRequests > 0 ? new Response("") : undefined,
    );
    expectTypeOf(socket).toEqualTypeOf<
      (request: Request, server: Bun.Server<undefined>) => MaybePromise<Response | undefined>
    >();
  });
});
