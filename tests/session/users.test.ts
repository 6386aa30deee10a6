import { afterEach, describe, expect, test } from "bun:test";

import { App, InMemorySessionBackend, Sessions } from "bunpie";

import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { OpenSession } from "../../src/session/open-session.ts";
import { makeRecord, randomId } from "../../src/testing/records.ts";
import { Child } from "../support/processes/child.ts";
import { MapBackend } from "../support/stores/backends.ts";
import {
  begin,
  closeSites,
  EVERY_BACKEND,
  EVERY_STORE,
  Site,
} from "../support/stores/every-store.ts";
import { PLACES } from "../support/stores/places.ts";
import { sharedBackend } from "../support/stores/shared-backends.ts";
import { createRequest, Gate } from "../support/stores/site.ts";
import { watch } from "../support/stores/watched-backend.ts";
import type { Page } from "../support/visitor.ts";
import { Visitor } from "../support/visitor.ts";

afterEach(closeSites);

const logIn: Page = (session) => session.login("1");
const logInBen: Page = (session) => session.login("ben");
const logInAtDesk: Page = (session) => session.login("ann", { label: "desk" });
const identity: Page = (session) => [session.meta.userId, session["a"] ?? null];

describe.each(EVERY_BACKEND)("two services on one backend, on %s", (_, create) => {
  const shop = { cookie: { name: "shop" } };
  const staff = { cookie: { name: "staff" } };

  test("B9: never open each other's sessions if their cookies have different names", async () => {
    const { site, visitor: customer } = await begin(create, logIn, shop);
    const id = customer.client.cookies.get("shop") ?? "";
    const intruder = new Visitor(site.another(staff));
    intruder.client.cookies.set("staff", id);
    expect(await intruder.ask(identity)).toEqual([null, null]);
    expect(await customer.ask(identity)).toEqual(["1", null]);
  });

  test("B9: never open each other's sessions if their namespaces differ", async () => {
    const { site, visitor: customer } = await begin(create, logIn, { namespace: "shop" });
    const intruder = customer.clone(site.another({ namespace: "staff" }));
    expect(await intruder.ask(identity)).toEqual([null, null]);
    expect(await customer.ask(identity)).toEqual(["1", null]);
  });
});

describe("a session of another service", () => {
  test.each([
    ["upgradeHeaders()", (staff, { session }) => staff.upgradeHeaders(session)],
    ["onEnd()", (staff, { session }) => staff.onEnd(session, () => undefined)],
    ["commit()", (staff, open) => staff.commit(open, new Response(""))],
  ] as [string, (staff: Sessions, open: OpenSession) => unknown][])(
    "B9: is refused by %s, and nothing is stored",
    async (_, pass) => {
      const site = new Site((now) => new MapBackend(now));
      const open = await site.sessions.open(createRequest());
      open.session.login("ann");
      const passing = (async () => pass(site.another({ cookie: { name: "staff" } }), open))();
      await expect(passing).rejects.toThrow(TypeError);
      await expect(passing).rejects.toThrow("Another instance of Sessions has opened this session");
      expect(site.events).toEqual([]);
    },
  );
});

describe.each(EVERY_STORE)("users in different namespaces, on %s", (_, create) => {
  test("B9: are different users even if their ids are equal", async () => {
    const { site } = await begin(create, logIn, { namespace: "shop" });
    const staff = site.another({ namespace: "staff" });
    const employee = new Visitor(staff);
    await employee.visit(logIn);
    expect(await staff.list("1")).toEqual([expect.objectContaining({ userId: "1" })]);
    expect(await site.sessions.revokeAll("1")).toBe(1);
    expect(await employee.ask(identity)).toEqual(["1", null]);
  });

  test("B9: differ from users without a namespace, whatever those are called", async () => {
    const { site, visitor: customer } = await begin(create, logIn, { namespace: "shop" });
    const others = site.another({});
    const namesake = new Visitor(others);
    await namesake.visit((session) => session.login("shop\u001f1"));
    expect(await others.list("shop\u001f1")).toEqual([
      expect.objectContaining({ userId: "shop\u001f1" }),
    ]);
    expect(await others.revokeAll("shop\u001f1")).toBe(1);
    expect(await namesake.ask(identity)).toEqual([null, null]);
    expect(await customer.ask(identity)).toEqual(["1", null]);
  });
});

describe.each(EVERY_BACKEND)("login(), on %s", (_, create) => {
  test.each([
    ["NUL", "a\u0000b"],
    ["half of a surrogate pair", "a\ud800"],
    ["more than 255 characters", "x".repeat(256)],
    ["nothing", ""],
  ])("B15: refuses a user id with %s, and stores nothing", async (__, userId) => {
    const site = new Site(create);
    const visit = site.visitor().visit((session) => session.login(userId));
    await expect(visit).rejects.toThrow(TypeError);
    expect(site.events).toEqual([]);
  });

  test.each(["x".repeat(255), "naïve 🙂", " ann ", "ann\u001f1"])(
    "B15: keeps the user id %p unchanged",
    async (userId) => {
      const { visitor } = await begin(create, (session) => session.login(userId));
      expect(await visitor.ask(identity)).toEqual([userId, null]);
    },
  );

  test.each([7, "x".repeat(256), "a\u0000"])("B20: refuses the label %p", async (label) => {
    const visit = new Site(create)
      .visitor()
      .visit((session) => session.login("ann", { label: label as string }));
    await expect(visit).rejects.toThrow(TypeError);
  });
});

/** A service with so many sessions per user, and its store under watch. */
function watchSite(create: (typeof EVERY_STORE)[number][1], maxPerUser: number) {
  const watched = watch(create(() => site.clock.now()));
  const site: Site = new Site(() => watched.backend, { maxPerUser });
  return { site, watched };
}

describe.each(EVERY_STORE)("maxPerUser, on %s", (_, create) => {
  test("B10: one login too many ends the user's least recently used session", async () => {
    const site = new Site(create, { maxPerUser: 3 });
    const visitors = [1, 2, 3, 4].map(() => site.visitor());
    const [first, second, third, fourth] = visitors as [Visitor, Visitor, Visitor, Visitor];
    for (const visitor of [first, second, third]) {
      site.clock.advance(1_000);
      await visitor.visit((session) => session.login("ann"));
    }
    site.clock.advance(60 * 60 * 1000);
    await first.visit((session) => (session["a"] = 1));
    await fourth.visit((session) => session.login("ann"));
    const seen = visitors.map(async (visitor) => (await visitor.visit(identity)).json());
    expect(await Promise.all(seen)).toEqual([
      ["ann", 1],
      [null, null],
      ["ann", null],
      ["ann", null],
    ]);
    expect(site.of("destroyed")).toEqual([
      expect.objectContaining({ userId: "ann", count: 1, handles: [expect.any(String)] }),
    ]);
  });

  test("B10: does not affect other users", async () => {
    const { site, visitor: ben } = await begin(create, logInBen, { maxPerUser: 1 });
    for (let logins = 0; logins < 3; logins++) {
      await site.visitor().visit((session) => session.login("ann"));
    }
    expect(await site.sessions.list("ann")).toHaveLength(1);
    expect(await ben.ask(identity)).toEqual(["ben", null]);
  });

  test("B10: logins in the same millisecond end each other in their order", async () => {
    const site = new Site(create, { maxPerUser: 2 });
    const visitors = Array.from({ length: 9 }, () => site.visitor());
    for (const [index, visitor] of visitors.entries()) {
      await visitor.visit((session) => session.login("ann"));
      const before = visitors.slice(0, index + 1);
      const alive = before.map((each) => each.ask(({ meta }) => meta.userId === "ann"));
      expect(await Promise.all(alive)).toEqual(before.map((_each, turn) => index - turn < 2));
    }
  });

  test.each([
    [1, 2, 0],
    [1, 3, 0],
    [2, 3, 0],
    [3, 7, 0],
    [1, 2, 5_000],
    [2, 5, 5_000],
  ])(
    "B10: at most %i of %i concurrent logins last, and no fewer, if a process's clock is %i ms fast",
    async (maxPerUser, logins, skew) => {
      const { site, watched } = watchSite(create, maxPerUser);
      const { promise, resolve } = Promise.withResolvers<void>();
      let waiting = 0;
      // Each login looks at the user's sessions when all of them are stored.
      watched.before = (method) => {
        if (method !== "list") return undefined;
        if (++waiting === logins) resolve();
        return promise;
      };
      const beside = site.another({ maxPerUser, now: () => site.clock.now() + skew });
      const visitors = Array.from({ length: logins }, (_each, index) =>
        index % 2 === 0 ? site.visitor() : new Visitor(beside),
      );
      await Promise.all(visitors.map((each) => each.visit((session) => session.login("ann"))));
      expect(await site.sessions.list("ann")).toHaveLength(maxPerUser);
      const known = visitors.filter(({ hasCookie }) => hasCookie);
      const seen = await Promise.all(known.map((each) => each.ask(identity)));
      expect(seen.filter((each) => Bun.deepEquals(each, ["ann", null]))).toHaveLength(maxPerUser);
    },
  );

  test("B10: a login that others have overtaken ends its own session, and says so", async () => {
    const { site, watched } = watchSite(create, 2);
    const gate = new Gate();
    watched.before = (method) => {
      if (method !== "create") return undefined;
      watched.before = () => undefined;
      return gate.pass();
    };
    const [slow, ...others] = [site.visitor(), site.visitor(), site.visitor()];
    const saved: boolean[] = [];
    const login = slow?.visit(async (session) => {
      session.login("ann");
      saved.push(await session.save());
      return { ...session };
    });
    await gate.reached;
    for (const visitor of others) {
      site.clock.advance(1);
      await visitor.visit((session) => session.login("ann"));
    }
    gate.open();
    const response = await login;
    expect([response?.status, saved, slow?.hasCookie]).toEqual([200, [false], false]);
    for (const visitor of others) expect(await visitor.ask(identity)).toEqual(["ann", null]);
    expect(site.of("destroyed")).toEqual([
      expect.objectContaining({ userId: "ann", handles: [site.of("created")[2]?.handle] }),
    ]);
  });

  test("B10: a login where the clock is slow lasts, and ends nobody who has logged in since", async () => {
    const { site, visitor: ann } = await begin(create, (session) => session.login("ann"), {
      maxPerUser: 1,
    });
    const slow = new Visitor(site.another({ maxPerUser: 1, now: () => site.clock.now() - 5_000 }));
    await slow.visit((session) => session.login("ann"));
    expect(await slow.ask(identity)).toEqual(["ann", null]);
    expect(await ann.ask(identity)).toEqual(["ann", null]);
    site.clock.advance(1);
    const next = site.visitor();
    await next.visit((session) => session.login("ann"));
    expect(await site.sessions.list("ann")).toHaveLength(1);
    expect(await next.ask(identity)).toEqual(["ann", null]);
  });

  test("B10: a session that gets a new id while a login is about to end it goes on", async () => {
    const { site, watched } = watchSite(create, 1);
    const ann = site.visitor();
    await ann.visit((session) => session.login("ann"));
    site.clock.advance(1);
    watched.before = async (method) => {
      if (method !== "delete") return;
      watched.before = () => undefined;
      await ann.visit((session) => session.regenerate());
    };
    await site.visitor().visit((session) => session.login("ann"));
    expect(await ann.ask(identity)).toEqual(["ann", null]);
    expect(site.of("destroyed")).toEqual([]);
  });

  test("B10: a login ends at most 100 sessions, the least recently used first", async () => {
    const site = new Site(create, { maxPerUser: Infinity });
    const handles: string[] = [];
    for (let logins = 0; logins < 250; logins++) {
      site.clock.advance(1);
      await site.visitor().visit((session) => session.login("ann"));
      handles.push(site.of("created").at(-1)?.handle ?? "");
    }
    const limited = site.another({ maxPerUser: 10 });
    for (const left of [151, 52, 10, 10]) {
      site.clock.advance(1);
      await new Visitor(limited).visit((session) => session.login("ann"));
      handles.push(site.of("created").at(-1)?.handle ?? "");
      const list = await site.sessions.list("ann");
      expect(list.map(({ handle }) => handle)).toEqual(handles.slice(-left));
    }
    expect(site.of("destroyed").map(({ count }) => count)).toEqual([100, 100, 43, 1]);
  });
});

describe.each(PLACES)("maxPerUser in two processes, on one store of %s", (kind, make) => {
  test.each([1, 2])("B10: at most %i of concurrent logins last, and no fewer", async (limit) => {
    await using place = await make();
    const backend = sharedBackend(kind, place.target);
    const sessions = new Sessions({ backend, sweepInterval: 0, storeTimeout: 60_000 });
    await using children = new AsyncDisposableStack();
    children.defer(() => sessions.close());
    const processes = [1, 2].map(() =>
      children.use(new Child("log-in", kind, place.target, String(limit), "2")),
    );
    for (const child of processes) expect(await child.next()).toBe("ready");
    for (let round = 0; round < 25; round++) {
      for (const child of processes) child.send(`user${round}`);
      for (const child of processes) expect(await child.next()).toBeNumber();
      expect(await sessions.list(`user${round}`)).toHaveLength(limit);
    }
  });
});

describe.each(EVERY_BACKEND)("the largest numbers that options accept, on %s", (_, create) => {
  test("B16: work as no limit", async () => {
    const { site, visitor } = await begin(
      create,
      (session) => session.login("ann", { remember: 1e9 }),
      {
        timeout: Number.MAX_VALUE,
        lifetime: Number.MAX_VALUE,
        maxBytes: Number.MAX_VALUE,
        storeTimeout: Number.MAX_VALUE,
        watchInterval: Number.MAX_VALUE,
        maxPerUser: Number.MAX_SAFE_INTEGER,
      },
    );
    const guest = site.visitor();
    await guest.visit((session) => (session["a"] = 1));
    site.clock.advance(60 * 60 * 1000);
    expect(await visitor.ask(identity)).toEqual(["ann", null]);
    expect(await guest.ask(identity)).toEqual([null, 1]);
    expect(site.of("failed")).toEqual([]);
  });
});

describe.each(EVERY_STORE)("the list of a user's sessions, on %s", (_, create) => {
  test("B20: shows labels, and which session is the current one", async () => {
    const { site, visitor: desk } = await begin(create, logInAtDesk);
    site.clock.advance(1_000);
    await site.visitor().visit((session) => session.login("ann"));
    const handle = String(await desk.ask(({ meta }) => meta.handle));
    const list = await site.sessions.list("ann", { current: handle });
    expect(list.map(({ label, current }) => `${label} ${current}`)).toEqual([
      "desk true",
      "null false",
    ]);
  });

  test.each(["a\u0000b", "a\ud800"])("B15: is refused for the id %j of nobody", async (userId) => {
    const site = new Site(create);
    await site.visitor().visit((session) => session.login("a\ufffd"));
    const message = "The user's id contains NUL or a lone surrogate";
    await expect(site.sessions.list(userId)).rejects.toThrow(new RegExp(`^${message}`));
    await expect(site.sessions.revokeAll(userId)).rejects.toThrow(TypeError);
    expect(await site.sessions.list("a\ufffd")).toHaveLength(1);
  });

  test("B15: are left alone by a handle that is none, which spares none either", async () => {
    const site = new Site(create);
    await site.visitor().visit((session) => session.login("ann"));
    await site.sessions.revoke("a\u0000b");
    expect(await site.sessions.list("ann")).toHaveLength(1);
    expect(await site.sessions.revokeAll("ann", { except: "a\u0000b" })).toBe(1);
  });

  test("B10: can be ended even if the user's id is too long for a login today", async () => {
    const site = new Site(create);
    const userId = "x".repeat(300);
    const record = makeRecord({ userId, expiresAt: site.clock.now() + 1_000 });
    await site.backend.create(randomId(), record);
    expect(await site.sessions.revokeAll(userId)).toBe(1);
  });

  test("B10: can be ended by revokeAll() in steps, however long it is", async () => {
    const site = new Site(create, { maxPerUser: Infinity });
    for (let logins = 0; logins < 450; logins++) {
      await site.visitor().visit((session) => session.login("ann"));
    }
    expect(await site.sessions.revokeAll("ann")).toBe(450);
    expect(await site.sessions.list("ann")).toEqual([]);
    const steps = site.of("destroyed");
    expect(Math.max(...steps.map(({ count }) => count))).toBeLessThanOrEqual(200);
    expect(new Set(steps.flatMap(({ handles }) => handles)).size).toBe(450);
  });
});

describe("a user's id", () => {
  test.each([undefined, null, 7])("B9: cannot be %p, with a namespace or without", async (id) => {
    for (const options of [{}, { namespace: "shop" }]) {
      const sessions = new Sessions({ backend: new InMemorySessionBackend(), ...options });
      const message = `The user's id has to be a string, but it is ${id}.`;
      await expect(sessions.list(id as never)).rejects.toThrow(message);
      await expect(sessions.revokeAll(id as never)).rejects.toThrow(message);
    }
  });

  test.each([undefined, null])("B9: the handle %p is refused", async (handle) => {
    const sessions = new Sessions({ backend: new InMemorySessionBackend() });
    await expect(sessions.revoke(handle as never)).rejects.toThrow(
      `The handle of a session has to be a string, but it is ${handle}.`,
    );
  });
});

describe("invalid options", () => {
  const backend = new MapBackend();

  test.each(["", "a b", "a/b", "x".repeat(65), null, 5])(
    "B9: the namespace %p is refused",
    (namespace) => {
      expect(() => new Sessions({ backend, namespace: namespace as string })).toThrow(TypeError);
    },
  );

  test.each([0, -1, 1.5, NaN, 2 ** 53, "5"])("B10: the maxPerUser %p is refused", (maxPerUser) => {
    expect(() => new Sessions({ backend, maxPerUser: maxPerUser as number })).toThrow(TypeError);
  });

  test.each([
    [{ timout: 5 }, "Did you mean `timeout`"],
    [{ trustedOrigin: [] }, "Did you mean `trustedOrigins`"],
    [{ cookie: { samesite: "lax" } }, "Did you mean `sameSite`"],
    [{ timeout: 90 * 86_400 }, "longer than the `lifetime`"],
    [{ timeout: 61, lifetime: 60 }, "longer than the `lifetime`"],
    [{ cookie: { partitioned: true } }, "sameSite"],
    [{ cookie: { name: "__Http-id", secure: false } }, "secure"],
    [{ cookie: { secure: null } }, "The cookie's secure null has to be true or false. Leave"],
    [
      { cookie: { partitioned: "no" } },
      'The cookie\'s partitioned "no" has to be true or false. Leave',
    ],
    [{ now: null }, "`now` is null; it has to be a function. Leave it out for the default."],
    [{ renews: true }, "`renews` is true; it has to be a function."],
    [{ onEvent: "log" }, "`onEvent` is log; it has to be a function."],
    [{ cookie: { name: "__Host-Http-id", path: "/shop" } }, "path"],
    [{ crossOrigin: "deny" }, "`crossOrigin`"],
    [{ sessionBackend: backend }, "Did you mean `backend`?"],
    [{ trustedOrigins: "https://a.example" }, "`trustedOrigins` has to be a list"],
    [
      { secret: "hunter2" },
      "Sessions has no option `secret`. Its options are `backend`, `timeout`, `lifetime`, ",
    ],
    [
      { cookie: { maxAge: 60 } },
      "The cookie has no option `maxAge`. Its options are `name`, `path`, ",
    ],
  ])("B16: %j is refused, with the remedy", (options, words) => {
    expect(() => new Sessions({ backend, ...(options as object) })).toThrow(words);
    expect(() => new Sessions({ backend, ...(options as object) })).toThrow(TypeError);
  });

  test.each([undefined, null, "backend"])("B16: %p instead of options is refused", (options) => {
    expect(() => new Sessions(options as never)).toThrow(
      "Sessions takes an object of options, such as { backend: … }.",
    );
  });

  test.each([
    [{ timeout: 60 }, "App has no option `timeout`. Write it as session: { timeout: … }."],
    [{ backend }, "Did you mean `sessionBackend`?"],
    [{ foo: 1 }, "App has no option `foo`. Its options are `sessionBackend`, "],
    [{ sesionBackend: backend }, "Did you mean `sessionBackend`?"],
  ])("B16: App says where %j belongs", (options, words) => {
    expect(() => new App(options as object)).toThrow(words);
  });

  test("B16: a lifetime below the default timeout is accepted", () => {
    expect(() => new Sessions({ backend, lifetime: 60 })).not.toThrow();
  });

  test.each([
    ["maxSession", "maxSessions", (given: object) => new InMemorySessionBackend(given)],
    ["busyTimeOut", "busyTimeout", (given: object) => new SqliteSessionBackend(":memory:", given)],
    ["tabel", "table", (given: object) => new PostgresSessionBackend("postgres://h/d", given)],
    ["prefx", "prefix", (given: object) => new RedisSessionBackend("redis://h", given)],
  ])("B16: the backend option `%s` is refused for `%s`", (name, nearest, create) => {
    expect(() => create({ [name]: 1 })).toThrow(`Did you mean \`${nearest}\`?`);
  });

  test("B16: an unknown option of login() is refused", async () => {
    const visitor = new Visitor(new Sessions({ backend, storeTimeout: 60_000 }));
    const mistaken = { rememberMe: 60 } as object;
    const login: Page = (session) => session.login("ann", mistaken);
    await expect(visitor.visit(login)).rejects.toThrow("Did you mean `remember`");
  });
});
