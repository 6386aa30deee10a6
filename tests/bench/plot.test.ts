import { expect, test } from "bun:test";

import { parseHTML } from "linkedom";

import { drawReadings } from "../../bench/soak/plot.ts";

const LATENESS = { p50: 0.1, p99: 2, max: 5 };
const READING = { rss: 70, heap: 5, descriptors: 20, timers: 2, ...LATENESS, idle: LATENESS };

test("the plot of a soak is one SVG with a line for each measure, in light and dark", () => {
  const readings = [1, 2, 3].map((minute) => Object.assign({ minute }, READING));
  const text = drawReadings(readings, "Soak, <memory>", "three readings", 1);
  expect(text.match(/<svg /g)).toHaveLength(1 + 4);
  expect(text).toContain("prefers-color-scheme: dark");
  expect(text).toContain("Soak, &lt;memory&gt;");
  expect(text).not.toMatch(/NaN|undefined/);
  const { document } = parseHTML(text);
  const labels = [...document.querySelectorAll("text")].map(({ textContent }) => textContent);
  for (const name of ["resident", "heap", "descriptors", "timers", "p50", "p99", "longest"]) {
    expect(labels).toContain(name);
  }
  expect(document.querySelectorAll('[aria-label="line"] path')).toHaveLength(8);
});
