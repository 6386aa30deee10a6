import * as Plot from "@observablehq/plot";

import { formatNumber } from "./report.ts";
import { COLORS, createPage, toSheet, WIDTH } from "./sheet.ts";

/** A bar of {@link drawBars}, of which the first part is shown paler. */
export interface Bar {
  readonly label: string;
  readonly group: string;
  readonly value: number;
  readonly part: number;
  readonly isOurs: boolean;
}

const ROW = 20;
/** The space above each group, for its name, and below the last one, for the axis. */
const HEADING = 24;
const AXIS = 36;
const LABELS = 250;
/** A bar more than FAR times as long as the second is cut off; the axis then ends at ROOM times the second. */
const FAR = 2;
const ROOM = 1.1;

const [OURS, , , OTHERS] = COLORS;

/** CPU time for each request, one bar below the other in groups, the shortest first. */
export function drawBars(bars: readonly Bar[]): string {
  const document = createPage();
  const end = findEnd(bars.map(({ value }) => value));
  const panels = [];
  let y = 0;
  const groups = [...Map.groupBy(bars, ({ group }) => group)];
  for (const [index, [group, members]] of groups.entries()) {
    const sorted = members.toSorted((one, other) => one.value - other.value);
    const isLast = index === groups.length - 1;
    const height = HEADING + sorted.length * ROW + (isLast ? AXIS : 0);
    const chart = Plot.plot({
      document,
      width: WIDTH,
      height,
      marginLeft: LABELS,
      marginRight: 60,
      marginTop: HEADING,
      marginBottom: isLast ? AXIS : 0,
      x: {
        domain: [0, end],
        axis: isLast ? "bottom" : null,
        label: "µs of CPU time for each request",
        labelArrow: "none",
        labelAnchor: "center",
      },
      y: {
        type: "band",
        round: false,
        domain: sorted.map(({ label }) => label),
        label: null,
        tickSize: 0,
      },
      marks: [
        Plot.text([group], {
          frameAnchor: "top-left",
          dx: 0,
          dy: -14,
          fontWeight: "bold",
          fill: "currentColor",
          textAnchor: "start",
        }),
        Plot.barX(sorted, {
          x1: 0,
          x2: ({ part }: Bar) => Math.min(part, end),
          y: "label",
          fill: ({ isOurs }: Bar) => (isOurs ? OURS : OTHERS),
          fillOpacity: 0.45,
        }),
        Plot.barX(sorted, {
          x1: ({ part }: Bar) => Math.min(part, end),
          x2: ({ value }: Bar) => Math.min(value, end),
          y: "label",
          fill: ({ isOurs }: Bar) => (isOurs ? OURS : OTHERS),
        }),
        Plot.text(sorted, {
          x: ({ value }: Bar) => Math.min(value, end),
          y: "label",
          text: ({ value }: Bar) => `${value > end ? "→ " : ""}${formatNumber(value)}`,
          textAnchor: "start",
          dx: 5,
          fill: "currentColor",
        }),
        Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.4 }),
      ],
    });
    panels.push({ chart, y });
    y += height;
  }
  return toSheet(
    document,
    {
      title: "A counter in a session, beside other libraries",
      subtitle:
        "CPU time of the server, lowest of the rounds; the first part is the framework by itself, the second the session. Shorter is better.",
      height: y,
    },
    panels,
  );
}

/** Where the axis ends. One bar that is far longer than all others is cut off there. */
function findEnd(values: readonly number[]): number {
  const [longest = 1, second = longest] = values.toSorted((one, other) => other - one);
  return longest > FAR * second ? second * ROOM : longest;
}

/** One line of {@link drawLines}. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
  /** Whether `y` is logarithmic too; it begins at 0 otherwise. */
  readonly isLogarithmic?: boolean;
}

const LINE_HEIGHT = 280;
/** The least distance between the names of two lines. */
const NAME = 14;
const MARGINS = { top: 24, bottom: 40 };

/** How the cost changes while the work grows in multiples. */
export function drawLines({ title, subtitle, x, y, lines, isLogarithmic }: LineChart): string {
  const document = createPage();
  const xs = [...new Set(lines.flatMap(({ points }) => points.map((point) => point.x)))];
  const values = lines.flatMap(({ points }) => points.map((point) => point.y));
  const highest = Math.max(...values);
  const domain =
    isLogarithmic === true ? [Math.min(...values) / 1.2, highest * 1.2] : [0, highest * 1.05];
  const ys = isLogarithmic === true ? findDecades(domain) : findTicks(highest);
  const chart = Plot.plot({
    document,
    width: WIDTH,
    height: LINE_HEIGHT,
    marginLeft: 60,
    marginRight: 110,
    marginTop: MARGINS.top,
    marginBottom: MARGINS.bottom,
    x: {
      type: "log",
      label: null,
      axis: null,
    },
    y: {
      axis: null,
      domain,
      type: isLogarithmic === true ? "log" : "linear",
    },
    marks: [
      // Explicit labels: a logarithmic scale labels only powers of ten.
      Plot.axisX(xs, {
        text: xs.map((value) => value.toLocaleString("en")),
        label: x,
        labelAnchor: "center",
        labelArrow: "none",
      }),
      Plot.axisY(ys, {
        text: ys.map((value) => value.toLocaleString("en")),
        label: y,
        labelArrow: "none",
      }),
      Plot.gridY(ys),
    ].concat(
      lines.flatMap(({ name, points }, index) => {
        const stroke = COLORS[index % COLORS.length] ?? "currentColor";
        return [
          Plot.lineY(points, { x: "x", y: "y", stroke, strokeWidth: 2 }),
          Plot.dot(points, { x: "x", y: "y", fill: stroke, r: 3 }),
          Plot.text(points.slice(-1), {
            x: "x",
            y: "y",
            text: [name],
            fill: stroke,
            textAnchor: "start",
            dx: 10,
            dy: findOffsets(lines, domain, isLogarithmic === true)[index] ?? 0,
          }),
        ];
      }),
    ),
  });
  return toSheet(document, { title, subtitle, height: LINE_HEIGHT }, [{ chart, y: 0 }]);
}

/** Round numbers from 0 on: about five of them. */
function findTicks(highest: number): number[] {
  const rough = highest / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5].find((factor) => factor * unit >= rough) ?? 10);
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, index) => index * step);
}

/** The powers of ten in a domain. */
function findDecades([low = 1, high = 1]: readonly number[]): number[] {
  const first = Math.ceil(Math.log10(low));
  const last = Math.floor(Math.log10(high));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index));
}

/** By how much each line's name is moved down, so that none covers another. */
function findOffsets(
  lines: readonly Line[],
  [low = 0, high = 1]: readonly number[],
  isLogarithmic: boolean,
): number[] {
  const scale = (value: number): number => (isLogarithmic ? Math.log(value) : value);
  const room = LINE_HEIGHT - MARGINS.top - MARGINS.bottom;
  const places = lines.map(({ points }) => {
    const end = points.at(-1)?.y ?? low;
    return ((scale(high) - scale(end)) / (scale(high) - scale(low))) * room;
  });
  const offsets = lines.map(() => 0);
  const order = places
    .map((_, index) => index)
    .toSorted((one, other) => (places[one] ?? 0) - (places[other] ?? 0));
  let free = -Infinity;
  for (const index of order) {
    const wanted = places[index] ?? 0;
    const place = Math.max(wanted, free);
    offsets[index] = place - wanted;
    free = place + NAME;
  }
  // If names would leave the chart, all move up.
  const excess = Math.max(0, free - NAME - room);
  return offsets.map((offset) => (offset > 0 || excess > 0 ? offset - excess : 0));
}
