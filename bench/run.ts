// `bun run bench`: CPU time per request of Bunpie and of what one would write by hand, side by side.
//
//   --rounds <n>        how often each contestant is measured; 5 by default
//   --seconds <n>       for how long each time; 4 by default
//   --only <name,name>  these contestants alone
//   --json <file>       every single measurement, too
//
// A run of everybody, for as long as that or longer, goes to bench/results.md.
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { CONTESTANTS } from "./contestants.ts";
import type { Sample } from "./measure.ts";
import { measure } from "./measure.ts";
import { figuresOf, machine, tableOf } from "./report.ts";
import { requireTools, stop } from "./requirements.ts";
import { CONNECTIONS } from "./wrk.ts";

const ROUNDS = 5;
const SECONDS = 4;

/** The load average, over a minute, from which on results are not to be trusted. */
const BUSY = 0.5;

requireTools();
const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: String(ROUNDS) },
    seconds: { type: "string", default: String(SECONDS) },
    only: { type: "string" },
    json: { type: "string" },
  },
});
const rounds = wholeNumber("rounds", options.rounds);
const seconds = wholeNumber("seconds", options.seconds);
const contestants = chosen(options.only?.split(","));

const [busy = 0] = loadavg();
if (busy > BUSY) {
  console.warn(
    `This machine has been busy in the last minute (load average ${busy.toFixed(1)}). While it is, times are too high and ratios rough.`,
  );
}

const samples: Sample[] = [];
for (let round = 1; round <= rounds; round++) {
  for (const contestant of contestants) {
    const sample = await measure(contestant, seconds);
    samples.push(sample);
    const { microseconds, requests, verdict, faults } = sample;
    console.info(
      `${round}/${rounds} ${contestant.name.padEnd(15)} ${microseconds.toFixed(2).padStart(6)} µs, ` +
        `${requests} requests; ${verdict}`,
    );
    for (const fault of faults) console.error(`  WRONG: ${fault}`);
  }
}

const report = [
  `\`${["bun run bench", ...process.argv.slice(2)].join(" ")}\``,
  await machine(),
  `CPU time of the server's process for each request, under ${CONNECTIONS} connections with a ` +
    `session each: the lowest of ${rounds} interleaved runs of ${seconds} s, and by how much the highest exceeds it.`,
  tableOf(contestants, figuresOf(samples)),
].join("\n\n");
console.info(`\n${report}`);

if (options.json !== undefined) await Bun.write(options.json, JSON.stringify(samples, null, 2));
if (samples.some(({ faults }) => faults.length > 0)) stop("\nSome answers were wrong: see above.");
if (options.only === undefined && rounds >= ROUNDS && seconds >= SECONDS) {
  await Bun.write(join(import.meta.dir, "results.md"), `# Results\n\n${report}\n`);
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  return stop(`--${name} is ${text}; it has to be a whole number above 0.`);
}

function chosen(names: readonly string[] | undefined): typeof CONTESTANTS {
  const known = CONTESTANTS.map(({ name }) => name);
  const stranger = names?.find((name) => !known.includes(name));
  if (stranger !== undefined) {
    stop(`There is no contestant "${stranger}". There are: ${known.join(", ")}.`);
  }
  return CONTESTANTS.filter(({ name }) => names?.includes(name) ?? true);
}
