import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Folder } from "../support/folder.ts";
import type { Fault } from "./seeded-faults.ts";

const ROOT = join(import.meta.dir, "../..");

/** What the tests need, apart from what is installed. */
const PARTS = ["src", "tests", "drizzle", "examples", "package.json", "tsconfig.json"];

/** A run that takes longer, in milliseconds, is ended. */
const TIMEOUT = 120_000;

/** How a test went. One that did not come to its end is neither. */
export type Outcome = "pass" | "fail";

/**
 * A copy of the package that can be broken without harm. A plugin that changes what is imported would
 * not reach the processes that tests start; a folder does.
 */
export class FaultyCopy implements Disposable {
  readonly #folder = new Folder();

  constructor() {
    for (const part of PARTS) {
      cpSync(join(ROOT, part), this.#folder.file(part), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), this.#folder.file("node_modules"));
    mkdirSync(this.#folder.file("tmp"));
    // PostgreSQL runs as another user, and has to reach its data in "tmp".
    chmodSync(this.#folder.path, 0o711);
  }

  /** Breaks what the fault breaks, until the end of the `using` block. */
  seed({ file, find, replace }: Fault): Disposable {
    const path = this.#folder.file(file);
    const sound = readFileSync(path, "utf8");
    writeFileSync(path, seeded(sound, find, replace));
    return { [Symbol.dispose]: () => writeFileSync(path, sound) };
  }

  /**
   * Runs the tests of these names, or whose full names end in these, and tells how each went. With
   * `--bail`, none after the first that fails: a name may stand for a test of every store.
   */
  async run(
    files: readonly string[],
    names: readonly string[],
    ...flags: readonly string[]
  ): Promise<Map<string, Outcome>> {
    const args = [
      "--config=tests/guarantees/bunfig.toml",
      "test",
      "--timeout=60000",
      ...flags,
      ...files,
    ];
    const child = Bun.spawn([process.execPath, ...args, "--test-name-pattern", toPattern(names)], {
      cwd: this.#folder.path,
      env: {
        ...process.env,
        // As in `bun run check`: with some seeds, a fault makes a search of this size endless.
        TRIALS: "gate",
        SEED: undefined,
        NO_COLOR: "1",
        FORCE_COLOR: undefined,
        // A test that breaks off leaves its files behind: here they go with the copy.
        TMPDIR: this.#folder.file("tmp"),
      },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: TIMEOUT,
      killSignal: "SIGKILL",
    });
    const lines = (await child.stderr.text()).matchAll(
      /^\((pass|fail)\) (.*?)(?: \[[\d.]+ms\])?$/gm,
    );
    return new Map([...lines].map(([, outcome, name = ""]) => [name, outcome as Outcome]));
  }

  [Symbol.dispose](): void {
    this.#folder.remove();
  }
}

/** @throws Error if what is to be broken is not there, or is there twice. */
export function seeded(source: string, find: string, replace: string): string {
  const [before = "", after, ...more] = source.split(find);
  if (after === undefined || more.length > 0) {
    const count = after === undefined ? "not there" : `there ${more.length + 1} times`;
    throw new Error(`The list of faults is stale: what is to be broken is ${count}:\n${find}`);
  }
  return before + replace + after;
}

/** Whether a test of this full name is meant. */
export function isMeant(fullName: string, name: string): boolean {
  return fullName === name || fullName.endsWith(` > ${name}`);
}

/** Bun puts a blank between the names of blocks where its report has an arrow. */
function toPattern(names: readonly string[]): string {
  const escaped = names.map((name) => RegExp.escape(name.replaceAll(" > ", " ")));
  return `(?:^| )(?:${escaped.join("|")})$`;
}
