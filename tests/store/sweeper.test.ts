import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";

import { startSweeping } from "../../src/store/sweeper.ts";
import { settle } from "../support/timers.ts";

const MINUTE = 60_000;

/** Sweeps when it is told to, and counts. */
class Sweeper {
  count = 0;
  answer: () => Promise<number> = () => Promise.resolve(0);

  sweep(): Promise<number> {
    this.count++;
    return this.answer();
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe("startSweeping", () => {
  test("sweeps after the interval, plus or minus a tenth, and again after the next", async () => {
    const sweeper = new Sweeper();
    startSweeping(sweeper, MINUTE);
    jest.advanceTimersByTime(0.9 * MINUTE - 1);
    expect(sweeper.count).toBe(0);
    jest.advanceTimersByTime(0.2 * MINUTE + 1);
    expect(sweeper.count).toBe(1);
    await settle();
    jest.advanceTimersByTime(1.1 * MINUTE);
    expect(sweeper.count).toBe(2);
  });

  test("spreads the sweeps of several processes", () => {
    const sweepers = Array.from({ length: 50 }, () => new Sweeper());
    for (const sweeper of sweepers) startSweeping(sweeper, MINUTE);
    jest.advanceTimersByTime(MINUTE);
    const early = sweepers.filter(({ count }) => count === 1).length;
    expect(early).toBeWithin(5, 45);
  });

  test("waits for a sweep to end before it starts the next interval", async () => {
    const sweeper = new Sweeper();
    const { promise, resolve } = Promise.withResolvers<number>();
    sweeper.answer = () => promise;
    startSweeping(sweeper, MINUTE);
    jest.advanceTimersByTime(10 * MINUTE);
    expect(sweeper.count).toBe(1);
    resolve(0);
    await settle();
    jest.advanceTimersByTime(1.1 * MINUTE);
    expect(sweeper.count).toBe(2);
  });

  test("continues after a sweep that failed", async () => {
    const sweeper = new Sweeper();
    sweeper.answer = () => Promise.reject(new Error("The disk is gone."));
    startSweeping(sweeper, MINUTE);
    jest.advanceTimersByTime(1.1 * MINUTE);
    await settle();
    jest.advanceTimersByTime(1.1 * MINUTE);
    expect(sweeper.count).toBe(2);
  });

  test.each([
    ["of 0", 0],
    ["that is longer than a timer can be", 90 * 24 * 60 * MINUTE],
    ["until it is stopped", MINUTE],
  ])("does not sweep at once for an interval %s", (what, interval) => {
    const sweeper = new Sweeper();
    const stop = startSweeping(sweeper, interval);
    if (interval > MINUTE) jest.advanceTimersByTime(MINUTE);
    stop();
    jest.advanceTimersByTime(10 * MINUTE);
    expect([what, sweeper.count, jest.getTimerCount()]).toEqual([what, 0, 0]);
  });

  test("ends when it is stopped during a sweep", async () => {
    const sweeper = new Sweeper();
    const { promise, resolve } = Promise.withResolvers<number>();
    sweeper.answer = () => promise;
    const stop = startSweeping(sweeper, MINUTE);
    jest.advanceTimersByTime(1.1 * MINUTE);
    stop();
    resolve(0);
    await settle();
    expect(jest.getTimerCount()).toBe(0);
  });
});
