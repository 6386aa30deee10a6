import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { Folder } from "../support/folder.ts";

const ROOT = join(import.meta.dir, "../..");
/** What the package is built of. A run leaves the repository as it is. */
const SOURCES = ["src", "drizzle", "scripts", "docs", "examples", "bench", "package.json"];
const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "LICENSE",
  "tsconfig.json",
  "tsconfig.build.json",
];

/** What a command wrote, and how it ended. */
export interface Result {
  readonly code: number;
  readonly output: string;
}

export async function run(cwd: string, ...command: readonly string[]): Promise<Result> {
  // Nothing of this run is to reach a project of somebody's own, and npm says when it is out of date.
  const env = { ...process.env, NODE_ENV: undefined, NO_UPDATE_NOTIFIER: "1", PORT: "0" };
  const child = Bun.spawn([...command], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: output + errors };
}

/** The same, of a command that must not fail. */
export async function runWell(cwd: string, ...command: readonly string[]): Promise<string> {
  const { code, output } = await run(cwd, ...command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${output}`);
  return output;
}

function isSource(path: string): boolean {
  return basename(path) !== "node_modules";
}

/** Builds the package and packs it, as a release would: the path of the tarball, in `folder`. */
export async function pack(folder: Folder): Promise<string> {
  const copy = folder.file("package");
  for (const name of [...SOURCES, ...PAGES]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: isSource });
  }
  // `bun run dev` leaves its visitors' data here, which is not part of the package.
  for (const name of ["shop.db", "sessions.db-wal"]) {
    writeFileSync(join(copy, "examples/shop", name), "");
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  await runWell(copy, process.execPath, "scripts/build.ts");
  const flags = ["--ignore-scripts", "--destination", folder.path];
  await runWell(copy, process.execPath, "pm", "pack", ...flags);
  const name = readdirSync(folder.path).find((each) => each.endsWith(".tgz")) ?? "";
  return folder.file(name);
}

/** A project with the tarball in its node_modules, and everything else that this repository has installed. */
export async function unpackInto(project: string, tarball: string): Promise<void> {
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "bunpie"), { recursive: true });
  await runWell(join(modules, "bunpie"), "tar", "xzf", tarball, "--strip-components=1");
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
}
