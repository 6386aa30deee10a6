import { cpus } from "node:os";

import type { Figure } from "./figure.ts";
import { number } from "./figure.ts";
import { RULES } from "./rules.ts";
import { FAULTS } from "./seeded-faults.ts";

/** A figure that was tried in full, and what came out. */
export interface Result {
  readonly figure: Figure;
  readonly outcomes: readonly string[];
  readonly seconds: number;
  /** What did not hold, if something did not. */
  readonly failure?: string | undefined;
}

/** What came out, in one line. */
export function outcomeOf({ outcomes, failure }: Omit<Result, "figure">): string {
  return [...(failure === undefined ? [] : [`DID NOT HOLD: ${failure}`]), ...outcomes].join("; ");
}

/** docs/guarantees.md: what was tried, and what came out. */
export function pageOf(results: readonly Result[], seed: number, date: string): string {
  const rows = results.map((result) => {
    const { id, name, full, of } = result.figure;
    const took = `${Math.ceil(result.seconds)} s`;
    return [id, name, `${number(full)} ${of}`, outcomeOf(result), took];
  });
  return [
    "# What was tried, and what came out",
    INTRODUCTION,
    `Run with seed ${seed} on ${date}, Bun ${Bun.version}, ${cpus().length} cores (${cpus()[0]?.model}).`,
    table(["", "promise", "tried", "came out", "took"], rows),
    ...(results.some(isSoundTests) ? mistakes() : []),
    "## What the letters stand for",
    SOURCES,
    table(["", "rule"], Object.entries(RULES)),
  ].join("\n\n");
}

function isSoundTests({ figure, failure }: Result): boolean {
  return figure.id === "G22" && failure === undefined;
}

/** What the run of G22 has tried, and who noticed: there is no other outcome that it would hold with. */
function mistakes(): readonly string[] {
  const rows = FAULTS.map((fault) => [fault.rule, fault.what, `\`${fault.file}\``, fault.test]);
  return [
    "## What was broken, and which test noticed",
    MISTAKES,
    table(["breaks", "the mistake", "in", "the test that went red"], rows),
  ];
}

const INTRODUCTION = `\`bun run guarantees\` tries everything in this table at its full size and writes this page; \`bun run
test\` tries the same at a smaller size. \`--seed <n>\` makes other random choices, \`--random\` ones that
nobody has chosen, and names such as \`G6 G7\` run those figures alone.

A zero is what was seen, not what is certain: none in N trials means that the rate is below 3 / N, with 95 %
confidence. That is why N stands beside every zero.`;

const MISTAKES = `A test that cannot fail is worth nothing. Each of these mistakes, which others have made or which
somebody could make in good faith, was made in a copy of the code, one at a time; the test beside it
was green without it and went red with it. They are in \`tests/guarantees/seeded-faults*.ts\`. Tests that are
named after an advisory or an issue say what happened there.`;

const SOURCES = `V is OWASP's Application Security Verification Standard 5.0, CS its Session Management Cheat Sheet;
6265bis, 9110 and 9111 are the RFCs on cookies, HTTP and caches.`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => "---"), ...rows.map((cells) => cells.map(escaped))];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Text as a cell: what would end the cell, or would be more than text in Markdown, is escaped. */
function escaped(text: string): string {
  return text.replaceAll(/`[^`]*`|[\\|*_<[]/g, (found) =>
    found.startsWith("`") ? found.replaceAll("|", String.raw`\|`) : `\\${found}`,
  );
}
