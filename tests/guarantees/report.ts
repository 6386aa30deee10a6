import { cpus } from "node:os";

import type { Figure, Outcome } from "./figure.ts";
import { number } from "./figure.ts";
import { FIGURES, KINDS, RULES, SEEN_ELSEWHERE } from "./rules.ts";
import { FAULTS } from "./seeded-faults.ts";

/** A figure that was tried in full, and what came out. */
export interface Result {
  readonly figure: Figure;
  readonly outcomes: readonly Outcome[];
  readonly seconds: number;
  /** What did not hold, if something did not. */
  readonly failure?: string | undefined;
}

/** When and where figures were tried. */
export interface Run {
  readonly seed: number;
  readonly date: string;
  readonly machine: string;
}

/** A run that ends now, on this machine. */
export function describeRun(seed: number): Run {
  const [cpu] = cpus();
  return {
    seed,
    date: new Date().toISOString().slice(0, 10),
    machine: `Bun ${Bun.version}, ${cpus().length} cores (${cpu?.model})`,
  };
}

/** What came out, in one line. */
export function describeOutcomes({ outcomes, failure }: Omit<Result, "figure">): string {
  const found = outcomes.map(({ what, value }) =>
    value === undefined ? what : `${what}: ${value}`,
  );
  return [...(failure === undefined ? [] : [`DID NOT HOLD: ${failure}`]), ...found].join("; ");
}

/** docs/guarantees.md: what was tried, and what came out. */
export function writePage(results: readonly Result[], run: Run): string {
  const byId = Map.groupBy(results, ({ figure }) => figure.id);
  return [
    "# Verification results",
    summarize(results, run),
    table(["figure", "subject", "promises", "result"], [...byId].map(summarizeFigure)),
    HOW_TO_READ,
    ...[...byId].map(writeChapter),
  ].join("\n\n");
}

/** docs/seeded-faults.md: the rules, the faults, and the test that noticed each fault. */
export function writeFaultsPage(tried: number, { date, machine }: Run): string {
  return [
    "# Rules and seeded faults",
    `${number(tried)} of these ${number(FAULTS.length)} faults were put into a copy of the code, one at a time, in the run of ${date} (${machine}).
**Each of the ${number(tried)} made the test that claims the rule fail**; without the fault, the same test passed. Each fault is
a mistake found in other software, or one that could be made in good faith. The patches are in
\`tests/guarantees/seeded-faults*.diff\`.`,
    `A rule's letter says what the rule is about: ${list(Object.entries(KINDS).map(([letter, kind]) => `**${letter}** ${kind}`))}. A test whose name
begins with a rule's code claims the rule. A fault that was seen in other software is listed under that software's name.`,
    SOURCES,
    "## Rules",
    table(["", "rule"], Object.entries(RULES)),
    "## Seen in other software",
    table(["software", "what happened"], Object.entries(SEEN_ELSEWHERE)),
    "## Faults",
    table(
      ["rule", "fault", "file", "test that failed"],
      FAULTS.map((fault) => [fault.rule, fault.what, `\`${fault.file}\``, fault.test]),
    ),
  ].join("\n\n");
}

function summarize(results: readonly Result[], { seed, date, machine }: Run): string {
  const failed = results.filter(isFailed);
  const held = results.length - failed.length;
  const highlights = HIGHLIGHTS.flatMap(([id, what, text]) => {
    const total = addUp(results, id, what);
    return total === undefined
      ? []
      : [`- ${number(total.count)} ${text} in ${number(total.outOf)}`];
  });
  return [
    `**${held} of ${results.length} promises held** in the run of ${date}: seed ${seed}, ${machine}.`,
    ...(failed.length === 0
      ? []
      : [failed.map(({ figure }) => `- DID NOT HOLD: ${figure.id}, ${figure.name}`).join("\n")]),
    ...(highlights.length === 0 ? [] : [highlights.join("\n")]),
  ].join("\n\n");
}

/** How often something was seen, of how often it could have been, over all promises of a figure. */
function addUp(results: readonly Result[], id: string, what: string) {
  const counted = results
    .filter(({ figure }) => figure.id === id)
    .flatMap(({ outcomes }) => outcomes)
    .filter((outcome) => outcome.what === what);
  if (counted.length === 0) return undefined;
  const sum = (key: "count" | "outOf"): number =>
    counted.reduce((total, outcome) => total + (outcome[key] ?? 0), 0);
  return { count: sum("count"), outOf: sum("outOf") };
}

function summarizeFigure([id, results]: [string, readonly Result[]]): string[] {
  const failed = results.filter(isFailed).length;
  const result = failed === 0 ? "held" : `${failed} DID NOT HOLD`;
  return [id, findTitle(id), String(results.length), result];
}

function writeChapter([id, results]: [string, readonly Result[]]): string {
  return [`## ${id}: ${findTitle(id)}`, ...writePromises(results)].join("\n\n");
}

/** A table for each promise, with a row for everything that it was tried on. */
function writePromises(results: readonly Result[]): string[] {
  const byPromise = Map.groupBy(results, ({ figure }) => `${formatPromise(figure)} (${figure.of})`);
  return [...byPromise.values()].flatMap((own) => {
    const [{ figure }] = own as [Result];
    const promise = formatPromise(figure);
    const whats = [
      ...new Set(own.flatMap(({ outcomes }) => outcomes.filter(isValue)).map(formatLabel)),
    ];
    const isVaried = own.some((result) => result.figure.on !== undefined);
    const hasNotes = own.some(({ outcomes }) => !outcomes.every(isValue));
    const hasFailed = own.some(isFailed);
    const rows = own.map((result) => [
      ...(isVaried ? [result.figure.on ?? ""] : []),
      ...(hasFailed
        ? [result.failure === undefined ? "held" : `DID NOT HOLD: ${result.failure}`]
        : []),
      number(result.figure.full),
      ...whats.map(
        (what) => result.outcomes.find((each) => formatLabel(each) === what)?.value ?? "",
      ),
      ...(hasNotes
        ? [
            result.outcomes
              .filter((each) => !isValue(each))
              .map(formatLabel)
              .join("; "),
          ]
        : []),
      `${Math.ceil(result.seconds)} s`,
    ]);
    const head = [
      ...(isVaried ? ["…"] : []),
      ...(hasFailed ? ["result"] : []),
      figure.of,
      ...whats,
      ...(hasNotes ? ["notes"] : []),
      "took",
    ];
    return [`${escaped(capitalized(promise))}.`, table(head.map(escaped), rows)];
  });
}

function findTitle(id: string): string {
  return FIGURES[id] ?? id;
}

/** The sentence, with "…" for what it was tried on. */
function formatPromise({ name, on }: Figure): string {
  return on === undefined ? name : name.replace(on, "…");
}

function isFailed({ failure }: Result): boolean {
  return failure !== undefined;
}

function isValue({ value }: Outcome): boolean {
  return value !== undefined;
}

function formatLabel({ what, limit }: Outcome): string {
  return limit === undefined ? what : `${what} (limit ${limit})`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function list(parts: readonly string[]): string {
  return new Intl.ListFormat("en-US").format(parts);
}

/** What the summary tells: of a figure, what was counted, and as what. */
const HIGHLIGHTS: readonly (readonly [id: string, what: string, text: string])[] = [
  ["G4", "acknowledged changes lost", "acknowledged changes lost to SIGKILL,"],
  ["G4", "ended sessions or replaced ids revived", "ended sessions revived by SIGKILL,"],
  [
    "G7",
    "reads of a session after its destroy() or revoke was acknowledged",
    "reads of a session after its end, among overlapping requests,",
  ],
  ["G6", "updates lost", "concurrent updates lost,"],
  ["G12", "requests cut", "requests cut by SIGTERM,"],
  ["G1", "forged ids accepted", "forged ids accepted,"],
  ["G8", "rows", "rows made by visitors without a cookie,"],
  ["G24", "schedules that break a rule", "schedules that break a rule, of all possible ones,"],
  ["G22", "faults unnoticed", "seeded faults that no test noticed,"],
];

const HOW_TO_READ = `How to read this: G and a number name a figure, which verifies one or more promises. A zero is an
observation, not a proof: 0 in N trials means a rate below 3 / N, with 95 % confidence. So N stands beside every zero.
The rules that tests claim, and the [faults that they notice](seeded-faults.md), have their own page.

\`bun run guarantees\` runs every trial at full size and writes both pages; \`bun run check\` runs smaller trials, and
\`bun run test\` smaller ones still. \`--seed <n>\` sets the seed of the random choices, \`--random\` picks one at random, and
names such as \`G6 G7\` run only those figures.`;

const SOURCES = `In brackets: V is OWASP's Application Security Verification Standard 5.0, CS its Session Management Cheat
Sheet; 6265bis, 9110 and 9111 are the RFCs on cookies, HTTP and caches.`;

/** The cells of the head are taken as they stand. */
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
