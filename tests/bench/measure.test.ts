import { describe, expect, test } from "bun:test";

import { checkHandled } from "../../bench/measure.ts";
import { checkEvent, compareSums } from "../../bench/workloads.ts";

const pages = (...visits: number[]): string[] =>
  visits.map((count) => `You have visited ${count} times.`);

describe("compareSums", () => {
  test("finds no fault if a counter has each run of the handler", () => {
    expect(compareSums(pages(10, 11), 21)).toEqual({ faults: [], lost: 0 });
  });

  test.each([
    ["a visit is lost", pages(10, 10)],
    ["a visit is counted twice", pages(11, 11)],
    ["a session is shown something else", [...pages(21), "503 Sessions are unavailable."]],
  ])("finds a fault if %s", (_, answers) => {
    expect(compareSums(answers, 21).faults).toHaveLength(1);
  });

  test("returns the share of lost visits", () => {
    expect(compareSums(pages(10, 5), 20).lost).toBe(0.25);
  });
});

describe("checkEvent", () => {
  test("finds a fault unless every run of the handler has emitted one event", () => {
    expect(checkEvent({ handled: 2, events: { created: 2 } }, "created").faults).toEqual([]);
    expect(checkEvent({ handled: 2, events: { created: 3 } }, "created").faults).toHaveLength(1);
    expect(checkEvent({ handled: 2, events: {} }, "created").faults).toHaveLength(1);
  });
});

describe("checkHandled", () => {
  test.each([
    ["as often as answers were counted", 100, false, 0],
    ["also for requests that wrk cut off", 110, false, 0],
    ["more often than connections can account for", 111, false, 1],
    ["less often than answers were counted", 99, false, 1],
    ["less often at the end of a list", 90, true, 0],
    ["much less often at the end of a list", 89, true, 1],
  ])("judges a handler that ran %s", (_, handled, once, faults) => {
    expect(checkHandled({ requests: 100 }, handled, 10, once)).toHaveLength(faults);
  });
});
