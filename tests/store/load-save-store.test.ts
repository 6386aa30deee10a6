import { afterEach, beforeEach, describe, expect, jest, mock, spyOn, test } from "bun:test";

import { hashId } from "../../src/session/id.ts";
import type { SessionBackend, SessionData } from "../../src/store/backend.ts";
import { LoadSaveStore } from "../../src/store/load-save-store.ts";
import type { ForwardingNote, SessionRecord } from "../../src/store/record.ts";
import { NEW_RECORD } from "../../src/store/record.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import type { Contract } from "../../src/testing/contract.ts";
import { describeContract } from "../../src/testing/contract.ts";
import { makeRecord } from "../../src/testing/records.ts";
import { SESSION_STORE } from "../../src/testing/store-contract.ts";
import type { StoreTrial } from "../../src/testing/store-trial.ts";
import { beginTrial } from "../../src/testing/trial.ts";
import { FakeClock } from "../support/clock.ts";
import { quietEach } from "../support/quiet.ts";
import { AsyncMapBackend, MapBackend, PAIRS } from "../support/stores/backends.ts";
import { begin, Site } from "../support/stores/site.ts";
import { pass } from "../support/timers.ts";
import type { Page } from "../support/visitor.ts";

const MINUTE = 60_000;

/** A record of ten minutes that begins now. */
function record(clock: FakeClock, facts: Partial<SessionRecord> = {}): SessionRecord {
  return makeRecord({ expiresAt: clock.now() + 10 * MINUTE, ...facts }, clock.now());
}

/** The note under an id that was rotated just now. */
function makeNote(clock: FakeClock): ForwardingNote {
  return { supersededBy: "new", expiresAt: clock.now() + 30_000 };
}

const SUBJECTS = /^SessionStore(?:\.(?:read|create|replace|rotate|touch|delete))?$|^ForwardingNote/;
const OF_USERS = /`(?:list|deleteAll)`|^Takes the clock/;
/** `load` hides what has expired by the backend's clock. */
const OF_CLOCKS = /^by another process's clock/;

/** What the contract of stores says of sessions and of notes in one process. The rest is about users. */
const CONTRACT: Contract<StoreTrial> = Object.fromEntries(
  Object.entries(SESSION_STORE)
    .filter(([subject]) => SUBJECTS.test(subject))
    .map(([subject, sentences]) => {
      const meant = Object.entries(sentences).filter(
        ([sentence]) => !OF_USERS.test(sentence) && !OF_CLOCKS.test(sentence),
      );
      return [subject, Object.fromEntries(meant)];
    }),
);

describe.each(PAIRS)("LoadSaveStore, on %s", (_, create) => {
  describeContract(CONTRACT, () =>
    beginTrial<SessionStore>((now) => new LoadSaveStore(create(now), now)),
  );

  test.each([
    ["L6: keeps a destroyed session destroyed", false],
    ["B3: keeps a note, and its id ended after that", true],
  ])("%s, even if something else saves it again", async (__, isRotated) => {
    const clock = new FakeClock();
    const backend = create(clock.now);
    const store = new LoadSaveStore(backend, clock.now);
    const [old, next] = [record(clock), record(clock, { version: 2 })];
    await store.create("old", old);
    await (isRotated ? store.rotate("old", "new", next, old) : store.delete("old"));
    const note = isRotated ? makeNote(clock) : undefined;
    await backend.save("old", { late: 1 }, 60 * 60);
    clock.advance(29_999);
    expect(await store.read("old")).toEqual(note);
    clock.advance(1);
    for (let minutes = 0; minutes < 59; minutes++) {
      expect(await store.read("old")).toBeUndefined();
      clock.advance(MINUTE);
    }
    expect(await store.delete("old")).toBeUndefined();
    expect(await store.create("old", record(clock))).toBe(true);
    expect(await store.read("old")).toEqual(record(clock));
  });
});

describe("LoadSaveStore", () => {
  test("returns synchronously if its backend does", () => {
    const clock = new FakeClock();
    const store = new LoadSaveStore(new MapBackend(clock.now), clock.now);
    expect(store.create("id", record(clock))).toBe(true);
    expect(store.rotate("id", "new", record(clock, { version: 2 }), record(clock))).toBe(true);
    expect(store.read("new")).toEqual(record(clock, { version: 2 }));
    expect(store.read("id")).toEqual(makeNote(clock));
  });

  test("keeps the facts under `$` in the data, for as long as the session lives", () => {
    const clock = new FakeClock();
    const backend = new MapBackend(clock.now);
    const save = spyOn(backend, "save");
    const whole = record(clock, { expiresAt: clock.now() + 1 });
    new LoadSaveStore(backend, clock.now).create("id", whole);
    const { data: _, ...$ } = whole;
    expect(save.mock.calls).toEqual([["id", { visits: 1, $ }, 1]]);
  });

  test("deletes by saving nothing, with a timeout of 0", () => {
    const backend = { load: mock(), save: mock() };
    new LoadSaveStore(backend).delete("id");
    expect(backend.save.mock.calls).toEqual([["id", {}, 0]]);
  });

  test.each([
    ["a note", true],
    ["a destroyed session", false],
  ])("leaves %s unchanged if a delete fails", (_, isRotated) => {
    const clock = new FakeClock();
    const backend = new MapBackend(clock.now);
    const store = new LoadSaveStore(backend, clock.now);
    const old = record(clock);
    store.create("old", old);
    if (isRotated) store.rotate("old", "new", record(clock, { version: 2 }), old);
    else store.delete("old");
    const save = spyOn(backend, "save").mockImplementationOnce(() => {
      throw new Error("The disk is full.");
    });
    expect(() => store.delete("old")).toThrow("The disk is full.");
    save.mockRestore();
    backend.save("old", { late: 1 }, 60);
    expect(store.read("old")).toEqual(isRotated ? makeNote(clock) : undefined);
  });

  describe("after a delete that the backend has not answered in time", () => {
    const CUT = "The line is cut.";

    beforeEach(() => {
      jest.useFakeTimers();
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    async function setUpUnanswered() {
      const clock = new FakeClock();
      const backend = new MapBackend(clock.now);
      const store = new LoadSaveStore(backend, clock.now, 1_000);
      store.create("id", record(clock));
      const { promise, resolve: confirm, reject } = Promise.withResolvers<void>();
      const save = spyOn(backend, "save").mockImplementationOnce(() => promise as never);
      const first = Promise.resolve(store.delete("id")).catch(String);
      await pass(1_000);
      const fail = async (): Promise<void> => {
        reject(new Error(CUT));
        expect(await first).toContain(CUT);
      };
      return { clock, backend, store, save, confirm, fail };
    }

    test("L6: the next delete ends the session, even if an earlier write comes late", async () => {
      const { clock, backend, store, fail } = await setUpUnanswered();
      expect(await store.read("id")).toEqual(record(clock));
      expect(await store.delete("id")).toBeUndefined();
      await fail();
      backend.save("id", { late: 1 }, 60);
      expect(await store.read("id")).toBeUndefined();
    });

    test.each(["first", "last"])(
      "the session stays if all deletes fail, this one %s",
      async (order) => {
        const { clock, store, save, fail } = await setUpUnanswered();
        save.mockImplementationOnce(() => Promise.reject(new Error(CUT)) as never);
        if (order === "first") await fail();
        await expect(Promise.resolve(store.delete("id"))).rejects.toThrow(CUT);
        if (order === "last") await fail();
        expect(await store.read("id")).toEqual(record(clock));
      },
    );

    test("B3: a late confirmation leaves the note of a rotation that came first", async () => {
      const { clock, store, confirm } = await setUpUnanswered();
      await store.rotate("id", "new", record(clock, { version: 2 }), record(clock));
      confirm();
      await pass(0);
      expect(await store.read("id")).toEqual(makeNote(clock));
    });
  });

  test.each([{}, null, undefined])("treats %p as no session", (data) => {
    const backend = { load: () => data, save: () => undefined };
    expect(new LoadSaveStore(backend).read("id")).toBeUndefined();
  });

  test("sweeps nothing, because its backend expires sessions itself", () => {
    expect(new LoadSaveStore(new MapBackend()).sweep()).toBe(0);
  });
});

/** A visitor whose cookie is the id of a session that something else than Bunpie has saved. */
function setUpForeign<Backend extends SessionBackend>(create: (now: () => number) => Backend) {
  const site = new Site(create);
  const visitor = site.visitor();
  visitor.client.cookies.set("session_id", "A".repeat(43));
  return { site, visitor, key: hashId(visitor.id) };
}

describe("a session that was saved by something other than Bunpie", () => {
  test("is served, and becomes one of Bunpie's when it is first touched", async () => {
    const { site, visitor, key } = setUpForeign((now) => new MapBackend(now));
    site.backend.save(key, { a: 1 }, 60 * 60);
    expect(await visitor.look()).toEqual({ a: 1 });
    expect(site.backend.load(key)).toMatchObject({ a: 1, $: { createdAt: site.clock.now() } });
    await visitor.visit((session) => (session["b"] = 1));
    expect(await visitor.look()).toEqual({ a: 1, b: 1 });
  });

  const ring: SessionData = {};
  ring["self"] = ring;
  const now = new FakeClock().now();
  const times = { createdAt: now, touchedAt: now, expiresAt: now + MINUTE };
  const facts = { ...NEW_RECORD, ...times };

  test.each([
    ["a text", '{"a":1}'],
    ["an empty text", ""],
    ["a list", [1]],
    ["a number", 5],
    ["a function", () => 1],
    ["a BigInt in the data", { a: 1n }],
    ["a cycle", ring],
    ["a key of the session's own names", { save: 1 }],
    ["facts that are a number", { a: 1, $: 5 }],
    ["facts that are a text", { a: 1, $: "text" }],
    ["facts that are null", { a: 1, $: null }],
    ["no facts at all", { a: 1, $: {} }],
    ["facts of which one is missing", { a: 1, $: { ...facts, expiresAt: undefined } }],
    ["facts of which one is null", { a: 1, $: { ...facts, expiresAt: null } }],
    ["facts of which one is damaged", { a: 1, $: { ...facts, version: "1" } }],
    ["facts with a version below 0", { a: 1, $: { ...facts, version: -4 } }],
  ])("S2: counts as no session, and causes an event: %s", async (_, loaded) => {
    const load = (): SessionData => loaded as unknown as SessionData;
    const { site, visitor } = setUpForeign(() => ({ load, save: () => undefined }));
    expect(await visitor.look()).toEqual({});
    expect(site.events).toMatchObject([{ type: "failed", operation: "decode" }]);
  });

  test("is accepted if the backend drops null values", async () => {
    const { visitor } = setUpForeign(() => ({
      load: () => ({ a: 1, $: { version: 1, ...times } }),
      save: () => undefined,
    }));
    expect(await visitor.look()).toEqual({ a: 1 });
  });
});

async function setUpLate() {
  const { site, visitor } = await begin(
    (now) => new AsyncMapBackend(now),
    (session) => (session["a"] = 1),
    { storeTimeout: 500 },
  );
  const { backend } = site;
  const { promise, resolve: answer } = Promise.withResolvers<void>();
  /** The next load returns what is there now, but only when it is told to answer. */
  const delayNextLoad = (): void => {
    const loaded = backend.load(hashId(visitor.id));
    spyOn(backend, "load").mockImplementationOnce(() => promise.then(() => loaded));
  };
  return { site, visitor, delayNextLoad, answer };
}

const logIn: Page = (session) => session.login("ann");
const countUp: Page = (session) =>
  session.update((data) => (data["n"] = Number(data["n"] ?? 0) + 1));

describe.each(PAIRS)("two managers of one backend object, on %s", (_, create) => {
  async function setUpTwo() {
    const { site, visitor } = await begin(create, logIn);
    return { site, visitor, beside: visitor.clone(site.another({ backend: site.backend })) };
  }

  test("G6: lose no update()", async () => {
    const { visitor, beside } = await setUpTwo();
    await Promise.all([visitor, beside, visitor, beside].map((each) => each.visit(countUp)));
    expect(await visitor.look()).toEqual({ n: 4 });
  });

  test("L6: keep destroyed in one what the other has destroyed", async () => {
    const { site, visitor, beside } = await setUpTwo();
    const key = hashId(visitor.id);
    await visitor.clone().visit((session) => session.destroy());
    await site.backend.save(key, { late: 1 }, 60);
    expect(await beside.look()).toEqual({});
  });

  test("B3: find the forwarding note that the other has left", async () => {
    const { visitor, beside } = await setUpTwo();
    await visitor.visit(logIn);
    await beside.visit((session) => session.destroy());
    expect(await visitor.ask(({ meta }) => meta.userId)).toBeNull();
  });
});

describe("a two-method backend that answers after the timeout", () => {
  quietEach("error");

  test("S7: changes nothing that was acknowledged since", async () => {
    const { site, visitor, delayNextLoad, answer } = await setUpLate();
    const late = await visitor.visit((session) => {
      session["late"] = 1;
      delayNextLoad();
    });
    expect(late.status).toBe(503);
    await visitor.visit((session) => (session["a"] = 2));
    answer();
    await Bun.sleep(1);
    expect(await visitor.look()).toEqual({ a: 2 });
    expect(site.events.map(({ type }) => type)).toEqual(["created", "failed", "updated"]);
  });

  test("L6: does not bring back what was destroyed since, not even in another process", async () => {
    const { site, visitor, delayNextLoad, answer } = await setUpLate();
    const elsewhere = visitor.clone(site.another());
    await visitor.visit((session) => {
      session["late"] = 1;
      delayNextLoad();
    });
    await visitor.visit((session) => session.destroy());
    answer();
    await Bun.sleep(1);
    expect(await elsewhere.look()).toEqual({});
  });
});
