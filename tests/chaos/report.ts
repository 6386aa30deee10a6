import type { Exchange } from "./checker/history.ts";
import type { FaultKind } from "./checker/judge.ts";
import type { TrialOptions, TrialResult } from "./trial.ts";

/** How many violations of one kind are printed; all are in the file. */
const PRINTED = 2;

/** What was done on one store, and the verdict, for the terminal. */
export function describeResult(result: TrialResult): string {
  const lines = [`${result.store}: ${toVerdict(result)}`, ...listFacts(result)];
  for (const [kind, violations] of byKind(result)) {
    lines.push(`${violations.length} × ${kind}`);
    for (const { text } of violations.slice(0, PRINTED)) lines.push(`  ${text}`);
  }
  return lines.join("\n  ");
}

/** The same for all stores, as a page. */
export function summarize(
  results: readonly TrialResult[],
  { program, users, seed }: TrialOptions,
  seconds: number,
): string {
  return [
    "# Chaos",
    `Three servers (${program}), ${users} visitors, ${seconds} s per store, seed ${seed}, Bun ${Bun.version}.`,
    ...results.map((result) =>
      [
        `## ${result.store}: ${toVerdict(result)}\n`,
        ...listFacts(result).map((fact) => `- ${fact}`),
        ...byKind(result).map(([kind, { length }]) => `- ${length} × ${kind}`),
      ].join("\n"),
    ),
    "",
  ].join("\n\n");
}

function toVerdict({ violations }: TrialResult): string {
  return violations.length === 0 ? "held" : `BROKEN, ${violations.length} violations`;
}

function listFacts(result: TrialResult): string[] {
  const { history, faults, cookies } = result;
  const count = (is: (exchange: Exchange) => boolean): string =>
    history.filter(is).length.toLocaleString("en");
  const kept = (...pages: readonly string[]): string =>
    count(({ page, answer }) => pages.includes(page) && answer !== null && answer.kept !== false);
  const outcome = (name: Exchange["outcome"]): string => count((each) => each.outcome === name);
  return [
    `${count(() => true)} requests: ${outcome("answered")} answered, ${outcome("refused")} times 503, ` +
      `${outcome("lost")} lost on the way, ${outcome("unsent")} not sent`,
    [...faults].map(([name, times]) => `${times} × ${name}`).join(", "),
    `acknowledged: ${result.acknowledged.toLocaleString("en")} updates, ${result.lookedFor.toLocaleString("en")} of them looked for later; ${kept("set", "write")} writes, ` +
      `${kept("login")} logins, ${kept("regenerate", "renew")} new ids, ` +
      `${kept("logout")} logouts, ${kept("everywhere", "elsewhere")} revocations`,
    `${cookies.toLocaleString("en")} cookies handed out, each tried again in the end`,
  ];
}

function byKind({ violations }: TrialResult): [FaultKind, TrialResult["violations"]][] {
  return [...Map.groupBy(violations, ({ kind }) => kind)];
}
