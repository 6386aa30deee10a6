import { describe, expect, test } from "bun:test";

import { median, ratioOf, toFigure } from "../../bench/statistics.ts";

const samples = (...times: number[]) =>
  times.map((microseconds) => ({ microseconds, perSecond: 1, handled: 1 }));

describe("median", () => {
  test("returns the middle one, or the mean of the two in the middle", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe("toFigure", () => {
  test("returns the lowest and the median of the rounds", () => {
    expect(toFigure(samples(5, 4, 9))).toEqual({ lowest: 4, median: 5 });
    expect(toFigure([])).toEqual({ lowest: NaN, median: NaN });
  });
});

describe("ratioOf", () => {
  test("compares within each round, so that a slow round cancels out", () => {
    expect(ratioOf(samples(2, 20, 4), samples(1, 10, 1))).toEqual({
      median: 2,
      lowest: 2,
      highest: 4,
    });
  });

  test("leaves out rounds in which the other was not measured", () => {
    expect(ratioOf(samples(2, 20), samples(1)).highest).toBe(2);
    expect(ratioOf(samples(2), []).median).toBeNaN();
  });
});
