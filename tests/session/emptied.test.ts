import { afterEach, describe, expect, test } from "bun:test";

import { begin, closeSites, EVERY_BACKEND, overlap } from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies } from "../support/visitor.ts";

afterEach(closeSites);

const write: Page = (session) => (session["a"] = 1);
const empty: Page = (session) => delete session["a"];

describe.each(EVERY_BACKEND)("a handler that empties the session, on %s", (_, create) => {
  test.each([
    ["by deleting the last key", empty],
    ["by save()", (session) => (delete session["a"], session.save())],
    ["by update()", (session) => session.update((data) => delete data["a"])],
    ["and asks for a new id", (session) => (delete session["a"], session.regenerate())],
  ] as [string, Page][])("B13: ends it, and clears the cookie: %s", async (__, page) => {
    const { site, visitor } = await begin(create, write);
    const thief = visitor.clone();
    const response = await visitor.visit(page);
    expect(sessionCookies(response)).toEqual([expect.stringContaining("Max-Age=0")]);
    expect(site.of("destroyed")).toEqual([expect.objectContaining({ count: 1, userId: null })]);
    expect(await thief.ask(({ meta }) => meta.isNew)).toBe(true);
  });

  test.each([
    ["that somebody has logged into", (session) => session.login("ann")],
    ["that has a flash message", (session) => session.flash("notice", "Saved.")],
  ] as [string, Page][])("B13: does not end a session %s", async (__, page) => {
    const { visitor } = await begin(create, (session) => (write(session), page(session)));
    expect(sessionCookies(await visitor.visit(empty))).toEqual([]);
    expect(await visitor.ask(({ meta }) => meta.isNew)).toBe(false);
  });

  test("B13: keeps what another request has written meanwhile", async () => {
    const { visitor } = await begin(create, write);
    const { response } = await overlap(visitor, empty, (session) => (session["b"] = 2));
    expect(sessionCookies(response)).toEqual([]);
    expect(await visitor.look()).toEqual({ b: 2 });
  });

  test("B13: begins a new session if it writes after save()", async () => {
    const { visitor } = await begin(create, write);
    const before = visitor.id;
    await visitor.visit(async (session) => {
      delete session["a"];
      await session.save();
      session["b"] = 2;
    });
    expect(visitor.id).not.toBe(before);
    expect(await visitor.look()).toEqual({ b: 2 });
  });

  test("B13: keeps a login that is made while save() ends the session", async () => {
    const { visitor } = await begin(create, write);
    await visitor.visit(async (session) => {
      delete session["a"];
      const saving = session.save();
      await undefined;
      session.login("ann");
      await saving;
    });
    expect(await visitor.ask(({ meta }) => meta.userId)).toBe("ann");
  });
});
