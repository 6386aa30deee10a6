import { cpus } from "node:os";

import type { Contestant } from "./contestants.ts";
import type { Sample } from "./measure.ts";
import { PINNING } from "./pin.ts";

/** The lowest CPU time per request of each contestant, and by what part the highest exceeds it. */
export interface Figure {
  readonly lowest: number;
  readonly spread: number;
}

/**
 * What else the machine does only ever adds to a run's CPU time: so the lowest is nearest to what
 * the work takes, and the spread says how quiet the machine was.
 */
export function figuresOf(samples: readonly Sample[]): Map<string, Figure> {
  const byName = Map.groupBy(samples, ({ contestant }) => contestant);
  return new Map(
    [...byName].map(([name, runs]) => {
      const times = runs.map(({ microseconds }) => microseconds);
      const lowest = Math.min(...times);
      return [name, { lowest, spread: Math.max(...times) / lowest - 1 }];
    }),
  );
}

/** The results as a Markdown table. */
export function tableOf(
  contestants: readonly Contestant[],
  figures: ReadonlyMap<string, Figure>,
): string {
  const ratio = (name: string, of: string | undefined): number =>
    (figures.get(name)?.lowest ?? NaN) / (figures.get(of ?? "")?.lowest ?? NaN);
  const rows = contestants.map(({ name, work, floor, target }) => {
    const figure = figures.get(name);
    return [
      name,
      work,
      decimals(figure?.lowest ?? NaN),
      `${Math.round(100 * (figure?.spread ?? NaN))} %`,
      decimals(ratio(name, "hello")),
      floor === undefined ? "" : decimals(ratio(name, floor)),
      target === undefined ? "" : `≤ ${decimals(target.ratio)} × ${target.of}`,
      target === undefined ? "" : verdictOn(ratio(name, target.of), target.ratio),
    ];
  });
  return markdownTable(
    ["name", "work", "µs a request", "spread", "× hello", "× raw SQLite", "target", ""],
    rows,
  );
}

/** What the results depend on, as Markdown. */
export async function machine(): Promise<string> {
  const model = cpus()[0]?.model ?? "unknown processor";
  const wrk = /wrk \S+/.exec(await new Response(Bun.spawn(["wrk", "-v"]).stdout).text())?.[0];
  return [
    `- ${cpus().length} cores, ${model}; ${PINNING}`,
    `- Bun ${Bun.version}, ${wrk ?? "wrk"}, ${new Date().toISOString().slice(0, 10)}`,
  ].join("\n");
}

function verdictOn(ratio: number, most: number): string {
  if (Number.isNaN(ratio)) return "not measured";
  return ratio <= most ? "met" : "missed";
}

function decimals(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(2);
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
