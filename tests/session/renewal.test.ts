import { afterEach, describe, expect, test } from "bun:test";

import {
  begin,
  closeSites,
  EVERY_BACKEND,
  EVERY_STORE,
  Site,
} from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";

afterEach(closeSites);

const DAY = 86_400;

const logIn: Page = (session) => session.login("ann");
const write: Page = (session) => (session["a"] = 1);

const RENEWALS = [
  ["login()", logIn],
  ["regenerate()", (session) => session.regenerate()],
] as const satisfies readonly (readonly [string, Page])[];

const isFresh: Page = ({ meta }) => [meta.authenticatedWithin(300), meta.userId];

const WRITES = [
  ["update()", (session) => session.update((data) => (data["secret"] = 1))],
  ["save()", (session) => ((session["secret"] = 1), session.save())],
] as const satisfies readonly (readonly [string, Page])[];

const CASES = RENEWALS.flatMap(([name, renew]) =>
  WRITES.map(([how, act]) => [`${how} after ${name}`, renew, act] as const),
);

describe.each(EVERY_BACKEND)(
  "what is written after login() or regenerate(), on %s",
  (_, create) => {
    test.each(CASES)("B1, L2: %s is never seen under the old id", async (__, renew, act) => {
      const { visitor } = await begin(create, write);
      const thief = visitor.clone();
      await visitor.visit(async (session) => {
        renew(session);
        expect(await act(session)).toBe(true);
        expect(await thief.look()).toEqual({});
      });
      expect(await visitor.look()).toEqual({ a: 1, secret: 1 });
      expect(await thief.look()).toEqual({});
    });

    test.each(CASES)(
      "B1: %s is never seen under the old id if the handler then throws",
      async (__, renew, act) => {
        const { visitor } = await begin(create, write);
        const thief = visitor.clone();
        const response = await visitor.visit(async (session) => {
          renew(session);
          await act(session);
          return new Response(null, { status: 500 });
        });
        expect(response.headers.getSetCookie()).toHaveLength(1);
        expect(await thief.look()).toEqual({});
        expect(await visitor.look()).toEqual({ a: 1, secret: 1 });
      },
    );
  },
);

describe.each(EVERY_STORE)("login() by the session's own user, on %s", (_, create) => {
  test("B2: changes its id and its login time, and keeps `remember` and `label`", async () => {
    const { site, visitor } = await begin(create, (session) => {
      session["cart"] = 1;
      session.login("ann", { remember: 7 * DAY, label: "Firefox" });
    });
    const before = visitor.id;
    site.clock.advance(DAY * 1000);
    await visitor.visit(logIn);
    expect(visitor.id).not.toBe(before);
    const now = site.clock.now();
    expect(await site.sessions.list("ann")).toEqual([
      expect.objectContaining({
        label: "Firefox",
        authenticatedAt: now,
        createdAt: now,
        expiresAt: now + 7 * DAY * 1000,
      }),
    ]);
    expect(await visitor.look()).toEqual({ cart: 1 });
  });

  test("B2: replaces `remember` and `label` if they are passed", async () => {
    const { site, visitor } = await begin(create, (session) =>
      session.login("ann", { remember: 7 * DAY, label: "one" }),
    );
    await visitor.visit((session) => session.login("ann", { remember: DAY, label: "two" }));
    const [session] = await site.sessions.list("ann");
    expect(session).toMatchObject({ label: "two", expiresAt: site.clock.now() + DAY * 1000 });
  });

  test("B2: does not let the session outlive a concurrent revokeAll()", async () => {
    const { site, visitor } = await begin(create, logIn);
    await visitor.visit(async (session) => {
      expect(await site.sessions.revokeAll("ann")).toBe(1);
      session.login("ann");
    });
    expect(await site.sessions.list("ann")).toEqual([]);
  });

  test("B20: restarts meta.authenticatedWithin()", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    expect(await visitor.ask(isFresh)).toEqual([false, null]);
    await visitor.visit(logIn);
    site.clock.advance(300_000);
    expect(await visitor.ask(isFresh)).toEqual([true, "ann"]);
    site.clock.advance(1);
    expect(await visitor.ask(isFresh)).toEqual([false, "ann"]);
    await visitor.visit(logIn);
    expect(await visitor.ask(isFresh)).toEqual([true, "ann"]);
  });
});
