import { Folder } from "../support/folder.ts";

/** What became of one test. */
export interface Outcome {
  /** The names of the blocks around it, from the outermost, and its own. */
  readonly path: readonly string[];
  readonly state: "passed" | "failed" | "skipped";
}

/** Runs a file of tests in a process of its own, and tells what became of each of them. */
export async function runTests(file: string, ...flags: readonly string[]): Promise<Outcome[]> {
  using folder = new Folder();
  const report = folder.file("report.xml");
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
  // Where nothing is configured: no coverage, and no folder that tests have to be in.
  const child = Bun.spawn([process.execPath, "test", ...reporter, ...flags, file], {
    cwd: folder.path,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const output = await child.stderr.text();
  if (!(await Bun.file(report).exists())) throw new Error(output);
  return outcomesIn(await Bun.file(report).text());
}

function outcomesIn(report: string): Outcome[] {
  const cases = report.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  );
  return [...cases].map(([, name = "", blocks = "", result = ""]) => ({
    path: [...unescapeXml(blocks).split(" > ").toReversed(), unescapeXml(name)],
    state: toState(result),
  }));
}

function toState(result: string): Outcome["state"] {
  if (result.includes("<failure")) return "failed";
  return result.includes("<skipped") ? "skipped" : "passed";
}

function unescapeXml(xml: string): string {
  return xml.replaceAll(/&(?:#(\d+)|(\w+));/g, (all, code?: string, name = "") =>
    code === undefined ? (ENTITIES[name] ?? all) : String.fromCodePoint(Number(code)),
  );
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
