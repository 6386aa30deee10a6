import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";

import type { SessionEvent } from "../../src/session/events.ts";
import { EventLog } from "../../src/session/events.ts";

const CREATED: SessionEvent = { type: "created", handle: "h", userId: null };

afterEach(() => {
  mock.restore();
});

describe("EventLog", () => {
  test("passes every event on", () => {
    const seen: SessionEvent[] = [];
    new EventLog((event) => seen.push(event)).emit(CREATED);
    expect(seen).toEqual([CREATED]);
  });

  test("counts each kind of event, and begins with none of any", () => {
    const log = new EventLog(undefined);
    expect(log.stats()).toEqual({
      created: 0,
      rotated: 0,
      destroyed: 0,
      expired: 0,
      rejected: 0,
      merged: 0,
      dropped: 0,
      swept: 0,
      failed: 0,
    });
    log.emit(CREATED);
    log.emit(CREATED);
    log.emit({ type: "rejected", reason: "unknown" });
    expect(log.stats()).toMatchObject({ created: 2, rejected: 1, expired: 0 });
  });

  test("counts sessions, not calls, where an event is about several", () => {
    const log = new EventLog(undefined);
    log.emit({ type: "swept", count: 500 });
    log.emit({ type: "destroyed", handle: null, userId: "ann", count: 3 });
    expect(log.stats()).toMatchObject({ swept: 500, destroyed: 3 });
  });

  test("gives a copy of its counts", () => {
    const log = new EventLog(undefined);
    log.stats().created = 99;
    expect(log.stats().created).toBe(0);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("reports an observer that %s, and goes on", async (_, observer) => {
    const reported = Promise.withResolvers<unknown[]>();
    spyOn(console, "error").mockImplementation((...args) => reported.resolve(args));
    const log = new EventLog(observer);
    log.emit(CREATED);
    expect(log.stats().created).toBe(1);
    expect(await reported.promise).toEqual([
      'onEvent threw while it was told of "%s":',
      "created",
      new Error("no"),
    ]);
  });
});
