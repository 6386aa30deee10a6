// The last part of `bun run check`: all tests, which have to cover all of src. If something is left out,
// says what: Bun's own table of everything that is covered would hide the tests that failed.
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const report = Bun.file(join(ROOT, "coverage/lcov.info"));
// That of an earlier run would tell of other code.
await report.delete().catch(() => undefined);

const suite = Bun.spawn(
  [
    process.execPath,
    "--config=tests/complete.toml",
    "test",
    "--parallel=4",
    "--only-failures",
    "--timeout=60000",
  ],
  {
    cwd: ROOT,
    env: { ...process.env, REQUIRE_SERVICES: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  },
);
const exitCode = await suite.exited;
for (const line of (await report.exists()) ? uncovered(await report.text()) : []) {
  console.error(line);
}
process.exit(exitCode);

/** The lines and functions that no test covers, a line of text for each file that has some. */
function uncovered(lcov: string): string[] {
  return lcov.split("end_of_record").flatMap((record) => {
    const read = (key: string): string[] =>
      [...record.matchAll(new RegExp(`^${key}:(.*)$`, "gm"))].map(([, value = ""]) => value);
    const lines = read("DA").flatMap((line) => (line.endsWith(",0") ? [line.split(",")[0]] : []));
    const functions = Number(read("FNF")[0]) - Number(read("FNH")[0]);
    const missing = [
      ...(lines.length > 0 ? [`lines ${lines.join(", ")}`] : []),
      ...(functions > 0 ? [`${functions} of ${read("FNF")[0]} functions`] : []),
    ];
    return missing.length > 0 ? [`${read("SF")[0]} is not covered: ${missing.join("; ")}`] : [];
  });
}
