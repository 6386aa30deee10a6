// `bun run bench:soak`: does every visit count? 200 sessions under load for 30 seconds, on the memory
// and the SQLite backend; in the end the counters add up to exactly the requests that were served.
import { CONTESTANTS } from "./contestants.ts";
import { measure } from "./measure.ts";
import { requireTools, stop } from "./requirements.ts";

const SECONDS = 30;

requireTools();
let failed = false;
for (const contestant of CONTESTANTS) {
  if (contestant.server !== "bunpie" || contestant.path !== "/") continue;
  const sample = await measure(contestant, SECONDS);
  failed ||= sample.faults.length > 0;
  console.info(
    [
      contestant.work,
      `  ${sample.requests} requests in ${SECONDS} s, ${Math.round(sample.perSecond)} a second`,
      `  ${sample.microseconds.toFixed(2)} µs of CPU a request, ${Math.round(sample.rss / 2 ** 20)} MiB in the end`,
      `  ${sample.verdict}`,
      ...sample.faults.map((fault) => `  WRONG: ${fault}`),
    ].join("\n"),
  );
}
if (failed) stop("Some answers were wrong: see above.");
