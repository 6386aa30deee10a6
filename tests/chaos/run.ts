// `bun run chaos`: three servers over one store, visitors at work, and everything breaks. An outside checker,
// with a client and a history of its own, looks whether what was acknowledged held.
//
//   sqlite redis postgres  these stores alone
//   --seconds <n>          how long for each; 60 by default
//   --users <n>            how many visitors; 30 by default
//   --seed <n>             where random choices begin; 1 by default. When they fall is up to the machine
//   --naive                servers that load and save the whole session: the checker has to find them broken
//
// What was done goes to node_modules/.cache/chaos/report.md, and the history of what did not hold beside it.
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { History } from "./checker/history.ts";
import { describeResult, summarize } from "./report.ts";
import type { StoreName } from "./stores.ts";
import { startStore } from "./stores.ts";
import type { TrialResult } from "./trial.ts";
import { runTrial, SERVERS } from "./trial.ts";

const STORE_NAMES = ["sqlite", "redis", "postgres"] as const;
const FOLDER = join(import.meta.dir, "../../node_modules/.cache/chaos");

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    users: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    naive: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const seconds = toNumber("seconds");
const options = {
  program: values.naive ? "naive" : "bunpie",
  users: toNumber("users"),
  seed: toNumber("seed"),
  isOver: (_: History, elapsed: number) => elapsed >= seconds * 1_000,
} as const;

const results: TrialResult[] = [];
for (const name of chooseStores()) {
  await using store = await startStore(name, SERVERS);
  const result = await runTrial(store, options);
  results.push(result);
  console.info(describeResult(result));
  const file = join(FOLDER, `${name}.jsonl`);
  const lines = result.violations.flatMap(({ kind, text, history }) =>
    [{ kind, text } as object].concat(history),
  );
  await Bun.write(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  if (lines.length > 0) console.error(`  The requests that show it: ${file}`);
}
await Bun.write(join(FOLDER, "report.md"), summarize(results, options, seconds));
process.exit(results.every(({ violations }) => violations.length === 0) ? 0 : 1);

function chooseStores(): readonly StoreName[] {
  const unknown = positionals.find((name) => !STORE_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    fail(`There is no store "${unknown}". There are: ${STORE_NAMES.join(", ")}.`);
  }
  if (values.naive) return ["files"];
  return STORE_NAMES.filter((name) => positionals.length === 0 || positionals.includes(name));
}

function toNumber(name: "seconds" | "users" | "seed"): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number > 0) return number;
  return fail(`--${name} is ${values[name]}; it has to be a whole number above 0.`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
