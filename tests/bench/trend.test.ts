import { describe, expect, test } from "bun:test";

import type { TimedReading } from "../../bench/soak/reading.ts";
import { findSlope, findTrends } from "../../bench/soak/trend.ts";

const LATENESS = { p50: 0.1, p99: 2, max: 5 };
const QUIET = { rss: 70, heap: 5, descriptors: 20, timers: 2, ...LATENESS, idle: LATENESS };

/** An hour of readings, one each minute. */
function hour(at: (minute: number) => Partial<TimedReading>): TimedReading[] {
  return Array.from({ length: 61 }, (_, minute) => ({ minute, ...QUIET, ...at(minute) }));
}

/** The measures that are said to grow. */
function growing(readings: readonly TimedReading[]): string[] {
  return findTrends(readings, false)
    .filter(({ isFlat }) => isFlat === false)
    .map(({ name }) => name);
}

describe("findSlope", () => {
  test("returns the slope of a line", () => {
    expect(findSlope([1, 2, 3, 7].map((x) => [x, 2 * x + 1]))).toBe(2);
  });

  test("is not affected by outliers", () => {
    const points = Array.from({ length: 50 }, (_, x) => [x, x % 7 === 0 ? 1_000 - x : 5] as const);
    expect(findSlope(points)).toBe(0);
  });

  test("refuses a single point", () => {
    expect(() => findSlope([[1, 1]])).toThrow("two points");
  });
});

describe("the verdict of a soak", () => {
  test("is flat for noise", () => {
    expect(growing(hour((minute) => ({ rss: 70 + (minute % 5), timers: minute % 4 })))).toEqual([]);
  });

  test.each([
    ["resident memory", "rss", 80],
    ["heap", "heap", 15],
    ["file descriptors", "descriptors", 12],
    ["timers", "timers", 25],
    ["lag, p50, above an idle process's", "p50", 8],
  ] as const)("notices that %s grows", (name, measure, growth) => {
    const readings = hour((minute) => ({ [measure]: 20 + (growth * minute) / 60 }));
    expect(growing(readings)).toEqual([name]);
  });

  test("does not blame the server for a machine that slows down", () => {
    const readings = hour((minute) => ({
      p50: minute,
      idle: { ...LATENESS, p50: minute },
    }));
    expect(growing(readings)).toEqual([]);
  });

  test("ignores, on a busy machine, measures that depend on the machine", () => {
    const readings = hour((minute) => ({ p50: minute, rss: 20 + 2 * minute }));
    const trends = findTrends(readings, true);
    expect(trends.filter(({ isFlat }) => isFlat === false).map(({ name }) => name)).toEqual([
      "resident memory",
    ]);
    expect(trends.at(-1)?.isFlat).toBeUndefined();
  });
});
