// `bun run guarantees`: everything in tests/guarantees at its full size, and two pages of docs from it.
//
//   G6 G7        these figures alone; docs/guarantees.md is then left as it is
//   --seed <n>   where random choices begin; 1 by default
//   --random     a seed that nobody has chosen
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { Figure, Report } from "./figure.ts";
import { number } from "./figure.ts";
import type { Result } from "./report.ts";
import { describeOutcomes, describeRun, writeFaultsPage, writePage } from "./report.ts";

const { values: options, positionals: chosen } = parseArgs({
  options: { seed: { type: "string", default: "1" }, random: { type: "boolean", default: false } },
  allowPositionals: true,
});
const seed = options.random ? crypto.getRandomValues(new Uint32Array(1))[0] : Number(options.seed);
if (seed === undefined || !Number.isInteger(seed)) {
  console.error(`--seed is ${options.seed}; it has to be a whole number.`);
  process.exit(2);
}
console.info(`Seed ${seed}.`);

/** So many figures at a time of those that mostly wait. */
const AT_ONCE = 2;

const CONFIG = join(import.meta.dir, "bunfig.toml");
const results: Result[] = [];
let failures = 0;
const files = [...new Bun.Glob("*.test.ts").scanSync(import.meta.dir)].toSorted();
for (const file of files) await runFile(join(import.meta.dir, file), seed);

if (results.length + failures === 0) {
  console.error(`There is no figure ${chosen.join(" ")}.`);
  process.exit(2);
}
if (chosen.length === 0) {
  const inOrder = results.toSorted((one, other) => toNumber(one.figure) - toNumber(other.figure));
  await write("guarantees.md", writePage(inOrder, describeRun(seed)));
}
// There is no other outcome that G22 holds with: every fault was tried and noticed.
const noticed = results.find(({ figure, failure }) => figure.id === "G22" && failure === undefined);
if (noticed !== undefined) {
  await write("seeded-faults.md", writeFaultsPage(noticed.figure.full, describeRun(seed)));
}
const held = results.filter(({ failure }) => failure === undefined).length;
console.info(`${held} held, ${results.length - held} did not (seed ${seed}).`);
process.exit(failures === 0 ? 0 : 1);

async function write(name: string, page: string): Promise<void> {
  const path = join(import.meta.dir, "../../docs", name);
  await Bun.write(path, page);
  Bun.spawnSync([process.execPath, "fmt", path]);
}

/** Runs one file by itself, so that figures that measure time have the machine to themselves. */
async function runFile(path: string, from: number): Promise<void> {
  const running = new Map<string, Figure>();
  let current: Figure | undefined;
  const names = chosen.length === 0 ? String.raw`\bG\d+:` : String.raw`\b(?:${chosen.join("|")}):`;
  const child = Bun.spawn(
    [
      process.execPath,
      `--config=${CONFIG}`,
      "test",
      `--max-concurrency=${AT_ONCE}`,
      "--test-name-pattern",
      names,
      path,
    ],
    {
      env: { ...process.env, TRIALS: "full", SEED: String(from) },
      stdio: ["ignore", "pipe", "pipe"],
      serialization: "json",
      ipc(report: Report) {
        switch (report.type) {
          case "begun":
            current = report.figure;
            running.set(current.name, current);
            show(current, "…");
            break;
          case "progress":
            if (current !== undefined) show(current, `${number(report.done)} …`);
            break;
          case "ended":
            running.delete(report.figure.name);
            results.push(report);
            finish(report.figure, `${describeOutcomes(report)} (${report.seconds.toFixed(1)} s)`);
        }
      },
    },
  );
  const [output, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
  if (exitCode === 0 || output.includes("matched 0 tests")) return;
  failures++;
  for (const figure of running.values()) {
    const result = { figure, outcomes: [], seconds: 0, failure: "it did not come to its end" };
    results.push(result);
    finish(figure, describeOutcomes(result));
  }
  console.error(output);
}

function show(figure: Figure, state: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${formatLine(figure, state)}`);
}

function finish(figure: Figure, state: string): void {
  if (process.stdout.isTTY) process.stdout.write("\r\u001b[K");
  console.info(formatLine(figure, state));
}

function formatLine({ id, name, full, of }: Figure, state: string): string {
  return `${id.padEnd(4)} ${name}, ${number(full)} ${of}: ${state}`;
}

function toNumber({ id }: Figure): number {
  return Number(id.slice(1));
}
