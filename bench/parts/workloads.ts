import type { Settings } from "../measure.ts";
import { describe, measureGroup } from "../measure.ts";
import type { Section } from "../report.ts";
import { formatNumber, toTable } from "../report.ts";
import { findRatio, findSamples, toFigure } from "../statistics.ts";
import type { Storage } from "../subjects.ts";
import { bunpieOn, HELLO, STORAGE_TITLES } from "../subjects.ts";
import { FRAMEWORK, WORKLOADS } from "../workloads.ts";

const STORAGES: readonly Storage[] = ["memory", "normal", "full", "redis", "postgres"];

/** What each kind of page costs on each store. */
export async function measureWorkloads(settings: Settings): Promise<Section> {
  const columns: string[][] = [];
  const faults: string[] = [];
  const notes: string[] = [];
  for (const storage of STORAGES) {
    const subject = bunpieOn(storage);
    const results = await measureGroup(
      [
        { subject: HELLO, workload: FRAMEWORK },
        ...WORKLOADS.map((workload) => ({ subject, workload })),
      ],
      settings,
    );
    const hello = findSamples(results, ({ entry }) => entry.subject === HELLO);
    columns.push(
      WORKLOADS.map((workload) => {
        const samples = findSamples(
          results,
          ({ entry }) => entry.subject === subject && entry.workload === workload,
        );
        const { lowest, median } = toFigure(samples);
        if (Number.isNaN(lowest)) return "–";
        return `${formatNumber(lowest)} / ${formatNumber(median)} (${formatNumber(findRatio(samples, hello).median)} ×)`;
      }),
    );
    for (const { entry, findings, failure } of results) {
      if (failure !== undefined) notes.push(`Not measured: ${describe(entry)}. ${failure}`);
      faults.push(...findings.faults.map((fault) => `${describe(entry)}: ${fault}`));
    }
  }
  const rows = WORKLOADS.map(({ title }, row) =>
    [title].concat(columns.map((column) => column[row] ?? "")),
  );
  return {
    title: "Workloads",
    text: [
      "Bunpie's `App` on each store: the lowest and the median of the rounds in µs, and in parentheses the ratio to bare `Bun.serve` in the same round.",
      toTable(["", ...STORAGES.map((storage) => STORAGE_TITLES[storage])], rows),
      ...(notes.length === 0 ? [] : [notes.map((note) => `- ${note}`).join("\n")]),
    ].join("\n\n"),
    faults,
  };
}
