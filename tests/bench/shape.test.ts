import { describe, expect, test } from "bun:test";

import { describeShape, findShape } from "../../bench/shape.ts";

const XS = [1, 10, 100, 1_000];
const curve = (toY: (x: number) => number) => XS.map((x) => ({ x, y: toY(x) }));

describe("findShape", () => {
  test.each([
    ["falling", (x: number) => 100 / (1 + Math.log10(x))],
    ["flat", (x: number) => 10 + Math.log10(x) / 2],
    ["rising", (x: number) => 10 * (1 + Math.log10(x))],
    ["proportional", (x: number) => 3 * x],
    ["steeper", (x: number) => x * x],
  ] as const)("recognizes a curve that is %s", (kind, toY) => {
    expect(findShape(curve(toY)).kind).toBe(kind);
  });

  test("finds the fixed cost and the cost per unit", () => {
    const { fixed, perUnit } = findShape(curve((x) => 12 + 0.5 * x));
    expect(fixed).toBeCloseTo(12);
    expect(perUnit).toBeCloseTo(0.5);
  });

  test("refuses a single point", () => {
    expect(() => findShape([{ x: 1, y: 1 }])).toThrow("two points");
  });
});

describe("describeShape", () => {
  const rising = curve((x) => 10 * (1 + Math.log10(x)));

  test("says what was measured, and the known reason", () => {
    expect(
      describeShape("SQLite", "sessions", rising, { rising: "because trees get deeper" }),
    ).toBe(
      "**SQLite**: from 1 to 1,000 sessions, the cost grows 4.00 × where the work grows 1,000 × " +
        "(10.0 to 40.0 µs), because trees get deeper.",
    );
  });

  test("says that a shape without a known reason is unexpected", () => {
    expect(describeShape("SQLite", "sessions", rising, {})).toContain("not expected");
  });
});
