import { afterEach, describe, expect, test } from "bun:test";

import type { Session } from "../../src/session/session.ts";
import { closeSites, EVERY_BACKEND, Site } from "../support/stores/every-store.ts";

afterEach(closeSites);

const MINUTE = 60_000;

/** A session that outlives its response: in a socket, a stream, or work that is left behind. */
async function leave(create: (typeof EVERY_BACKEND)[number][1]) {
  const site = new Site(create, { timeout: 30 * 60 });
  const visitor = site.visitor();
  let left: Session | undefined;
  await visitor.visit((session) => {
    session["n"] = 0;
    left = session;
  });
  return { site, visitor, session: left as Session };
}

describe.each(EVERY_BACKEND)("a session that outlives its response, on %s", (_, create) => {
  test.each([
    ["a write and save()", (session, n) => ((session["n"] = n), session.save())],
    ["save() alone", (session) => session.save()],
    ["update()", (session, n) => session.update((data) => (data["n"] = n))],
  ] as [string, (session: Session, n: number) => Promise<boolean>][])(
    "B4: is kept alive by %s, from the time of that call",
    async (__, use) => {
      const { site, visitor, session } = await leave(create);
      for (let n = 1; n <= 12; n++) {
        site.clock.advance(5 * MINUTE);
        expect(await use(session, n)).toBe(true);
      }
      expect(await visitor.ask(({ meta }) => meta.isNew)).toBe(false);
    },
  );

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

  test("B4: is updated by an unchanged save() with what others have stored", async () => {
    const { visitor, session } = await leave(create);
    await visitor.visit((other) => (other["n"] = 7));
    expect(await session.save()).toBe(true);
    expect(session["n"]).toBe(7);
  });
});
