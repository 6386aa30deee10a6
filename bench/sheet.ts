import type * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export type Page = ReturnType<typeof parseHTML>["document"];

/** Legible on white and on black. */
export const COLORS = ["#3b82f6", "#d97706", "#059669", "#8b8b8b"] as const;

export const WIDTH = 760;

/** The room for title and subtitle. */
const TOP = 54;

const STYLE = `
  svg { background: #ffffff; color: #1f2328; --plot-background: #ffffff; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; color: #e6edf3; --plot-background: #0d1117; }
  }
  text { font-family: system-ui, sans-serif; }
`;

/** A chart, and where it stands below the title. */
export interface Panel {
  readonly chart: ReturnType<typeof Plot.plot>;
  readonly x?: number;
  readonly y: number;
}

export function createPage(): Page {
  return parseHTML("<!doctype html><body></body>").document;
}

/** The charts with their title, as the text of an SVG file for light and dark pages. */
export function toSheet(
  document: Page,
  { title, subtitle, height }: { title: string; subtitle: string; height: number },
  panels: readonly Panel[],
): string {
  const sheet = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  sheet.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  sheet.setAttribute("viewBox", `0 0 ${WIDTH} ${TOP + height}`);
  sheet.setAttribute("width", String(WIDTH));
  sheet.setAttribute("height", String(TOP + height));
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
  for (const { chart, x = 0, y } of panels) {
    chart.setAttribute("x", String(x));
    chart.setAttribute("y", String(TOP + y));
    sheet.append(chart);
  }
  return `${sheet.toString()}\n`;
}
