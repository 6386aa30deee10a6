// `bun run bench`: the CPU time of a request on Bunpie, beside other libraries and hand-written code, for each
// kind of page and store, and as the work grows.
//
// bun run bench [peers] [workloads] [growth]
//
//   --quick         short loads and small stores, to check that everything works
//   --rounds <n>    how often each entry is measured
//   --seconds <n>   how long each measurement takes
//   --out <folder>  where results.md and plots/ are written
//
// A run of all parts writes bench/results.md and bench/plots; any other run writes to a temporary folder.
import { mkdir, mkdtemp } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { Settings } from "./measure.ts";
import { measureGrowth } from "./parts/growth.ts";
import { comparePeers } from "./parts/peers.ts";
import { measureWorkloads } from "./parts/workloads.ts";
import type { Section } from "./report.ts";
import { describeMachine } from "./report.ts";
import { requireTools, stop } from "./requirements.ts";
import { CONNECTIONS } from "./wrk.ts";

/** The load average over a minute above which results cannot be trusted. */
const BUSY = 0.5;

const FULL = { rounds: 5, seconds: 0.4, warmUp: 0.5 };
const QUICK = { rounds: 1, seconds: 0.25, warmUp: 0.2 };

const PARTS = ["peers", "workloads", "growth"] as const;

requireTools();
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    seconds: { type: "string" },
    out: { type: "string" },
  },
});
const stranger = positionals.find((name) => !(PARTS as readonly string[]).includes(name));
if (stranger !== undefined) {
  stop(`There is no part "${stranger}". There are: ${PARTS.join(", ")}.`);
}
const parts = PARTS.filter((name) => positionals.length === 0 || positionals.includes(name));
const defaults = options.quick ? QUICK : FULL;
const rounds = options.rounds === undefined ? defaults.rounds : toNumber("rounds", options.rounds);
const seconds =
  options.seconds === undefined ? defaults.seconds : toNumber("seconds", options.seconds);
if (!Number.isInteger(rounds)) stop(`--rounds is ${rounds}; it has to be a whole number.`);
const isWhole = parts.length === PARTS.length && !options.quick;
const out =
  options.out ?? (isWhole ? import.meta.dir : await mkdtemp(join(tmpdir(), "bunpie-bench-")));
const plots = join(out, "plots");
await mkdir(plots, { recursive: true });

const [busy = 0] = loadavg();
if (busy > BUSY) {
  console.warn(
    `This machine was busy in the last minute (load average ${busy.toFixed(1)}), so times are too high and ratios inaccurate.`,
  );
}
// Stops at the next line of progress, so that what is stored in Redis and PostgreSQL is removed.
let isInterrupted = false;
process.on("SIGINT", () => {
  isInterrupted = true;
});

const begun = performance.now();
const settings: Settings = {
  rounds,
  seconds,
  warmUp: defaults.warmUp,
  progress: (line) => {
    if (isInterrupted) throw new Error("Interrupted.");
    const elapsed = Math.round((performance.now() - begun) / 1000);
    console.info(`${String(elapsed).padStart(4)} s  ${line}`);
  },
};

const sections = await measureParts();

const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
const faults = sections.flatMap((section) => section.faults);
const report = [
  "# Results",
  `\`${["bun run bench", ...process.argv.slice(2)].join(" ")}\`, ${minutes} minutes`,
  [
    await describeMachine(),
    ...(busy > BUSY
      ? [`- The machine was busy (load average ${busy.toFixed(1)}): these results are inaccurate.`]
      : []),
  ].join("\n"),
  `CPU time of the server's process for each request that it handled, user and system, under ${CONNECTIONS} connections. Each load lasts ` +
    `${seconds} s. The entries of one table on one store were measured in the same ${rounds} rounds, in a different order each time. ` +
    "Other work on the machine only adds to a time, so the lowest is the most accurate. Ratios are the median of the ratios within each round. " +
    "The work of Redis and PostgreSQL in their own processes is not included. After each load, counters must equal the number of handler runs, and pages must be correct.",
  faults.length === 0
    ? "All answers were right."
    : `Wrong answers:\n\n${faults.map((fault) => `- ${fault}`).join("\n")}`,
  ...sections.map(({ title, text }) => `## ${title}\n\n${text}`),
].join("\n\n");
await Bun.write(join(out, "results.md"), `${report}\n`);
await Bun.spawn([process.execPath, "fmt", join(out, "results.md")], {
  stdio: ["ignore", "ignore", "ignore"],
}).exited;
console.info(`\n${report}\n\nWritten to ${join(out, "results.md")}`);
if (faults.length > 0) stop("\nSome answers were wrong: see above.");

async function measureParts(): Promise<Section[]> {
  const measured: Section[] = [];
  try {
    for (const part of parts) {
      if (part === "peers") measured.push(await comparePeers(settings, plots));
      if (part === "workloads") measured.push(await measureWorkloads(settings));
      if (part === "growth") measured.push(await measureGrowth(settings, plots, options.quick));
    }
  } catch (error) {
    if (isInterrupted) stop("Interrupted. What was stored has been removed.");
    throw error;
  }
  return measured;
}

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (number > 0) return number;
  return stop(`--${name} is ${text}; it has to be a number above 0.`);
}
