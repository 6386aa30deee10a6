import * as Plot from "@observablehq/plot";

import type { Page } from "../sheet.ts";
import { COLORS, createPage, toSheet, WIDTH } from "../sheet.ts";
import type { TimedReading } from "./reading.ts";

const HEIGHT = 190;
const MARGIN = { left: 60, right: 120 };
/** In milliseconds; the same for all plots, so that they can be compared. */
const LAGS = [0.1, 1, 10, 100, 1_000];
/** The space between the names of lines. */
const LINE = 15;

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

/** The readings over time, in panels one below the other, as the text of an SVG file. */
export function drawReadings(
  readings: readonly TimedReading[],
  title: string,
  subtitle: string,
  warmUp: number,
): string {
  const document = createPage();
  return toSheet(
    document,
    { title, subtitle, height: PANELS.length * HEIGHT },
    PANELS.map((panel, index) => ({
      chart: drawPanel(panel, readings, warmUp, document),
      y: index * HEIGHT,
    })),
  );
}

/** Ticks of counts are whole numbers. */
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
