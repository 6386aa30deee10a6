import { describe, expect, test } from "bun:test";

import { formatNumber, toTable } from "../../bench/report.ts";

describe("formatNumber", () => {
  test.each([
    [0.456, "0.46"],
    [45.67, "45.7"],
    [4_567.8, "4,568"],
    [NaN, "–"],
  ])("formats %p with significant digits only", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe("toTable", () => {
  test("pads the cells of each column to the same width", () => {
    expect(toTable(["", "µs"], [["memory", "9.3"]])).toBe(
      "|        | µs  |\n| ------ | --- |\n| memory | 9.3 |",
    );
  });
});
