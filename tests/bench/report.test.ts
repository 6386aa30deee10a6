import { describe, expect, test } from "bun:test";

import type { Contestant } from "../../bench/contestants.ts";
import { figuresOf, tableOf } from "../../bench/report.ts";

const contestant = (name: string, ratio?: number): Contestant => ({
  name,
  work: "a counter",
  server: "bunpie",
  storage: "memory",
  path: "/",
  ...(ratio === undefined ? {} : { target: { ratio, of: "hello" } }),
});

const samples = (name: string, ...times: number[]) =>
  times.map((microseconds) => ({
    contestant: name,
    microseconds,
    requests: 1,
    perSecond: 1,
    rss: 1,
    verdict: "",
    faults: [],
  }));

/** The cells of the table's row about this contestant. */
function rowOf(table: string, name: string): string[] {
  const row = table.split("\n").find((line) => line.startsWith(`| ${name} `)) ?? "";
  return row.split("|").map((cell) => cell.trim());
}

describe("figuresOf", () => {
  test("gives the lowest time of each contestant, and by what part the highest exceeds it", () => {
    const figures = figuresOf([...samples("hello", 5, 4, 6), ...samples("memory", 8)]);
    expect(figures.get("hello")).toEqual({ lowest: 4, spread: 0.5 });
    expect(figures.get("memory")).toEqual({ lowest: 8, spread: 0 });
  });
});

describe("tableOf", () => {
  test.each([
    ["met", 1.5, "met"],
    ["missed by less than the table shows", 1.4999, "missed"],
  ])("says that a target is %s", (_, target, verdict) => {
    const figures = figuresOf([...samples("hello", 4), ...samples("memory", 6)]);
    const table = tableOf([contestant("hello"), contestant("memory", target)], figures);
    expect(rowOf(table, "memory")).toContain(verdict);
  });

  test("says that a target was not measured if what it is a multiple of was not", () => {
    const table = tableOf([contestant("memory", 1.2)], figuresOf(samples("memory", 6)));
    expect(rowOf(table, "memory")).toContain("not measured");
  });
});
