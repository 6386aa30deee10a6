import { describe, expect, test } from "bun:test";

import { findRatio, median, toFigure } from "../../bench/statistics.ts";

const samples = (...times: number[]) =>
  times.map((microseconds) => ({ microseconds, perSecond: 1, handled: 1 }));

describe("median", () => {
  test("returns the middle one, or the mean of the middle two", () => {
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

describe("findRatio", () => {
  test("compares within each round, so that a slow round cancels out", () => {
    expect(findRatio(samples(2, 20, 4), samples(1, 10, 1))).toEqual({
      median: 2,
      lowest: 2,
      highest: 4,
    });
  });

  test("ignores rounds in which the other was not measured", () => {
    expect(findRatio(samples(2, 20), samples(1)).highest).toBe(2);
    expect(findRatio(samples(2), []).median).toBeNaN();
  });
});
