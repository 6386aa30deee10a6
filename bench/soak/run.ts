// `bun run soak`: does a server that runs for a long time use more and more? One server process gets mixed
// traffic and reports every few seconds what it uses; the slope of each measure is compared with a limit.
//
//   --minutes <n>   how long; 15 by default
//   --store <name>  memory, sqlite (the default), postgres or redis
//
// The plot goes to bench/plots/soak-<store>.svg.
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { stop } from "../requirements.ts";
import { drawReadings } from "./plot.ts";
import { SESSION_TIMEOUT } from "./reading.ts";
import type { TimedReading } from "./reading.ts";
import { SoakServer, STORES } from "./server.ts";
import { Traffic } from "./traffic.ts";
import { findTrends } from "./trend.ts";

const VISITORS = 50;
/** In seconds. */
const INTERVAL = 5;
/** In minutes: until as many sessions expire as begin, and Bun has compiled the hot code. */
const WARM_UP = (2 * SESSION_TIMEOUT) / 60;
/** In minutes: a slope over a shorter time is meaningless. */
const SHORTEST = WARM_UP + 1;

/** At most one in this many requests may get a 503, or no response. */
const ANSWERED = 1_000;

if (process.platform !== "linux") {
  stop("The soak reads /proc, which only Linux has. Run it there.");
}
const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "15" },
    store: { type: "string", default: "sqlite" },
  },
});
const minutes = Number(options.minutes);
if (!(minutes >= SHORTEST)) {
  stop(
    `--minutes is ${options.minutes}; it has to be ${SHORTEST} or more, ${WARM_UP} of which warm up.`,
  );
}
const store =
  STORES.find((name) => name === options.store) ??
  stop(`There is no store "${options.store}". There are: ${STORES.join(", ")}.`);

await using server = await SoakServer.start(store);
const traffic = new Traffic(server.url, VISITORS);
const readings: TimedReading[] = [];
const begun = performance.now();
for (let minute = 0; minute < minutes;) {
  await Bun.sleep(INTERVAL * 1000);
  const reading = await server.read();
  minute = (performance.now() - begun) / 60_000;
  readings.push({ minute, ...reading });
  if (readings.length % 12 === 0) console.info(formatLine(minute, reading));
}
await traffic.end();

const load = loadavg()[2] ?? 0;
const isBusy = load > availableParallelism();
const trends = findTrends(
  readings.filter(({ minute }) => minute >= WARM_UP),
  isBusy,
);
const faults = [...traffic.faults].map(([fault, count]) => `${count} times ${fault}`);
const { unanswered } = traffic;
const missed = `${unanswered} times 503 or no answer (limit 1 in ${ANSWERED.toLocaleString("en")})`;
// On a busy machine, lag is caused by the machine.
if (!isBusy && unanswered * ANSWERED > traffic.requests) faults.push(missed);
const verdict =
  trends.every(({ isFlat }) => isFlat !== false) && faults.length === 0 ? "flat" : "NOT FLAT";
const subtitle =
  `${traffic.requests.toLocaleString("en")} requests of ${VISITORS} visitors in ${minutes} minutes; ` +
  `Bun ${Bun.version}, load average ${load.toFixed(1)}; left of the dashed line: warm-up`;
const file = join(import.meta.dir, `../plots/soak-${store}.svg`);
await Bun.write(file, drawReadings(readings, `Soak, ${store}: ${verdict}`, subtitle, WARM_UP));

console.info(`\n${store}: ${subtitle}`);
for (const { name, slope, limit, unit, isFlat } of trends) {
  const sign = slope >= 0 ? "+" : "";
  const judgement =
    isFlat === undefined ? "not judged, the machine was busy" : isFlat ? "flat" : "GROWS";
  console.info(
    `  ${name.padEnd(33)} ${sign}${slope.toFixed(2)} ${unit} an hour (limit ${limit}): ${judgement}`,
  );
}
console.info(`  ${missed}`);
for (const fault of faults) console.error(`  WRONG: ${fault}`);
console.info(`  ${verdict}; plot in ${file}`);
if (verdict !== "flat") process.exitCode = 1;

function formatLine(
  minute: number,
  { rss, heap, descriptors, timers, p50, p99, max, idle }: Omit<TimedReading, "minute">,
): string {
  return (
    `${minute.toFixed(1).padStart(5)} min  rss ${rss.toFixed(0)} MiB  heap ${heap.toFixed(1)} MiB  fds ${descriptors}  ` +
    `timers ${timers}  lag p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, longest ${max.toFixed(0)} ms (idle p99 ${idle.p99.toFixed(1)})  ` +
    `${traffic.requests} requests`
  );
}
