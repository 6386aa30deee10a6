import { afterEach, describe, expect, test } from "bun:test";

import { begin, closeSites, EVERY_BACKEND, overlap } from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies } from "../support/visitor.ts";

afterEach(closeSites);

const fill: Page = (session) => (session["cart"] = ["tea"]);
const logIn: Page = (session) => session.login("ann");
const regenerate: Page = (session) => session.regenerate();
const destroy: Page = (session) => session.destroy();
const update: Page = (session) => session.update((data) => (data["n"] = 1));
const saveLate: Page = (session) => ((session["late"] = true), session.save());
const identity: Page = (session) => [session.meta.userId, session["cart"] ?? null];

/** A visitor with a cart, and a second tab that holds the id of before the login. */
async function logInBesideTab(create: (typeof EVERY_BACKEND)[number][1]) {
  const { site, visitor } = await begin(create, fill);
  const tab = visitor.clone();
  await visitor.visit(logIn);
  return { site, visitor, tab };
}

describe.each(EVERY_BACKEND)("an id that a rotation has replaced, on %s", (_, create) => {
  test("B3: opens nothing, and a request that writes through it gets no cookie", async () => {
    const { site, visitor, tab } = await logInBesideTab(create);
    const response = await tab.visit((session) => {
      session["late"] = true;
      return [session.meta.userId, session.meta.isNew, session.meta.lapsed];
    });
    expect(await response.json()).toEqual([null, true, true]);
    expect(sessionCookies(response)).toEqual([]);
    expect(site.of("dropped")).toHaveLength(1);
    expect(site.of("rejected").at(-1)?.reason).toBe("superseded");
    expect(await visitor.ask(identity)).toEqual(["ann", ["tea"]]);
  });

  test("B3: save() and update() through it return false", async () => {
    const { tab } = await logInBesideTab(create);
    const answers = await tab.ask(async (session) => [
      await saveLate(session),
      await update(session),
    ]);
    expect(answers).toEqual([false, false]);
  });

  test("B3: login() by the same user takes over the session, with its data", async () => {
    const { site, visitor, tab } = await logInBesideTab(create);
    const response = await tab.visit((session) => {
      session["late"] = true;
      session.login("ann");
    });
    expect(sessionCookies(response)).toHaveLength(1);
    expect(await tab.look()).toEqual({ cart: ["tea"], late: true });
    expect(await tab.ask(identity)).toEqual(["ann", ["tea"]]);
    expect(await visitor.ask(identity)).toEqual([null, null]);
    expect(site.of("created")).toHaveLength(1);
  });

  test("B3: login() and then update() through it change that session", async () => {
    const { tab } = await logInBesideTab(create);
    expect(await tab.ask((session) => (session.login("ann"), update(session)))).toBe(true);
    expect(await tab.look()).toEqual({ cart: ["tea"], n: 1 });
  });

  test("B3: two logins of one user at the same time keep the cart, and leave one session", async () => {
    const { site, visitor } = await begin(create, fill);
    const { tab } = await overlap(visitor, logIn, logIn);
    expect(await tab.ask(identity)).toEqual(["ann", ["tea"]]);
    expect(site.of("created")).toHaveLength(1);
    expect(site.of("rotated")).toHaveLength(2);
  });

  test("B3: login() by another user begins a session of its own", async () => {
    const { visitor, tab } = await logInBesideTab(create);
    await tab.visit((session) => session.login("ben"));
    expect(await tab.ask(identity)).toEqual(["ben", null]);
    expect(await visitor.ask(identity)).toEqual(["ann", ["tea"]]);
  });

  test("B3: login() does not take over an anonymous session, because the id may be a thief's", async () => {
    const { visitor } = await begin(create, fill);
    const thief = visitor.clone();
    await visitor.visit(regenerate);
    await thief.visit((session) => session.login("mallory"));
    expect(await thief.ask(identity)).toEqual(["mallory", null]);
    expect(await visitor.ask(identity)).toEqual([null, ["tea"]]);
  });

  test("B3: destroy() through it ends the session under its current id", async () => {
    const { visitor, tab } = await logInBesideTab(create);
    await visitor.visit(regenerate);
    const response = await tab.visit(destroy);
    expect(sessionCookies(response)).toEqual([expect.stringContaining("Max-Age=0")]);
    expect(await visitor.ask(identity)).toEqual([null, null]);
  });

  test("B3: revoke() of its handle ends the session", async () => {
    const { site, visitor } = await logInBesideTab(create);
    const handle = await visitor.ask(({ meta }) => meta.handle);
    await visitor.visit(regenerate);
    await site.sessions.revoke(String(handle));
    expect(await visitor.ask(identity)).toEqual([null, null]);
  });

  test("B3: is unknown once the note has expired, and a write then begins a session", async () => {
    const { site, tab } = await logInBesideTab(create);
    site.clock.advance(29_999);
    expect(sessionCookies(await tab.visit(fill))).toEqual([]);
    site.clock.advance(1);
    expect(sessionCookies(await tab.visit(fill))).toHaveLength(1);
    expect(site.of("rejected").map(({ reason }) => reason)).toEqual(["superseded", "unknown"]);
  });
});

describe.each(EVERY_BACKEND)("a request that was in progress, on %s", (_, create) => {
  test("B3: destroy() ends a session to which another request has given a new id", async () => {
    const { visitor } = await begin(create, logIn);
    await overlap(visitor, destroy, regenerate);
    expect(await visitor.ask(identity)).toEqual([null, null]);
  });

  test("B2: login() by the session's user does not bring back a session that has ended", async () => {
    const { site, visitor } = await begin(create, logIn);
    const { tab, response } = await overlap(visitor, logIn, destroy);
    expect(sessionCookies(response)).toEqual([]);
    expect(await tab.ask(identity)).toEqual([null, null]);
    expect(site.of("dropped")).toHaveLength(1);
  });
});
