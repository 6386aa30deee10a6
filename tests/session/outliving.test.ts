import { heapStats } from "bun:jsc";
import { afterEach, describe, expect, test } from "bun:test";

import { InMemorySessionBackend } from "../../src/backends/memory/backend.ts";
import type { Session } from "../../src/session/session.ts";
import { closeSites, EVERY_BACKEND, Site } from "../support/stores/every-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies } from "../support/visitor.ts";

afterEach(closeSites);

const MINUTE = 60_000;

/** How a socket uses its session. */
const USES = [
  ["a write and save()", (session, n) => ((session["n"] = n), session.save())],
  ["save() alone", (session) => session.save()],
  ["update()", (session, n) => session.update((data) => (data["n"] = n))],
] as const satisfies readonly (readonly [
  string,
  (session: Session, n: number) => Promise<boolean>,
])[];

const remembered: Page = (session) => session.login("ann", { remember: 60 * 60 });

/** A session that outlives its response: in a socket, a stream, or work that is left behind. */
async function leave(create: (typeof EVERY_BACKEND)[number][1], login: Page = () => undefined) {
  const site = new Site(create, { timeout: 30 * 60 });
  const visitor = site.visitor();
  let left: Session | undefined;
  await visitor.visit((session) => {
    session["n"] = 0;
    login(session);
    left = session;
  });
  return { site, visitor, session: left as Session };
}

describe.each(EVERY_BACKEND)("a session that outlives its response, on %s", (_, create) => {
  test.each(USES)("B4: is kept alive by %s, from the time of that call", async (__, use) => {
    const { site, visitor, session } = await leave(create);
    for (let n = 1; n <= 12; n++) {
      site.clock.advance(5 * MINUTE);
      expect(await use(session, n)).toBe(true);
    }
    expect(await visitor.ask(({ meta }) => meta.isNew)).toBe(false);
  });

  test.each([
    ["save()", (session) => session.save()],
    ["update()", (session) => session.update(() => undefined)],
  ] as [string, (session: Session) => Promise<boolean>][])(
    "B4: %s returns false once the session has ended, even if nothing has changed",
    async (__, use) => {
      const { visitor, session } = await leave(create);
      expect(await use(session)).toBe(true);
      await visitor.visit((other) => other.destroy());
      expect(await use(session)).toBe(false);
    },
  );

  test.each(USES)("B4: is kept alive by %s if it is remembered", async (__, use) => {
    const { site, visitor, session } = await leave(create, remembered);
    for (let n = 1; n <= 12; n++) {
      site.clock.advance(25 * MINUTE);
      expect(await use(session, n)).toBe(true);
    }
    expect(await visitor.ask(({ meta }) => meta.isNew)).toBe(false);
    site.clock.advance(60 * MINUTE);
    expect(await use(session, 13)).toBe(false);
  });

  test.each(USES)(
    "C15: is remembered by the browser while visited, despite %s",
    async (__, use) => {
      const { site, visitor, session } = await leave(create, remembered);
      let cookieEnds = site.clock.now() + 60 * MINUTE;
      for (let n = 1; n <= 30; n++) {
        site.clock.advance(7 * MINUTE);
        expect(await use(session, n)).toBe(true);
        if (n % 3 !== 0) continue;
        site.clock.advance(MINUTE);
        expect(site.clock.now()).toBeLessThan(cookieEnds);
        const [line = ""] = sessionCookies(await visitor.visit((other) => void other["n"]));
        const { maxAge = 0 } = Bun.Cookie.parse(line || "none=");
        if (maxAge > 0) cookieEnds = site.clock.now() + maxAge * 1000;
      }
    },
  );

  test("B4: is kept alive by save() if it is remembered and others write it", async () => {
    const { site, visitor, session } = await leave(create, remembered);
    for (let n = 1; n <= 9; n++) {
      site.clock.advance(25 * MINUTE);
      await visitor.visit((other) => (other["n"] = n));
      site.clock.advance(25 * MINUTE);
      expect(await session.save()).toBe(true);
      expect(session["n"]).toBe(n);
    }
  });

  test.each([0, 20])(
    "B4: is updated by an unchanged save() with what others have stored, %i minutes later",
    async (minutes) => {
      const { site, visitor, session } = await leave(create);
      await visitor.visit((other) => (other["n"] = 7));
      site.clock.advance(minutes * MINUTE);
      expect(await session.save()).toBe(true);
      expect(session["n"]).toBe(7);
    },
  );
});

/** How many arrays are alive. */
function countArrays(): number {
  Bun.gc(true);
  return heapStats().objectTypeCounts["Array"] ?? 0;
}

test("B4: calls of update() that overlap without a pause leave nothing behind", async () => {
  const { visitor, session } = await leave((now) => new InMemorySessionBackend({ now }));
  const before = countArrays();
  let last: Promise<boolean> | undefined;
  for (let n = 0; n < 2_000; n++) {
    const next = session.update((data) => (data["n"] += 1));
    await last;
    last = next;
  }
  expect(countArrays() - before).toBeLessThan(1_000);
  await last;
  expect(await visitor.look()).toEqual({ n: 2_000 });
});
