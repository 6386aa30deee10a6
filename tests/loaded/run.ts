// `bun run test:loaded`: the suite, again and again, while every core is kept busy by other work.
//
//   --runs <n>        how often; 10 by default
//   --script <name>   which script of package.json; `test` by default
//
// A test that fails here and not on a quiet machine waits for a time instead of an event.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    script: { type: "string", default: "test" },
  },
});
const runs = Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs is ${options.runs}; it has to be a whole number above 0.`);
  process.exit(2);
}

const BUSY_LOOP = "for (;;);";
const cores = availableParallelism();
const load = Array.from({ length: cores }, () => {
  // Ends with this process, however that ends.
  const args = ["--no-orphans", "-e", BUSY_LOOP];
  return Bun.spawn([process.execPath, ...args], { stdio: ["ignore", "ignore", "ignore"] });
});

/** How often each test has failed. */
const failures = new Map<string, number>();
let failedRuns = 0;

for (let run = 1; run <= runs; run++) {
  const begun = performance.now();
  const suite = Bun.spawn([process.execPath, "run", options.script], {
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outputs = await Promise.all([suite.stdout.text(), suite.stderr.text()]);
  const exitCode = await suite.exited;
  const output = outputs.join("\n");
  const failed = [...output.matchAll(/^\(fail\) (.*?)(?: \[[\d.]+ms\])?$/gm)].map(
    ([, name = ""]) => name,
  );
  for (const name of new Set(failed)) failures.set(name, (failures.get(name) ?? 0) + 1);
  const passed = /^ *(\d+) pass$/m.exec(output)?.[1] ?? "0";
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.info(`run ${run} of ${runs}: ${passed} passed, ${failed.length} failed (${seconds} s)`);
  if (exitCode === 0) continue;
  failedRuns++;
  console.error(output);
}
for (const child of load) child.kill("SIGKILL");

for (const [name, count] of failures) console.info(`failed ${count} of ${runs} times: ${name}`);
console.info(`${runs - failedRuns} of ${runs} runs held, with ${cores} cores kept busy.`);
process.exit(failedRuns === 0 ? 0 : 1);
