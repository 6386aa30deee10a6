import { describe, expect, test } from "bun:test";

import { toFigures, toRow } from "../../bench/inprocess/report.ts";

describe("toFigures", () => {
  const times = new Map([
    ["by hand", [2, 1, 5]],
    ["App", [4, 1.5, 10, 3]],
  ]);

  test("returns the lowest and the median time of each contestant", () => {
    expect(toFigures(times, "by hand").get("by hand")).toEqual({ lowest: 1, median: 2, ratio: 1 });
  });

  test("returns the lowest time as a multiple of the base's", () => {
    expect(toFigures(times, "by hand").get("App")).toEqual({ lowest: 1.5, median: 4, ratio: 1.5 });
  });
});

describe("toRow", () => {
  test.each([
    ["met", 1.5, "met"],
    ["missed by less than the table shows", 1.4999, "missed"],
    ["missing", undefined, ""],
  ])("says that a target is %s", (_, target, verdict) => {
    expect(toRow({ lowest: 1.5, median: 2, ratio: 1.5 }, target)).toMatchObject({
      "lowest, µs": "1.50",
      "× by hand": "1.50",
      "": verdict,
    });
  });
});
