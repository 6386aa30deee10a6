import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

import type { SessionEvent } from "../../src/session/events.ts";
import { EventLog } from "../../src/session/events.ts";
import { FAILING } from "../support/failing.ts";

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

  test("counts each kind of event, from 0", () => {
    const log = new EventLog(undefined);
    expect(Object.values(log.counts)).toEqual(Array<number>(11).fill(0));
    log.emit(CREATED);
    log.emit(CREATED);
    log.emit({ type: "rejected", reason: "unknown" });
    expect(log.counts).toMatchObject({ created: 2, rejected: 1, expired: 0 });
  });

  test("counts sessions, not calls, if one event covers several", () => {
    const log = new EventLog(undefined);
    log.emit({ type: "swept", count: 500 });
    log.emit({ type: "destroyed", handles: ["a", "b", "c"], userId: "ann", count: 3 });
    expect(log.counts).toMatchObject({ swept: 500, destroyed: 3 });
  });

  test("returns a copy of its counts", () => {
    const log = new EventLog(undefined);
    const before = log.counts;
    log.emit(CREATED);
    expect(before.created).toBe(0);
  });

  test("publishes every event on the channel bunpie:session", () => {
    const seen: unknown[] = [];
    const listen = (event: unknown): void => void seen.push(event);
    subscribe("bunpie:session", listen);
    new EventLog(undefined).emit(CREATED);
    unsubscribe("bunpie:session", listen);
    expect(seen).toEqual([CREATED]);
  });

  test.each(FAILING)("reports an observer that %s, and goes on", async (_, fail) => {
    const reported = Promise.withResolvers<unknown[]>();
    spyOn(console, "error").mockImplementation((...args) => reported.resolve(args));
    const log = new EventLog(() => fail(new Error("no")));
    log.emit(CREATED);
    expect(log.counts.created).toBe(1);
    expect(await reported.promise).toEqual([
      'onEvent failed for the event "%s":',
      "created",
      new Error("no"),
    ]);
  });
});
