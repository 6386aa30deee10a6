import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

import type { TimedReading } from "./reading.ts";

type Page = ReturnType<typeof parseHTML>["document"];

const WIDTH = 760;
const HEIGHT = 190;
const MARGIN = { left: 60, right: 120 };
const TOP = 54;
/** In milliseconds; the same for all plots, so that they can be compared. */
const LAGS = [0.1, 1, 10, 100, 1_000];
/** Between the names of lines. */
const LINE = 15;

/** Legible on white and on black. */
const COLORS = ["#3b82f6", "#d97706", "#059669", "#8b8b8b"] as const;

const STYLE = `
  svg { background: #ffffff; color: #1f2328; --plot-background: #ffffff; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; color: #e6edf3; --plot-background: #0d1117; }
  }
  text { font-family: system-ui, sans-serif; }
`;

interface Panel {
  readonly label: string;
  readonly lines: readonly (readonly [name: string, read: (reading: TimedReading) => number])[];
  readonly isLogarithmic?: boolean;
}

const PANELS: readonly Panel[] = [
  {
    label: "memory, MiB",
    lines: [
      ["resident", ({ rss }) => rss],
      ["heap", ({ heap }) => heap],
    ],
  },
  { label: "file descriptors", lines: [["descriptors", ({ descriptors }) => descriptors]] },
  { label: "timers", lines: [["timers", ({ timers }) => timers]] },
  {
    label: "event loop's lag in each interval, ms",
    lines: [
      ["longest", ({ max }) => max],
      ["p99", ({ p99 }) => p99],
      ["p50", ({ p50 }) => p50],
      ["idle process, p99", ({ idle }) => idle.p99],
    ],
    isLogarithmic: true,
  },
];

/** What was read over time, one panel below the other, as the text of an SVG file. */
export function drawReadings(
  readings: readonly TimedReading[],
  title: string,
  subtitle: string,
  warmUp: number,
): string {
  const { document } = parseHTML("<!doctype html><body></body>");
  const sheet = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const height = TOP + PANELS.length * HEIGHT;
  sheet.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  sheet.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
  sheet.setAttribute("width", String(WIDTH));
  sheet.setAttribute("height", String(height));
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = STYLE;
  sheet.append(style);
  for (const [text, y, size] of [
    [title, 22, 15],
    [subtitle, 40, 11],
  ] as const) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "text");
    for (const [name, value] of Object.entries({
      x: 12,
      y,
      "font-size": size,
      fill: "currentColor",
    }))
      line.setAttribute(name, String(value));
    line.textContent = text;
    sheet.append(line);
  }
  for (const [index, panel] of PANELS.entries()) {
    const chart = drawPanel(panel, readings, warmUp, document);
    chart.setAttribute("y", String(TOP + index * HEIGHT));
    sheet.append(chart);
  }
  return `${sheet.toString()}\n`;
}

/** Things that are counted have no half. */
function formatWhole(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : "";
}

function drawPanel(
  { label, lines, isLogarithmic = false }: Panel,
  readings: readonly TimedReading[],
  warmUp: number,
  document: Page,
): ReturnType<typeof Plot.plot> {
  return Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: MARGIN.left,
    marginRight: MARGIN.right,
    x: { label: "minutes", labelAnchor: "center", labelArrow: "none" },
    y: {
      label,
      grid: true,
      ...(isLogarithmic
        ? { type: "log", domain: [0.05, 1_000], ticks: LAGS, tickFormat: "~f", clamp: true }
        : { zero: true, nice: true, ticks: 5, tickFormat: formatWhole }),
    },
    marks: [
      Plot.ruleX([warmUp], { stroke: "currentColor", strokeDasharray: "3 3", strokeOpacity: 0.5 }),
      ...lines.flatMap(([name, read], index) => {
        const stroke = COLORS[index] ?? "currentColor";
        return [
          Plot.lineY(readings, { x: "minute", y: read, stroke, strokeWidth: 1.5 }),
          Plot.text([name], {
            frameAnchor: "right",
            fill: stroke,
            textAnchor: "start",
            dx: 10,
            dy: (index - (lines.length - 1) / 2) * LINE,
          }),
        ];
      }),
    ],
  });
}
