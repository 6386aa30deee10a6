import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";

import { PendingCalls } from "../../src/store/pending-calls.ts";
import { pass } from "../support/timers.ts";

const TIMEOUT = 50;

describe("PendingCalls", () => {
  const times = { totalTime: 0, maxTime: 0 };
  /** The calls that failed, in order. */
  let failed: string[] = [];
  let onFailure: (() => void) | undefined;
  let calls: PendingCalls<string>;

  beforeEach(() => {
    jest.useFakeTimers();
    Object.assign(times, { totalTime: 0, maxTime: 0 });
    failed = [];
    onFailure = undefined;
    calls = new PendingCalls(TIMEOUT, (name, cause) => {
      failed.push(name);
      onFailure?.();
      return new Error(`${name}: ${(cause as Error).message}`);
    });
  });
  afterEach(() => jest.useRealTimers());

  /** Makes a call that the store answers after `delay` milliseconds, or never. */
  function call(name: string, delay: number): Promise<unknown> {
    const answer = new Promise((resolve) => {
      if (delay < Infinity) setTimeout(() => resolve(name), delay);
    });
    return calls.wait(name, times, answer).catch(String);
  }

  test("fails each call at its own time, whatever became of those before it", async () => {
    const answers = [call("answered", 10), call("first", 70)];
    await pass(30);
    answers.push(call("second", 70), call("third", 40));
    await pass(TIMEOUT - 30);
    expect(failed).toEqual(["first"]);
    await pass(29);
    expect(failed).toEqual(["first"]);
    await pass(1);
    expect(failed).toEqual(["first", "second"]);
    expect(await Promise.all(answers)).toEqual([
      "answered",
      "Error: first: No answer after 50 ms.",
      "Error: second: No answer after 50 ms.",
      "third",
    ]);
  });

  test("counts the time until the answer or the failure", async () => {
    const answers = [call("one", 10), call("other", 70)];
    await pass(TIMEOUT);
    await Promise.all(answers);
    expect(times).toEqual({ totalTime: 60, maxTime: 50 });
  });

  test("has no timer while no call is pending, which would keep the process alive", async () => {
    const answer = call("answered", 10);
    await pass(10);
    await answer;
    expect(jest.getTimerCount()).toBe(0);
    void call("late", 2 * TIMEOUT);
    await pass(2 * TIMEOUT);
    expect(failed).toEqual(["late"]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("has one timer after a call was made while another one failed", async () => {
    onFailure = () => {
      onFailure = undefined;
      void call("next", Infinity);
    };
    void call("late", Infinity);
    await pass(TIMEOUT);
    expect(failed).toEqual(["late"]);
    expect(jest.getTimerCount()).toBe(1);
    await pass(TIMEOUT);
    expect(failed).toEqual(["late", "next"]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
