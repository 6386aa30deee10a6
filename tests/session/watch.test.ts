import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Session } from "../../src/session/session.ts";
import type { SessionEnd } from "../../src/session/watchlist.ts";
import type { EndListener } from "../../src/store/session-store.ts";
import { becomesTrue } from "../../src/testing/until.ts";
import { quiet } from "../support/quiet.ts";
import { closeSites, EVERY_BACKEND, EVERY_STORE, Site } from "../support/stores/every-store.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page, Visitor } from "../support/visitor.ts";

afterEach(closeSites);

const MINUTE = 60_000;
/** In milliseconds; far more than it ever takes. */
const TIMEOUT = 20_000;
setDefaultTimeout(TIMEOUT + 10_000);

const logIn: Page = (session) => session.login("Ann");
const logInBen: Page = (session) => session.login("Ben");
const write: Page = (session) => (session["n"] = 1);
const regenerate: Page = (session) => session.regenerate();
const destroy: Page = (session) => session.destroy();

/** A visitor with a session that something of theirs, such as a socket, has open. */
interface Left {
  readonly site: Site;
  readonly visitor: Visitor;
  readonly session: Session;
  /** What its listener was told. */
  readonly told: SessionEnd[];
  readonly stop: () => void;
}

type Create = (typeof EVERY_BACKEND)[number][1];

/** Notes what a new listener of the session is told. */
function listen({ site }: { readonly site: Site }, session: Session): SessionEnd[] {
  const told: SessionEnd[] = [];
  site.sessions.onEnd(session, (reason) => told.push(reason));
  return told;
}

async function leave(
  create: Create,
  options: ConstructorParameters<typeof Site>[1] = {},
  first: Page = logIn,
  page: Page = () => undefined,
): Promise<Left> {
  const site = new Site(create, { timeout: 30 * 60, watchInterval: 0.05, ...options });
  const visitor = site.visitor();
  await visitor.visit(first);
  const told: SessionEnd[] = [];
  let left: Session | undefined;
  let stop = doNothing;
  await visitor.visit(async (session) => {
    left = session;
    stop = site.sessions.onEnd(session, (reason) => told.push(reason));
    await page(session);
  });
  return { site, visitor, session: left as Session, told, stop };
}

function doNothing(): void {}

function fail(): Response {
  return new Response("", { status: 500 });
}

function readHandle({ meta }: Session): string {
  return String(meta.handle);
}

/** Waits until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  expect(await becomesTrue(TIMEOUT, async () => condition())).toBe(true);
}

async function expectEnd({ told }: Left, reason: SessionEnd): Promise<void> {
  await until(() => told.length > 0);
  expect(told).toEqual([reason]);
}

describe.each(EVERY_BACKEND)("sessions.onEnd, on %s", (_, create) => {
  test.each([
    ["destroyed", "another request destroys it", ({ visitor }) => visitor.visit(destroy)],
    [
      "destroyed",
      "its own request destroys it",
      async ({ session }) => (session.destroy(), session.save()),
    ],
    [
      "destroyed",
      "it is revoked",
      ({ site, session }) => site.sessions.revoke(readHandle(session)),
    ],
    ["superseded", "another gives it a new id", ({ visitor }) => visitor.visit(regenerate)],
    ["superseded", "its user logs in again", ({ visitor }) => visitor.visit(logIn)],
    ["destroyed", "another user logs in", ({ visitor }) => visitor.visit(logInBen)],
    ["expired", "it expires", async ({ site }) => site.clock.advance(30 * MINUTE)],
    [
      "destroyed",
      "a manager of the same backend destroys it",
      ({ site, visitor }) => visitor.clone(site.another()).visit(destroy),
    ],
  ] as [SessionEnd, string, (left: Left) => Promise<unknown>][])(
    "X6: calls the listener with %p once when %s",
    async (reason, __, end) => {
      const left = await leave(create);
      await end(left);
      await expectEnd(left, reason);
      await left.visitor.visit(destroy);
      expect(left.told).toEqual([reason]);
    },
  );

  test("does not end a session that others only use and write", async () => {
    const left = await leave(create);
    await left.visitor.visit((other) => (other["n"] = 1));
    left.site.clock.advance(20 * MINUTE);
    await left.visitor.visit((other) => (other["n"] = 2));
    left.site.clock.advance(20 * MINUTE);
    // Its expiry as this request knew it is past. What comes after is only seen if it goes on.
    await left.visitor.visit((other) => (other["n"] = 3));
    expect(left.told).toEqual([]);
    await left.visitor.visit(destroy);
    await expectEnd(left, "destroyed");
  });

  test("X6: keeps watching a session to which its own handler gives a new id", async () => {
    const left = await leave(create, {}, write, async (session) => {
      session.login("Ann");
      await session.save();
      session.regenerate();
    });
    expect(await left.visitor.look()).toEqual({ n: 1 });
    expect(left.told).toEqual([]);
    await left.visitor.visit(regenerate);
    await expectEnd(left, "superseded");
  });

  test.each([
    ["gives it a new id", logIn, regenerate],
    ["logs another user in", write, logInBen],
    ["ends it", write, destroy],
  ])(
    "X6: keeps watching while a login() is to be stored and another request %s",
    async (__, first, meanwhile) => {
      const left = await leave(create, {}, first);
      const visitor = left.visitor.clone();
      let told: SessionEnd[] = [];
      await visitor.visit(async (session) => {
        session.login("Ann");
        told = listen(left, session);
        await left.visitor.visit(meanwhile);
        await until(() => left.told.length > 0);
      });
      expect(told).toEqual([]);
      await visitor.visit(destroy);
      await until(() => told.length > 0);
      expect(told).toEqual(["destroyed"]);
    },
  );

  test.each([
    ["destroyed", "its user's session was destroyed", ({ visitor }) => visitor.visit(destroy)],
    ["expired", "its user's session expired", ({ site }) => site.clock.advance(30 * MINUTE)],
    ["superseded", "the request fails", ({ visitor }) => visitor.visit(regenerate), fail],
  ] as [SessionEnd, string, (left: Left) => unknown, Page?][])(
    "X6: calls the listener with %p if a login() is not stored because %s",
    async (reason, __, meanwhile, end = doNothing) => {
      const left = await leave(create);
      let told: SessionEnd[] = [];
      await left.visitor.clone().visit(async (session) => {
        session.login("Ann");
        told = listen(left, session);
        await meanwhile(left);
        await until(() => left.told.length > 0);
        return end(session);
      });
      await until(() => told.length > 0);
      expect(told).toEqual([reason]);
    },
  );

  test("X6: watches the session that a login() through a former id takes over", async () => {
    const { site, visitor } = await leave(create);
    const late = visitor.clone();
    await visitor.visit(regenerate);
    let told: SessionEnd[] = [];
    await late.visit((session) => {
      session.login("Ann");
      told = listen({ site }, session);
    });
    expect(told).toEqual([]);
    await late.visit(destroy);
    await until(() => told.length > 0);
    expect(told).toEqual(["destroyed"]);
  });

  test("X6: calls the listener of a session that ended while its handler ran, before it was added", async () => {
    const left = await leave(create, { watchInterval: 60 });
    const brief = left.site.visitor();
    await brief.visit((session) => session.login("Ben", { remember: 60 }));
    let briefly: SessionEnd[] = [];
    await brief.visit((session) => void (briefly = listen(left, session)));
    left.site.clock.advance(MINUTE);
    // By then the store has been read for what happened before it gave notices.
    await until(() => briefly.length > 0);
    let told: SessionEnd[] = [];
    await left.visitor.clone().visit(async (session) => {
      await left.visitor.visit(destroy);
      await until(() => left.told.length > 0);
      told = listen(left, session);
    });
    await until(() => told.length > 0);
    expect(told).toEqual(["destroyed"]);
  });

  test("watches a new session once it is stored", async () => {
    const left = await leave(create, {}, doNothing, write);
    expect(left.told).toEqual([]);
    await left.visitor.visit(destroy);
    await expectEnd(left, "destroyed");
  });

  test("calls the listener of a session that its handler has emptied", async () => {
    await expectEnd(await leave(create, {}, write, (session) => delete session["n"]), "destroyed");
  });

  test("calls nobody once it was stopped", async () => {
    const left = await leave(create);
    const later = listen(left, left.session);
    left.stop();
    await left.visitor.visit(destroy);
    await until(() => later.length > 0);
    expect(left.told).toEqual([]);
  });

  test("X6: keeps a listener if an earlier one is removed twice", async () => {
    const { site, visitor } = await leave(create);
    let told: SessionEnd[] = [];
    await visitor.visit((session) => {
      const stop = site.sessions.onEnd(session, doNothing);
      stop();
      told = listen({ site }, session);
      stop();
      session.regenerate();
    });
    await visitor.visit(destroy);
    await until(() => told.length > 0);
    expect(told).toEqual(["destroyed"]);
  });
});

describe.each(EVERY_STORE)("sessions.onEnd of several sessions, on %s", (_, create) => {
  test("calls the listeners of all sessions that revokeAll() ends, and not of the one that it spares", async () => {
    const one = await leave(create);
    const other = one.site.visitor();
    await other.visit(logIn);
    let told: SessionEnd[] = [];
    let handle = "";
    await other.visit((session) => {
      handle = readHandle(session);
      told = listen(one, session);
    });
    await one.site.sessions.revokeAll("Ann", { except: handle });
    await expectEnd(one, "destroyed");
    expect(told).toEqual([]);
  });

  test("calls the listener when a login beyond `maxPerUser` ends the session", async () => {
    const left = await leave(create, { maxPerUser: 1 });
    left.site.clock.advance(1_000);
    await left.site.visitor().visit(logIn);
    await expectEnd(left, "destroyed");
  });

  test("does not count its reads as use, nor restart the idle timeout by them", async () => {
    const left = await leave(create);
    const { sessions } = left.site;
    const [before] = await sessions.list("Ann");
    const { loads } = sessions.stats();
    left.site.clock.advance(20 * MINUTE);
    left.site.clock.advance(10 * MINUTE);
    await expectEnd(left, "expired");
    expect(sessions.stats().loads.count).toBe(loads.count);
    expect(before?.expiresAt).toBeLessThanOrEqual(left.site.clock.now());
  });
});

/** The same on a store in memory, which gives no notice of its own unless these methods do. */
async function leaveTapped(
  watchInterval = 0.05,
  methods: Partial<TappedStore> = {},
): Promise<Left & { readonly store: TappedStore }> {
  const left = await leave((now) => Object.assign(new TappedStore(now), methods), {
    watchInterval,
  });
  return { ...left, store: left.site.backend as TappedStore };
}

describe("sessions.onEnd", () => {
  test("reads the store again every `watchInterval` if the store does not notify", async () => {
    const left = await leaveTapped();
    left.store.inner.delete(readHandle(left.session));
    await expectEnd(left, "destroyed");
  });

  test("notices what others did from the session's own writes", async () => {
    for (const [reason, end] of [
      ["destroyed", (other: Session) => other.destroy()],
      ["superseded", (other: Session) => other.regenerate()],
    ] as const) {
      const left = await leaveTapped(60);
      await left.visitor.clone(left.site.another()).visit(end);
      expect(left.told).toEqual([]);
      expect(await left.session.save()).toBe(false);
      await expectEnd(left, reason);
    }
  });

  test("reports as expired a session that its own write finds expired", async () => {
    const left = await leaveTapped(60);
    left.site.clock.advance(30 * MINUTE);
    expect(await left.session.save()).toBe(false);
    await expectEnd(left, "expired");
  });

  test("calls the listener of a session that has ended already", async () => {
    const left = await leaveTapped(60);
    await left.visitor.clone(left.site.another()).visit(destroy);
    await left.session.save();
    const told = listen(left, left.session);
    await until(() => told.length > 0);
    expect(told).toEqual(["destroyed"]);
  });

  test("X6: ends nothing while the store fails, and notices ends afterwards", async () => {
    const left = await leaveTapped();
    left.store.break("read");
    left.store.inner.delete(readHandle(left.session));
    left.site.clock.advance(30 * MINUTE);
    await until(() => left.site.of("failed").length >= 2);
    expect(left.site.of("failed")[0]).toMatchObject({ operation: "watch" });
    expect(left.told).toEqual([]);
    left.store.mend();
    await expectEnd(left, "expired");
  });

  test("X6: reads again before it reports as expired a session that was used elsewhere", async () => {
    const left = await leaveTapped(60);
    const there = left.visitor.clone(left.site.another());
    left.site.clock.advance(20 * MINUTE);
    await there.visit((other) => other.meta.userId);
    const reads = left.store.calls.length;
    left.site.clock.advance(20 * MINUTE);
    await until(() => left.store.calls.length > reads);
    left.site.clock.advance(10 * MINUTE);
    await expectEnd(left, "expired");
    expect(left.store.calls.slice(reads)).toEqual(["read", "read"]);
  });

  test("X6: judges a session by the time of the store call, however late the answer", async () => {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    let isHeld = false;
    const left = await leaveTapped(0.05, {
      async readTimes(ids) {
        const times = await left.store.inner.readTimes(ids);
        if (isHeld) {
          asked.resolve();
          await released.promise;
        }
        return times;
      },
    });
    isHeld = true;
    await asked.promise;
    left.site.clock.advance(20 * MINUTE);
    await left.visitor.visit(write);
    left.site.clock.advance(20 * MINUTE);
    isHeld = false;
    released.resolve();
    await Bun.sleep(0);
    expect(left.told).toEqual([]);
    await left.visitor.visit(destroy);
    await expectEnd(left, "destroyed");
  });

  test("X6: keeps watching a session whose own rotation is visible in the store before it is acknowledged", async () => {
    const left = await leaveTapped();
    const { store, visitor } = left;
    let told: SessionEnd[] = [];
    const answered = Promise.withResolvers<void>();
    const rotate = store.inner.rotate.bind(store.inner);
    store.inner.rotate = ((...args: Parameters<typeof rotate>) => {
      const isDone = rotate(...args);
      return answered.promise.then(() => isDone);
    }) as unknown as typeof rotate;
    const visit = visitor.visit((session) => {
      told = listen(left, session);
      session.regenerate();
    });
    // The other one that has it open is told by the store's own notes: the id has been superseded.
    await left.site.another().list("Ann");
    const reads = store.calls.length;
    await until(() => store.calls.slice(reads).filter((call) => call === "read").length >= 2);
    answered.resolve();
    await visit;
    await expectEnd(left, "superseded");
    expect(told).toEqual([]);
    await visitor.visit(destroy);
    await until(() => told.length > 0);
    expect(told).toEqual(["destroyed"]);
  });

  test("subscribes to the store's notices while something is watched, and no longer", async () => {
    const listeners = new Set<EndListener>();
    const left = await leaveTapped(0.05, {
      watchEnds: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    });
    const { store } = left;
    await until(() => listeners.size === 1);
    left.stop();
    await until(() => listeners.size === 0);
    const calls = store.calls.length;
    let session: Session | undefined;
    await left.visitor.visit((again) => void (session = again));
    const told = listen(left, session as Session);
    await until(() => listeners.size === 1);
    expect(store.calls.length).toBe(Number(calls) + 1);
    store.inner.delete(readHandle(session as Session));
    for (const listener of listeners) listener();
    await until(() => told.length > 0);
    await left.site.sessions.close();
    expect(listeners.size).toBe(0);
  });

  test("subscribes again to a store that failed to at first", async () => {
    let attempts = 0;
    const left = await leaveTapped(0.05, {
      watchEnds: () => {
        attempts++;
        if (attempts === 1) throw new Error("There is no connection.");
        return undefined;
      },
    });
    await until(() => attempts === 2);
    expect(left.site.of("failed")).toMatchObject([
      { operation: "watch", error: { message: "There is no connection." } },
    ]);
  });

  test("subscribes again to a store that has failed once it answers", async () => {
    let [attempts, stopped] = [0, 0];
    const left = await leaveTapped(0.05, {
      watchEnds: () => {
        attempts++;
        return () => void stopped++;
      },
    });
    const { store } = left;
    store.break("read");
    await until(() => stopped === 1);
    expect(attempts).toBe(1);
    store.mend();
    await until(() => attempts === 2);
    expect(stopped).toBe(1);
    await left.site.sessions.close();
    await until(() => stopped === 2);
    left.site.sessions.onEnd(left.session, () => undefined);
    expect(attempts).toBe(2);
  });

  test("reports once a subscription that fails after watching has stopped", async () => {
    const failure = new Error("There is no connection.");
    const { promise, reject } = Promise.withResolvers<undefined>();
    const left = await leaveTapped(0.05, { watchEnds: () => promise });
    await left.site.sessions.close();
    reject(failure);
    await until(() => left.site.of("failed").length > 0);
    await Bun.sleep(0);
    expect(left.site.of("failed")).toMatchObject([{ operation: "watch", error: failure }]);
  });

  test("reports a store that fails to unsubscribe", async () => {
    const failure = new Error("The connection is gone.");
    const left = await leaveTapped(0.05, {
      watchEnds: () => {
        return () => Promise.reject(failure);
      },
    });
    await left.site.sessions.close();
    await until(() => left.site.of("failed").length > 0);
    expect(left.site.of("failed")).toMatchObject([{ operation: "watch", error: failure }]);
  });

  test("reads many sessions in batches, and finds the ended ones in each", async () => {
    const site = new Site((now) => new TappedStore(now), { watchInterval: 0.05 });
    const told: string[] = [];
    const handles = await Promise.all(
      Array.from({ length: 250 }, async () => {
        const visitor = site.visitor();
        await visitor.visit((session) => (session["n"] = 1));
        const response = await visitor.visit((session) => {
          const handle = readHandle(session);
          site.sessions.onEnd(session, () => told.push(handle));
          return handle;
        });
        return (await response.json()) as string;
      }),
    );
    const ended = handles.filter((_, index) => index % 60 === 0);
    for (const handle of ended) site.backend.inner.delete(handle);
    await until(() => told.length >= ended.length);
    expect(told.toSorted()).toEqual(ended.toSorted());
  });

  test("does not read again while the store says that no other process has written", async () => {
    let [writes, asked] = [1, 0];
    const left = await leaveTapped(0.05, {
      foreignWrites: () => {
        asked++;
        if (asked % 7 === 0) throw new Error("The disk is gone.");
        return writes;
      },
    });
    const { store } = left;
    const reads = (): number => store.calls.filter((call) => call === "read").length;
    const before = reads();
    await until(() => asked >= 6);
    // Once, because the session may have ended before it was watched.
    expect(reads()).toBe(before + 1);
    store.inner.delete(readHandle(left.session));
    writes++;
    await expectEnd(left, "destroyed");
  });

  test("reports a listener that throws, and calls the others", async () => {
    using error = quiet("error");
    const left = await leaveTapped();
    const failure = new Error("oops");
    left.site.sessions.onEnd(left.session, () => {
      throw failure;
    });
    left.site.sessions.onEnd(left.session, (() => Promise.reject(failure)) as () => void);
    const told = listen(left, left.session);
    await left.visitor.visit(destroy);
    await until(() => told.length > 0 && error.mock.calls.length === 2);
    expect(error.mock.calls).toEqual([
      ["A listener of sessions.onEnd() threw:", failure],
      ["A listener of sessions.onEnd() threw:", failure],
    ]);
  });

  test("refuses what is no session", () => {
    const site = new Site((now) => new TappedStore(now));
    expect(() => site.sessions.onEnd({} as Session, () => undefined)).toThrow(
      "This is not a session",
    );
  });

  test.each([0, -1, Number.NaN])("refuses a `watchInterval` of %p", (watchInterval) => {
    expect(() => new Site((now) => new TappedStore(now), { watchInterval })).toThrow(
      `\`watchInterval\` is ${watchInterval}; it has to be a number above 0. Leave it out for 5.`,
    );
  });
});
