import { cpus } from "node:os";

import { PINNING } from "./pin.ts";

/** What one part of the benchmark found, as Markdown. */
export interface Section {
  readonly title: string;
  readonly text: string;
  /** Answers that were wrong. */
  readonly faults: readonly string[];
}

/** The machine and the versions that the results depend on, as Markdown. */
export async function describeMachine(): Promise<string> {
  const model = cpus()[0]?.model ?? "unknown processor";
  const wrk = /wrk \S+/.exec(await readOutput(["wrk", "-v"]))?.[0] ?? "wrk";
  const node =
    Bun.which("node") === null
      ? "no Node"
      : `Node ${(await readOutput(["node", "-v"])).trim().slice(1)}`;
  return [
    `- ${cpus().length} cores, ${model}; ${PINNING}`,
    `- Bun ${Bun.version}, ${node}, ${wrk}, ${new Date().toISOString().slice(0, 10)}`,
  ].join("\n");
}

async function readOutput(command: readonly string[]): Promise<string> {
  const { stdout } = Bun.spawn([...command], { stdout: "pipe", stderr: "ignore" });
  return stdout.text();
}

/** A number with its significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : 2);
}

export function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const toLine = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [toLine(head), toLine(widths.map((width) => "-".repeat(width))), ...rows.map(toLine)].join(
    "\n",
  );
}
