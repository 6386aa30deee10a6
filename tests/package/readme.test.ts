import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { TestClient } from "../../src/testing/client.ts";
import tsconfig from "../../tsconfig.json";
import { ServedApp } from "../support/processes/served-app.ts";
import { codeBlocks } from "./markdown.ts";

const ROOT = join(import.meta.dir, "../..");
/** Written by a program, which its own test looks after. */
const GENERATED = new Set(["guarantees.md", "seeded-faults.md"]);
const GUIDES = readdirSync(join(ROOT, "docs"))
  .filter((name) => name.endsWith(".md") && !GENERATED.has(name))
  .toSorted()
  .map((name) => `docs/${name}`);
const RUNNER = join(import.meta.dir, "../fixtures/run-example.ts");

/** The pages whose programs are checked; a program's file begins with its page's name. */
const PAGES = ["README.md", ...GUIDES];
/** The pages whose links and scripts are checked. */
const LINKING = [...PAGES, "examples/README.md"];

interface Program {
  readonly page: string;
  readonly marks: readonly string[];
  readonly code: string;
  readonly line: number;
  readonly file: string;
}

// A program that cannot run by itself, for what it asks of the world around it, is marked
// "```ts no-run". Its types are checked all the same. One that others import has its file's name
// there, and one whose name ends with .test.ts is run by `bun test`.
async function readPrograms(page: string): Promise<Program[]> {
  return codeBlocks(await Bun.file(join(ROOT, page)).text())
    .filter(({ language }) => language === "ts" || language === "tsx")
    .map(({ language, marks, code, line }, index) => {
      const file =
        marks.find((mark) => mark.endsWith(".ts")) ??
        `${basename(page, ".md")}-${index + 1}.${language}`;
      return { page, marks, code, line, file };
    });
}

const programs = (await Promise.all(PAGES.map(readPrograms))).flat();
const tests = programs.filter(({ file }) => file.endsWith(".test.ts"));

/** A project of somebody's own, which depends on Bunpie and has the programs in it. */
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "bunpie-"));
  const modules = join(project, "node_modules");
  await mkdir(modules);
  for (const name of await readdir(join(ROOT, "node_modules"))) {
    await symlink(join(ROOT, "node_modules", name), join(modules, name));
  }
  for (const { file, code } of programs) await Bun.write(join(project, file), code);
  // An example may well name a parameter that it does not use.
  const paths = Object.entries(tsconfig.compilerOptions.paths).map(([entry, [source = ""]]) => [
    entry,
    [join(ROOT, source)],
  ]);
  const compilerOptions = {
    ...tsconfig.compilerOptions,
    noUnusedParameters: false,
    paths: Object.fromEntries(paths),
  };
  await Bun.write(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions,
      include: ["*.ts", "*.tsx", join(ROOT, "src/sql.d.ts")],
    }),
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

describe("the programs of the README and the guides", () => {
  test("type-check in a project that depends on Bunpie", async () => {
    const { code, output } = await bun("check", "--no-script");
    // Line 1 of a file is so many lines below the page's first.
    const where = programs.map(({ file, page, line }) => `${file}: ${page}:${line}`).join("\n");
    expect(code, `${output}\n${where}`).toBe(0);
  }, 600_000);

  test.each(
    programs.filter((program) => !program.marks.includes("no-run") && !tests.includes(program)),
  )("run: the one at $page:$line", async ({ file }) => {
    const { code, output } = await bun(RUNNER, join(project, file));
    expect(code, output).toBe(0);
  });

  test.each(tests)("are tests that pass: the one at $page:$line", async ({ file }) => {
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

describe.each(LINKING)("%s", (page) => {
  const markdown = Bun.file(join(ROOT, page));

  test("links to existing files only", async () => {
    const links = [...(await markdown.text()).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)];
    for (const [, path = ""] of links) {
      expect(existsSync(join(ROOT, dirname(page), path)), path).toBeTrue();
    }
  });

  test("links to existing sections of its own only", async () => {
    const text = await markdown.text();
    const sections = readSections(text);
    const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
    expect(links.filter((anchor) => !sections.has(anchor))).toEqual([]);
  });

  test("links to existing sections of other pages only", async () => {
    const links = [...(await markdown.text()).matchAll(/\]\(([^)#:]+\.md)#([^)]+)\)/g)];
    for (const [, path = "", anchor = ""] of links) {
      const sections = readSections(await Bun.file(join(ROOT, dirname(page), path)).text());
      expect([...sections], `${path}#${anchor}`).toContain(anchor);
    }
  });

  test("names only scripts that package.json has", async () => {
    const { scripts } = (await import("../../package.json")).default;
    const named = [...(await markdown.text()).matchAll(/\bbun run ([\w:]+)(?![\w:./])/g)];
    expect(named.map(([, name = ""]) => name).filter((name) => !(name in scripts))).toEqual([]);
  });
});

/** The anchors of a page's sections. */
function readSections(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => toAnchor(title)));
}

/** What GitHub calls a section. */
function toAnchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

describe("codeBlocks", () => {
  test("returns language, marks, code and line", () => {
    const text = ["# A", "", "```ts no-run", "a();", "```", "b", "```sh", "```", ""].join("\n");
    expect(codeBlocks(text)).toEqual([
      { language: "ts", marks: ["no-run"], code: "a();\n", line: 4 },
      { language: "sh", marks: [], code: "", line: 8 },
    ]);
  });
});
