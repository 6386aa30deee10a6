import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TestClient } from "../../src/testing/client.ts";
import tsconfig from "../../tsconfig.json";
import { codeBlocks } from "../support/markdown.ts";
import { ServedApp } from "../support/served-app.ts";

const ROOT = join(import.meta.dir, "../..");
const RUNNER = join(import.meta.dir, "../fixtures/run-example.ts");

// A program that cannot run by itself, for what it asks of the world around it, is marked
// "```ts no-run". Its types are checked all the same. One that others import has its file's name
// there, and one whose name ends with .test.ts is run by `bun test`.
const programs = codeBlocks(await Bun.file(join(ROOT, "README.md")).text())
  .filter(({ language }) => language === "ts")
  .map(({ marks, code, line }, index) => {
    const file = marks.find((mark) => mark.endsWith(".ts")) ?? `program-${index + 1}.ts`;
    return { marks, code, line, file };
  });
const tests = programs.filter(({ file }) => file.endsWith(".test.ts"));

/** A project of somebody's own, which depends on Bunpie and has the README's programs in it. */
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "bunpie-"));
  const modules = join(project, "node_modules");
  await mkdir(modules);
  await symlink(ROOT, join(modules, "bunpie"));
  for (const name of await readdir(join(ROOT, "node_modules"))) {
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  for (const { file, code } of programs) await Bun.write(join(project, file), code);
  // An example may well name a parameter that it does not use.
  const compilerOptions = { ...tsconfig.compilerOptions, noUnusedParameters: false };
  await Bun.write(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["*.ts"] }),
  );
});

afterAll(async () => {
  await rm(project, { recursive: true });
});

/** Runs Bun in the project: its exit code, and what it wrote. */
async function bun(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: project,
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: output + errors };
}

describe("the README's programs", () => {
  test("type-check in a project that depends on Bunpie", async () => {
    const { code, output } = await bun("check", "--no-script");
    // A line of the file that is named here is so many lines below the one in README.md.
    const where = programs.map(({ file, line }) => `${file}: line ${line - 1}`).join("\n");
    expect(code, `${output}\n${where}`).toBe(0);
  }, 20_000);

  test.each(
    programs.filter((program) => !program.marks.includes("no-run") && !tests.includes(program)),
  )("run: the one at line $line", async ({ file }) => {
    const { code, output } = await bun(RUNNER, join(project, file));
    expect(code, output).toBe(0);
  });

  test.each(tests)("are tests that pass: the one at line $line", async ({ file }) => {
    const { code, output } = await bun("test", join(project, file));
    expect(code, output).toBe(0);
    expect(output).toMatch(/^ [1-9]\d* pass$/m);
  });

  test("begin with one that counts visits", async () => {
    await using child = new ServedApp(join(project, programs[0]?.file ?? ""), {
      env: { PORT: "0" },
      flags: [`--cwd=${project}`],
    });
    const url = await child.url();
    const client = new TestClient({
      fetch: ({ headers }) => fetch(url, { headers }),
    });
    expect(await client.text("/")).toBe("You have visited 1 times.");
    expect(await client.text("/")).toBe("You have visited 2 times.");
  });
});

describe("the README", () => {
  const markdown = Bun.file(join(ROOT, "README.md"));

  test("links to nothing in the repository that is not there", async () => {
    const links = [...(await markdown.text()).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)];
    for (const [, path = ""] of links) {
      expect(existsSync(join(ROOT, path)), path).toBeTrue();
    }
  });

  test("names no script that package.json does not have", async () => {
    const { scripts } = (await import("../../package.json")).default;
    const named = [...(await markdown.text()).matchAll(/\bbun run ([\w:]+)(?![\w:./])/g)];
    expect(named.map(([, name = ""]) => name).filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe("codeBlocks", () => {
  test("gives language, marks, code and line", () => {
    const text = ["# A", "", "```ts no-run", "a();", "```", "b", "```sh", "```", ""].join("\n");
    expect(codeBlocks(text)).toEqual([
      { language: "ts", marks: ["no-run"], code: "a();\n", line: 4 },
      { language: "sh", marks: [], code: "", line: 8 },
    ]);
  });
});
