import { afterEach, describe, expect, test } from "bun:test";

import { closeSites, EVERY_BACKEND, Gate, Site } from "../support/stores/every-store.ts";
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
  ] as [string, Page][])("B13: ends it, and the cookie goes: %s", async (__, page) => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit(write);
    const thief = visitor.clone();
    const response = await visitor.visit(page);
    expect(sessionCookies(response)).toEqual([expect.stringContaining("Max-Age=0")]);
    expect(site.of("destroyed")).toEqual([expect.objectContaining({ count: 1, userId: null })]);
    expect(await (await thief.visit(({ meta }) => meta.isNew)).json()).toBe(true);
  });

  test.each([
    ["which somebody has logged into", (session) => session.login("ann")],
    ["which has a flash message", (session) => session.flash("notice", "Saved.")],
  ] as [string, Page][])("B13: leaves one that lives: %s", async (__, page) => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit((session) => (write(session), page(session)));
    expect(sessionCookies(await visitor.visit(empty))).toEqual([]);
    expect(await (await visitor.visit(({ meta }) => meta.isNew)).json()).toBe(false);
  });

  test("B13: loses nothing that another request has written meanwhile", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit(write);
    const tab = visitor.clone();
    const gate = new Gate();
    const emptying = tab.visit(async (session) => {
      delete session["a"];
      await gate.pass();
    });
    await gate.reached;
    await visitor.visit((session) => (session["b"] = 2));
    gate.open();
    expect(sessionCookies(await emptying)).toEqual([]);
    expect(await visitor.look()).toEqual({ b: 2 });
  });

  test("B13: what it writes after save() begins a new session", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit(write);
    const before = visitor.id;
    await visitor.visit(async (session) => {
      delete session["a"];
      await session.save();
      session["b"] = 2;
    });
    expect(visitor.id).not.toBe(before);
    expect(await visitor.look()).toEqual({ b: 2 });
  });

  test("B13: keeps a login that comes while save() ends it", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit(write);
    await visitor.visit(async (session) => {
      delete session["a"];
      const saving = session.save();
      await undefined;
      session.login("ann");
      await saving;
    });
    expect(await (await visitor.visit(({ meta }) => meta.userId)).json()).toBe("ann");
  });
});
