import { cpus } from "node:os";

import type { Figure } from "./figure.ts";
import { number } from "./figure.ts";

/** A figure that was tried in full, and what came out; without outcomes, it failed. */
export interface Result {
  readonly figure: Figure;
  readonly outcomes: readonly string[];
  readonly seconds: number;
}

/** docs/guarantees.md: what was tried, and what came out. */
export function pageOf(results: readonly Result[], seed: number, date: string): string {
  const rows = results.map(({ figure, outcomes, seconds }) => [
    figure.id,
    figure.name,
    `${number(figure.full)} ${figure.of}`,
    outcomes.join("; "),
    `${Math.ceil(seconds)} s`,
  ]);
  return [
    "# What was tried, and what came out",
    INTRODUCTION,
    `Run with seed ${seed} on ${date}, Bun ${Bun.version}, ${cpus().length} cores (${cpus()[0]?.model}).`,
    table(["", "promise", "tried", "came out", "took"], rows),
    "",
  ].join("\n\n");
}

const INTRODUCTION = `\`bun run guarantees\` tries everything in this table at its full size and writes this page; \`bun run
test\` tries the same at a smaller size. \`--seed <n>\` makes other random choices, \`--random\` ones that
nobody has chosen, and names such as \`G6 G7\` run those figures alone.

A zero is what was seen, not what is certain: none in N trials means that the rate is below 3 / N, with 95 %
confidence. That is why N stands beside every zero.`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
