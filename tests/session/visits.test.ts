import { afterEach, describe, expect, test } from "bun:test";

import { createId } from "../../src/session/id.ts";
import { MapBackend } from "../support/stores/backends.ts";
import {
  begin,
  closeSites,
  EVERY_BACKEND,
  EVERY_STORE,
  Site,
} from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

afterEach(closeSites);

const HOUR = 60 * 60 * 1000;

const write: Page = (session) => (session["a"] = 1);
const logIn: Page = (session) => session.login("ann");
const lapsed: Page = ({ meta }) => meta.lapsed;
/** For what no store can change. */
function createMap(now: () => number): MapBackend {
  return new MapBackend(now);
}

const isNoPoll = (request: Request): boolean => request.headers.get("x-poll") === null;
const identity: Page = ({ meta }) => meta.userId;

/** Uses the session, and waits until the store knows of it: a page that only reads does not. */
const use: Page = async (session) => {
  await session.update((data) => (data["n"] = Number(data["n"] ?? 0) + 1));
  return session.meta.userId;
};

/** What ends the session that the cookie names. */
const ENDINGS: readonly (readonly [name: string, page: Page])[] = [
  ["destroy()", (session) => session.destroy()],
  ["login()", (session) => session.login("ben")],
];

/** A request with several cookies of the session's name. */
function withCookies(...ids: readonly string[]): RequestInit {
  return { headers: { cookie: ids.map((id) => `session_id=${id}`).join("; ") } };
}

describe.each(EVERY_BACKEND)("several cookies of one name, on %s", (_, create) => {
  test("B5: the one that opens a session counts, whatever its position", async () => {
    const { site, visitor } = await begin(create, write);
    const { id } = visitor;
    for (const others of [[createId()], ["malformed"], [createId(), createId(), ""]]) {
      expect(await site.visitor().look(withCookies(...others, id))).toEqual({ a: 1 });
      expect(await site.visitor().look(withCookies(id, ...others))).toEqual({ a: 1 });
    }
  });

  test("B5: none counts if several open a session, and reading sets no cookie", async () => {
    const site = new Site(create);
    const [one, other] = [site.visitor(), site.visitor()];
    await one.visit(logIn);
    await other.visit(logIn);
    const response = await site.visitor().visit(identity, withCookies(one.id, other.id));
    expect(await response.json()).toBeNull();
    expect(sessionCookies(response)).toEqual([]);
    expect(site.of("rejected").at(-1)?.reason).toBe("ambiguous");
  });

  test.each([
    ["destroy()", (session) => session.destroy(), null],
    ["login()", (session) => session.login("cat"), "cat"],
  ] as [string, Page, unknown][])(
    "B5: %s ends every session that they open, so that none is open afterwards",
    async (__, page, user) => {
      const site = new Site(create);
      const visitors = [site.visitor(), site.visitor()] as const;
      for (const each of visitors) await each.visit(logIn);
      const former = visitors[1].id;
      await visitors[1].visit((session) => session.regenerate());
      const ids = [visitors[0].id, former, visitors[1].id];
      const browser = site.visitor();
      await browser.visit(page, withCookies(...ids));
      for (const each of visitors) expect(await each.ask(identity)).toBeNull();
      expect(site.of("destroyed")).toHaveLength(2);
      const left = browser.hasCookie ? [browser.id] : [];
      expect(await browser.ask(identity, withCookies(...ids, ...left))).toBe(user);
    },
  );

  test.each([
    ["destroy()", (session) => session.destroy()],
    ["login()", (session) => session.login("ben")],
  ] as [string, Page][])(
    "B5: %s ends one that only this process's clock calls expired",
    async (__, page) => {
      const { site, visitor } = await begin(create, logIn);
      const hasty = new Visitor(site.another({ now: () => site.clock.now() + 9 * HOUR }));
      await hasty.visit(page, withCookies(createId(), visitor.id));
      expect(await visitor.ask(identity)).toBeNull();
    },
  );

  test("B5: a handler that fails after login() ends no session", async () => {
    const site = new Site(create);
    const [one, other] = [site.visitor(), site.visitor()];
    await one.visit(logIn);
    await other.visit(logIn);
    const init = withCookies(one.id, other.id);
    await site
      .visitor()
      .visit((session) => (logIn(session), new Response("", { status: 500 })), init);
    expect([await one.ask(identity), await other.ask(identity)]).toEqual(["ann", "ann"]);
  });

  test("B5: a fifth value is ignored", async () => {
    const { site, visitor } = await begin(create, write);
    const four = Array.from({ length: 4 }, () => createId());
    expect(await site.visitor().look(withCookies(...four, visitor.id))).toEqual({});
  });

  test("B5: an earlier id of the session gets no new cookie", async () => {
    const { site, visitor } = await begin(create, write);
    const before = visitor.id;
    await visitor.visit((session) => session.regenerate());
    const response = await site.visitor().visit(write, withCookies(createId(), before));
    expect(sessionCookies(response)).toEqual([]);
  });
});

describe.each(EVERY_BACKEND)("several former ids of one session, on %s", (_, create) => {
  /** A session that was given two new ids, with the former ones. */
  async function beginTwiceRenewed() {
    const { site, visitor } = await begin(create, logIn);
    const ids = [visitor.id];
    await visitor.visit((session) => session.regenerate());
    ids.push(visitor.id);
    await visitor.visit((session) => session.regenerate());
    return { site, visitor, orders: [ids, ids.toReversed()] };
  }

  test("B5: get no new cookie", async () => {
    const { site, visitor, orders } = await beginTwiceRenewed();
    for (const ids of orders) {
      const response = await site.visitor().visit(write, withCookies(...ids));
      expect(sessionCookies(response)).toEqual([]);
    }
    expect(await visitor.ask(identity)).toBe("ann");
  });

  test("B5: let its user log in again, with its data", async () => {
    const { site, visitor, orders } = await beginTwiceRenewed();
    await visitor.visit(write);
    for (const ids of orders) {
      const tab = site.visitor();
      await tab.visit(logIn, withCookies(...ids));
      expect(await tab.look()).toEqual({ a: 1 });
    }
    expect(site.of("created")).toHaveLength(1);
  });

  test.each([0, 1])("B5: let it be ended by destroy(), once: %#", async (order) => {
    const { site, visitor, orders } = await beginTwiceRenewed();
    const response = await site
      .visitor()
      .visit((session) => session.destroy(), withCookies(...(orders[order] ?? [])));
    expect(sessionCookies(response)).toEqual([expect.stringContaining("Max-Age=0")]);
    expect(await visitor.ask(identity)).toBeNull();
    expect(site.of("destroyed")).toHaveLength(1);
  });
});

describe.each(EVERY_BACKEND)("a cookie that opens nothing, on %s", (_, create) => {
  test.each([
    ["an id that was never issued", createId()],
    ["a malformed id", "nonsense"],
  ])("B6: is cleared by destroy() and nothing else: %s", async (__, id) => {
    const site = new Site(create);
    const look = await site.visitor().visit(identity, withCookies(id));
    expect(sessionCookies(look)).toEqual([]);
    const response = await site.visitor().visit((session) => session.destroy(), withCookies(id));
    expect(sessionCookies(response)).toEqual([expect.stringContaining("Max-Age=0")]);
  });

  test("B6: sets meta.lapsed if its session has expired or ended, and not otherwise", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    const ask = async (init?: RequestInit): Promise<unknown> =>
      (await site.visitor().visit(lapsed, init)).json();
    await visitor.visit(write);
    expect(await ask()).toBe(false);
    expect(await ask(withCookies(visitor.id))).toBe(false);
    expect(await ask(withCookies("nonsense"))).toBe(false);
    expect(await ask(withCookies(createId()))).toBe(true);
    site.clock.advance(9 * HOUR);
    expect(await ask(withCookies(visitor.id))).toBe(true);
  });

  test.each(ENDINGS)(
    "B22: %s ends a session that only this process's clock calls expired",
    async (__, page) => {
      const { site, visitor } = await begin(create, logIn);
      const tab = visitor.clone(site.another({ now: () => site.clock.now() + 9 * HOUR }));
      await tab.visit(page);
      expect(await visitor.ask(identity)).toBeNull();
    },
  );
});

describe.each(EVERY_STORE)("a process whose clock is fast, on %s", (_, create) => {
  test.each(ENDINGS)(
    "B22: %s ends a session that only its store calls expired",
    async (__, page) => {
      let ahead = 0;
      const createShared: typeof create = (now) => create(() => now() + ahead);
      const { site, visitor } = await begin(createShared, logIn);
      const tab = visitor.clone(site.another({ now: () => site.clock.now() + ahead }));
      ahead = 9 * HOUR;
      await tab.visit(page);
      ahead = 0;
      expect(await visitor.ask(identity)).toBeNull();
    },
  );
});

describe("a request that shows nothing to the visitor", () => {
  test.each([
    ["a HEAD", { method: "HEAD" }],
    ["a prefetch", { headers: { "sec-purpose": "prefetch" } }],
    ["a prerender", { headers: { "sec-purpose": "prefetch;prerender" } }],
  ])("B7: leaves flash messages in place: %s", async (__, init) => {
    const { visitor } = await begin(createMap, (session) => session.flash("notice", "Saved."));
    const taken: unknown[] = [];
    for (const each of [init, {}, {}]) {
      await visitor.visit((session) => void taken.push(session.flash("notice") ?? null), each);
    }
    expect(taken).toEqual(["Saved.", "Saved.", null]);
  });
});

const CROSS_SITE = { headers: { "sec-fetch-site": "cross-site" } };
const CROSS_SITE_POST = { method: "POST", ...CROSS_SITE };

describe("a cross-site request without a cookie", () => {
  const strict = { cookie: { sameSite: "strict" }, crossOrigin: "allow" } as const;
  const lax = { crossOrigin: "allow" } as const;

  test.each([
    ["any, under SameSite=Strict", strict, CROSS_SITE],
    ["an unsafe one, under Lax", lax, CROSS_SITE_POST],
  ])("B8: begins no session by writing: %s", async (__, options, init) => {
    const site = new Site(createMap, options);
    const saved: unknown[] = [];
    const response = await site.visitor().visit(async (session) => {
      session["a"] = 1;
      saved.push(await session.save());
      session["b"] = 1;
    }, init);
    expect(saved).toEqual([false]);
    expect(sessionCookies(response)).toEqual([]);
    expect(site.of("created")).toEqual([]);
    expect(site.of("dropped")).toEqual([{ type: "dropped", handle: null }]);
  });

  test.each([
    ["a safe one, under Lax", lax, CROSS_SITE],
    ["any, under None", { ...lax, cookie: { sameSite: "none" } } as const, CROSS_SITE_POST],
    ["one of the same site", strict, { headers: { "sec-fetch-site": "same-site" } }],
    ["one that no page initiated", strict, { method: "POST" }],
  ])("B8: begins one if no cookie was withheld: %s", async (__, options, init) => {
    const site = new Site(createMap, options);
    expect(sessionCookies(await site.visitor().visit(write, init))).toHaveLength(1);
  });

  test("B8: begins one by login()", async () => {
    const visitor = new Site(createMap, strict).visitor();
    await visitor.visit(logIn, CROSS_SITE_POST);
    expect(await visitor.ask(identity)).toBe("ann");
  });
});

describe("the option `renews`", () => {
  test("B12: keeps a request from counting as use by returning false", async () => {
    const { site, visitor } = await begin(createMap, write, { renews: isNoPoll });
    for (let polls = 0; polls < 9; polls++) {
      site.clock.advance(HOUR);
      await visitor.visit(identity, { headers: { "x-poll": "1" } });
    }
    expect(await visitor.look()).toEqual({});
  });

  test.each([
    ["a write", (session) => (session["n"] = Math.random())],
    ["regenerate()", (session) => session.regenerate()],
    ["save() after regenerate()", (session) => (session.regenerate(), session.save())],
  ] as [string, Page][])(
    "B12: does so even if the request stores something: %s",
    async (__, page) => {
      const { site, visitor } = await begin(createMap, write, { renews: isNoPoll });
      const end = await visitor.ask(({ meta }) => meta.expiresAt);
      site.clock.advance(7 * HOUR);
      await visitor.visit(page, { headers: { "x-poll": "1" } });
      expect(await visitor.ask(({ meta }) => meta.expiresAt, { headers: { "x-poll": "1" } })).toBe(
        end,
      );
    },
  );

  test("B12: does not keep login() from beginning the idle timeout", async () => {
    const { site, visitor } = await begin(createMap, write, { renews: isNoPoll });
    site.clock.advance(7 * HOUR);
    await visitor.visit(logIn, { headers: { "x-poll": "1" } });
    site.clock.advance(7 * HOUR);
    expect(await visitor.ask(identity)).toBe("ann");
  });
});

describe.each(EVERY_STORE)("two timeouts on one backend, on %s", (_, create) => {
  test("B21: log out nobody who is active", async () => {
    const { site, visitor } = await begin(create, logIn, { timeout: 3600 });
    const beside = visitor.clone(site.another({ timeout: 60 }));
    for (let visits = 0; visits < 60; visits++) {
      site.clock.advance(50_000);
      await beside.visit(use);
      site.clock.advance(5_000);
      expect(await visitor.ask(use)).toBe("ann");
    }
    site.clock.advance(300_000);
    expect(await visitor.ask(use)).toBe("ann");
  });

  test("B21: apply to stored sessions when they are shortened", async () => {
    const { site, visitor } = await begin(create, logIn, { timeout: 3600 });
    const beside = visitor.clone(site.another({ timeout: 60 }));
    site.clock.advance(60_000);
    expect(await beside.ask(identity)).toBeNull();
  });
});
