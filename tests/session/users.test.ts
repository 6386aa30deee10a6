import { afterEach, describe, expect, test } from "bun:test";

import { App, InMemorySessionBackend, Sessions } from "bunpie";

import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import { MapBackend } from "../support/stores/backends.ts";
import {
  begin,
  closeSites,
  EVERY_BACKEND,
  EVERY_STORE,
  Site,
} from "../support/stores/every-store.ts";
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

  test.each(["", "a b", "a/b", "x".repeat(65)])("B9: the namespace %p is refused", (namespace) => {
    expect(() => new Sessions({ backend, namespace })).toThrow(TypeError);
  });

  test.each([0, -1, 1.5, NaN])("B10: the maxPerUser %p is refused", (maxPerUser) => {
    expect(() => new Sessions({ backend, maxPerUser })).toThrow(TypeError);
  });

  test.each([
    [{ timout: 5 }, "Did you mean `timeout`"],
    [{ trustedOrigin: [] }, "Did you mean `trustedOrigins`"],
    [{ cookie: { samesite: "lax" } }, "Did you mean `sameSite`"],
    [{ timeout: 90 * 86_400 }, "longer than the `lifetime`"],
    [{ timeout: 61, lifetime: 60 }, "longer than the `lifetime`"],
    [{ cookie: { partitioned: true } }, "sameSite"],
    [{ cookie: { name: "__Http-id", secure: false } }, "secure"],
    [{ cookie: { name: "__Host-Http-id", path: "/shop" } }, "path"],
    [{ crossOrigin: "deny" }, "`crossOrigin`"],
  ])("B16: %j is refused, with the remedy", (options, words) => {
    expect(() => new Sessions({ backend, ...(options as object) })).toThrow(words);
    expect(() => new Sessions({ backend, ...(options as object) })).toThrow(TypeError);
  });

  test.each([
    [
      { secret: "hunter2" },
      "Sessions has no option `secret`. Its options are `backend`, `timeout`, `lifetime`, ",
    ],
    [
      { cookie: { maxAge: 60 } },
      "The cookie has no option `maxAge`. Its options are `name`, `path`, ",
    ],
    [{ sessionBackend: backend }, "Did you mean `backend`?"],
    [{ trustedOrigins: "https://a.example" }, "`trustedOrigins` has to be a list"],
  ])("B16: an error about an unknown option lists all options: %#", (options, words) => {
    expect(() => new Sessions({ backend, ...(options as object) })).toThrow(words);
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
  ])("B16: App says where %j belongs", (options, words) => {
    expect(() => new App(options as object)).toThrow(words);
  });

  test("B16: a lifetime below the default timeout is accepted", () => {
    expect(() => new Sessions({ backend, lifetime: 60 })).not.toThrow();
  });

  test("B16: an error of App names the nearest option too", () => {
    const options = { sesionBackend: backend } as object;
    expect(() => new App(options)).toThrow("Did you mean `sessionBackend`");
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
