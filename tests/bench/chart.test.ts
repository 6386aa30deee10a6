import { expect, test } from "bun:test";

import { parseHTML } from "linkedom";

import { drawBars, drawLines } from "../../bench/chart.ts";

function readTexts(svg: string): string[] {
  const { document } = parseHTML(svg);
  return [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "");
}

const bar = (label: string, group: string, value: number) => ({
  label,
  group,
  value,
  part: value / 2,
  isOurs: label === "Bunpie",
});

test("a bar chart shows its groups, the shortest bar of each first, in light and dark", () => {
  const svg = drawBars([
    bar("<slow>", "memory", 90),
    bar("Bunpie", "memory", 9),
    bar("x", "Redis", 150),
  ]);
  const texts = readTexts(svg);
  expect(texts).toContainValues(["memory", "Redis", "9.00", "90.0", "150"]);
  expect(texts.indexOf("Bunpie")).toBeLessThan(texts.indexOf("<slow>"));
  expect(svg).toContain("prefers-color-scheme: dark");
  expect(svg).not.toMatch(/NaN|undefined/);
});

test("a bar far longer than all others is cut off, and shows its value", () => {
  const svg = drawBars([bar("a", "memory", 10), bar("b", "memory", 20), bar("c", "memory", 900)]);
  expect(readTexts(svg)).toContainValues(["10.0", "20.0", "→ 900"]);
});

test("a line chart has a line for each store, and their names do not overlap", () => {
  const points = [1, 8, 1_024].map((x) => ({ x, y: 5 + x / 10_000 }));
  const lines = ["memory", "SQLite", "Redis"].map((name) => ({ name, points }));
  const chart = { title: "Growth", subtitle: "µs", x: "sessions", y: "µs", lines };
  for (const isLogarithmic of [false, true]) {
    const svg = drawLines({ ...chart, isLogarithmic });
    expect(readTexts(svg)).toContainValues(["1", "8", "1,024"]);
    expect(svg).not.toMatch(/NaN|undefined/);
    const { document } = parseHTML(svg);
    expect(document.querySelectorAll('[aria-label="line"] path')).toHaveLength(3);
    const places = ["memory", "SQLite", "Redis"].map((name) => {
      const label = [...document.querySelectorAll('[aria-label="text"] text')].find(
        ({ textContent }) => textContent === name,
      );
      const moved = /translate\([^,]+,([-\d.]+)\)/;
      const [own, group] = [label, label?.parentElement].map((each) =>
        Number(moved.exec(each?.getAttribute("transform") ?? "")?.[1] ?? 0),
      );
      return (own ?? 0) + (group ?? 0);
    });
    const sorted = places.toSorted((one, other) => one - other);
    expect((sorted[1] ?? 0) - (sorted[0] ?? 0)).toBeGreaterThan(12);
    expect((sorted[2] ?? 0) - (sorted[1] ?? 0)).toBeGreaterThan(12);
  }
});
