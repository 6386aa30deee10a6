import { describe, expect, test } from "bun:test";

import { checkCounters } from "../../bench/measure.ts";

const pages = (...visits: number[]): string[] =>
  visits.map((count) => `You have visited ${count} times.`);

/** One load, of which wrk counted so many answers. */
const load = (requests: number) => [{ requests, perSecond: 1, faults: [] }];

describe("checkCounters", () => {
  // Two sessions: two requests to establish them, two to read them.
  test("finds no fault if each run of the handler is in a counter, those that wrk cut off too", () => {
    expect(checkCounters(pages(10, 11), 21, load(17)).faults).toEqual([]);
    expect(checkCounters(pages(110, 111), 221, load(17)).faults).toEqual([]);
  });

  test.each([
    ["a visit is lost", pages(10, 10), 21, 17],
    ["a visit is counted twice", pages(11, 11), 21, 17],
    ["a session is shown something else", [...pages(21), "503 Sessions are unavailable."], 21, 17],
    ["wrk counted more answers than the handler gave", pages(10, 11), 21, 18],
    ["the handler ran more often than connections can account for", pages(110, 112), 222, 17],
  ])("finds a fault if %s", (_, answers, handled, counted) => {
    expect(checkCounters(answers, handled, load(counted)).faults).toHaveLength(1);
  });
});
