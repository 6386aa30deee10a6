import { afterEach, describe, expect, spyOn, test } from "bun:test";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import { quiet } from "../support/quiet.ts";
import { begin, closeSites, EVERY_BACKEND, overlap, Site } from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";

afterEach(closeSites);

const HOUR = 60 * 60 * 1000;

const takeNote: Page = (session) => session.flash("note") ?? null;

/** Two requests that change one session at once: `first` is stored while `second` is under way. */
async function change(create: (typeof EVERY_BACKEND)[number][1], first: Page, second: Page) {
  const { site, visitor } = await begin(create, (session) =>
    Object.assign(session, { a: 0, b: 0 }),
  );
  await overlap(visitor, second, first);
  return { site, visitor };
}

describe.each(EVERY_BACKEND)("two requests that change one session, on %s", (_, create) => {
  test("B19: if the keys differ, both changes are kept and the event is `merged`", async () => {
    const { site, visitor } = await change(
      create,
      (session) => (session["a"] = 1),
      (session) => (session["b"] = 2),
    );
    expect(await visitor.look()).toEqual({ a: 1, b: 2 });
    expect(site.events.map(({ type }) => type)).toEqual([
      "created",
      "updated",
      "updated",
      "merged",
    ]);
  });

  test("B19: if both change one key, the event `overwritten` names it", async () => {
    const { site, visitor } = await change(
      create,
      (session) => (session["a"] = 1),
      (session) => Object.assign(session, { a: 2, b: 2 }),
    );
    expect(await visitor.look()).toEqual({ a: 2, b: 2 });
    expect(site.of("overwritten")).toEqual([expect.objectContaining({ keys: ["a"] })]);
    expect(site.of("merged")).toEqual([]);
  });

  test.each([
    ["save() and a later write", (session) => session.save()],
    ["update() and a later write", (session) => session.update(() => undefined)],
  ] as [string, Page][])(
    "B19: nothing is merged if one request alone has written: %s",
    async (__, store) => {
      const { site, visitor } = await begin(create, (session) => (session["a"] = 0));
      site.clock.advance(2 * HOUR);
      await visitor.visit(async (session) => {
        await store(session);
        session["a"] = 1;
      });
      expect(await visitor.look()).toEqual({ a: 1 });
      expect(site.of("merged")).toEqual([]);
    },
  );

  test("B19: nothing is merged if another request has only read", async () => {
    const { site, visitor } = await begin(create, (session) => (session["a"] = 0));
    site.clock.advance(2 * HOUR);
    await overlap(
      visitor,
      (session) => (session["a"] = 1),
      (session) => void session["a"],
    );
    expect(await visitor.look()).toEqual({ a: 1 });
    expect(site.of("merged")).toEqual([]);
  });

  test("taking a flash message leaves one of the same name that nobody has seen", async () => {
    const site = new Site(create);
    const visitor = site.visitor();
    await visitor.visit((session) => session.flash("note", "one"));
    const { response } = await overlap(visitor, takeNote, (session) =>
      session.flash("note", "two"),
    );
    expect(await response.json()).toBe("one");
    expect(await visitor.ask(takeNote)).toBe("two");
    expect(await visitor.ask(takeNote)).toBeNull();
  });

  test("B17: a request that writes the value a key had when it began changes nothing", async () => {
    const { visitor } = await change(
      create,
      (session) => (session["a"] = 1),
      (session) => Object.assign(session, { a: 0, b: 2 }),
    );
    expect(await visitor.look()).toEqual({ a: 1, b: 2 });
  });
});

test.each([
  ["login()", "rotate", (session) => session.login("ann")],
  ["a write", "replace", (session) => (session["a"] = 1)],
  ["update()", "replace", (session) => session.update((data) => (data["a"] = 1))],
] as [string, "rotate" | "replace", Page][])(
  "B18: %s ends with 503 after `storeTimeout` if others keep changing the session",
  async (_, operation, page) => {
    using _error = quiet("error");
    const site = new Site((now) => new InMemorySessionBackend({ now }), { storeTimeout: 50 });
    const visitor = site.visitor();
    await visitor.visit((session) => (session["b"] = 1));
    const backend = site.backend as InMemorySessionBackend;
    spyOn(backend, operation).mockImplementation(() => {
      // Others were faster: what is stored has another version by now.
      const [key = ""] = site.of("created").map(({ handle }) => handle);
      backend.touch(key, site.clock.now() + 60_000);
      return false;
    });
    expect((await visitor.visit(page)).status).toBe(503);
  },
);

test("B19: stats() returns the number of store calls and how long they took", async () => {
  const site = new Site((now) => new InMemorySessionBackend({ now }));
  const visitor = site.visitor();
  await visitor.visit((session) => (session["a"] = 1));
  await visitor.look();
  expect(site.sessions.stats()).toMatchObject({
    created: 1,
    loads: { count: 1, totalTime: 0, maxTime: 0 },
    stores: { count: 1, totalTime: 0, maxTime: 0 },
  });
});

test("B19: an answer that comes after `storeTimeout` is still counted", async () => {
  const [, create] = EVERY_BACKEND.find(([name]) => name === "an asynchronous load and save") ?? [];
  const site = new Site(create as (typeof EVERY_BACKEND)[number][1]);
  await site.visitor().visit((session) => (session["a"] = 1));
  const { stores } = site.sessions.stats();
  expect(stores.totalTime).toBeGreaterThan(0);
  expect(stores.maxTime).toBeLessThanOrEqual(stores.totalTime);
});
