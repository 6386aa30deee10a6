import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import manifest from "../../package.json";
import { Folder } from "../support/folder.ts";
import { isLong, testLong } from "../support/trials.ts";
import { codeBlocks } from "./markdown.ts";
import { pack, run, runWell, unpackInto } from "./tarball.ts";

const ROOT = join(import.meta.dir, "../..");
const PROGRAMS = join(import.meta.dir, "programs");
const BUN = process.execPath;
/** Whether there is a Node.js to try. */
const node = Bun.which("node");

/** What each program writes. There is one for every entry, and `declaration: true` has to do with all of them. */
const OUTPUTS: Readonly<Record<string, string>> = {
  "app.ts": "200 1\n",
  "elysia.ts": "1\n",
  "hono.ts": "1\n",
  "own-backend.ts": "true 1 2\n",
  "page.tsx": '<main class="page"><h1>Tea</h1><p>It is hot.</p></main>\n',
  "postgres.ts": "user_id expires_at\n",
  "redis.ts": "RedisSessionBackend\n",
  "sqlite.ts": "user_id expires_at\n",
};

let folder: Folder;
let tarball: string;
/** A project that has the package, and everything that its programs need. */
let project: string;

beforeAll(async () => {
  folder = new Folder();
  tarball = await pack(folder);
  project = folder.file("project");
  await unpackInto(project, tarball);
  cpSync(PROGRAMS, project, { recursive: true });
  const [first] = codeBlocks(await Bun.file(join(ROOT, "README.md")).text());
  await Bun.write(join(project, "readme.ts"), first?.code ?? "");
  await Bun.write(join(project, "package.json"), '{ "type": "module" }');
  const compilerOptions = { jsx: "react-jsx", jsxImportSource: "bunpie" };
  await Bun.write(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions }));
}, 120_000);
afterAll(() => folder.remove());

/** An empty project in which a package manager has installed the tarball, and these. */
async function install(name: string, command: readonly string[], ...packages: readonly string[]) {
  const path = folder.file(name);
  await Bun.write(join(path, "package.json"), '{ "type": "module" }');
  await runWell(path, ...command, tarball, ...packages);
  cpSync(join(project, "readme.ts"), join(path, "readme.ts"));
  return path;
}

describe("the programs", () => {
  test("are all in the table", () => {
    expect(readdirSync(PROGRAMS).toSorted()).toEqual(Object.keys(OUTPUTS));
  });

  test.each(Object.entries(OUTPUTS))("%s runs on the packed files", async (file, output) => {
    expect(await run(project, BUN, file)).toEqual({ code: 0, output });
  });

  test("read the texts of packed files as they were written", async () => {
    const code = `const { App } = await import("bunpie");
      try { new App({ log: 1 }); } catch ({ message }) { console.log(message); }`;
    const output =
      "`log` has to be a function that takes an entry, (entry) => …, or `false` for no log.\n";
    expect(await run(project, BUN, "-e", code)).toEqual({ code: 0, output });
    // Bun reads a file that begins with "// @bun" as Latin-1.
    const dist = join(project, "node_modules/bunpie/dist");
    const beyond: string[] = [];
    for await (const path of new Bun.Glob("**/*.js").scan({ cwd: dist })) {
      if (/[^\0-\x7f]/.test(await Bun.file(join(dist, path)).text())) beyond.push(path);
    }
    expect(beyond).toEqual([]);
  });
});

interface Setting {
  readonly compiler: "typescript-7" | "typescript-5";
  readonly resolution: "bundler" | "nodenext";
  readonly hasDom: boolean;
  readonly target: "ES2022" | "ESNext";
  readonly strict: boolean;
}

const COMPILERS = ["typescript-7", "typescript-5"] as const;

/** Every combination, or in a quick run one. */
const settings: readonly Setting[] = COMPILERS.flatMap((compiler) =>
  (["bundler", "nodenext"] as const).flatMap((resolution) =>
    [true, false].flatMap((hasDom) =>
      (["ES2022", "ESNext"] as const).flatMap((target) =>
        [true, false].map((strict) => ({ compiler, resolution, hasDom, target, strict })),
      ),
    ),
  ),
).filter((_, index) => isLong || index === 8);

function writeSetting(setting: Setting, name: string): Promise<number> {
  const { resolution, hasDom, target, strict } = setting;
  const compilerOptions = {
    target,
    lib: hasDom ? [target, "DOM"] : [target],
    module: resolution === "bundler" ? "preserve" : "nodenext",
    moduleResolution: resolution,
    strict,
    declaration: true,
    rootDir: "..",
    outDir: name,
    skipLibCheck: true,
    jsx: "react-jsx",
    jsxImportSource: "bunpie",
  };
  const text = JSON.stringify({ compilerOptions, include: ["../*.ts", "../*.tsx"] });
  return Bun.write(join(project, "settings", `${name}.json`), text);
}

describe("the types", () => {
  test.each(COMPILERS.filter((compiler) => settings.some((each) => each.compiler === compiler)))(
    "have no error in any project, with or without DOM and strict: %s",
    async (compiler) => {
      const names: string[] = [];
      for (const setting of settings.filter((each) => each.compiler === compiler)) {
        const { resolution, hasDom, target, strict } = setting;
        const name = `${compiler}-${resolution}-${target}-${hasDom ? "dom" : "no-dom"}-${strict ? "strict" : "loose"}`;
        await writeSetting(setting, name);
        names.push(`settings/${name}.json`);
      }
      const compile = join(project, "node_modules", compiler, "bin/tsc");
      expect(await run(project, BUN, compile, "--build", ...names)).toEqual({
        code: 0,
        output: "",
      });
      expect(names).toHaveLength(isLong ? 16 : 1);
    },
    600_000,
  );

  testLong("of the package itself have no error without skipLibCheck", async () => {
    const setting = { compiler: "typescript-7", resolution: "nodenext", hasDom: true } as const;
    await writeSetting({ ...setting, target: "ES2022", strict: true }, "all");
    const compile = join(project, "node_modules/typescript/bin/tsc");
    const flags = ["-p", "settings/all.json", "--skipLibCheck", "false", "--noEmit"];
    const { output } = await run(project, BUN, compile, ...flags);
    // Those of Drizzle and Elysia have some.
    expect(output).toContain("drizzle-orm");
    const errors = output.split("\n").filter((line) => line.includes("): error TS"));
    const others = /^(?!node_modules\/bunpie\/).*node_modules\//;
    expect(errors.filter((line) => !others.test(line))).toEqual([]);
  });
});

describe("an error names what is missing:", () => {
  test("elysia and @elysiajs/cookie", async () => {
    const path = folder.file("without");
    await unpackInto(path, tarball);
    cpSync(join(PROGRAMS, "elysia.ts"), join(path, "elysia.ts"));
    for (const name of ["@elysiajs", "elysia"]) {
      rmSync(join(path, "node_modules", name));
      const { code, output } = await run(path, BUN, "--no-install", "elysia.ts");
      expect(code).toBe(1);
      expect(output).toMatch(RegExp(`Cannot find (?:module|package) '${name}`));
    }
  });

  test("@types/bun, by the constraint of every session", async () => {
    const path = folder.file("without-types");
    await unpackInto(path, tarball);
    cpSync(join(project, "readme.ts"), join(path, "readme.ts"));
    await Bun.write(join(path, "package.json"), '{ "type": "module" }');
    for (const name of ["bun-types", "@types"]) rmSync(join(path, "node_modules", name));
    // Symbolic links lead back to where the types are.
    const flags = ["--noEmit", "--skipLibCheck", "--preserveSymlinks", "--module", "nodenext"];
    const compile = join(path, "node_modules/typescript/bin/tsc");
    const { output } = await run(path, BUN, compile, ...flags, "readme.ts");
    expect(output).toContain('"The types of Bun are missing: bun add --dev @types/bun"');
  });

  test.skipIf(node === null)("Bun, if a program is started with node", async () => {
    const targets = Object.values(manifest.exports);
    const nodes = targets.map((target) => (typeof target === "string" ? undefined : target.node));
    expect(new Set(nodes)).toEqual(new Set(["./dist/entry-for-node.js", undefined]));
    const code = 'import { App } from "bunpie"; import { sessionsTable } from "bunpie/sqlite";';
    await Bun.write(join(project, "on-node.mjs"), `${code} console.log(App, sessionsTable);`);
    const { code: exitCode, output } = await run(project, node ?? "node", "on-node.mjs");
    expect(exitCode).toBe(1);
    const version = manifest.engines.bun.replace(">=", "");
    expect(output).toContain(`Bunpie needs Bun ${version} or newer, but this is Node.js `);
    expect(output).not.toContain("    at ");
  });
});

describe("a bundled app", () => {
  const program = `
    import { Sessions } from "bunpie";
    import { SqliteSessionBackend } from "bunpie/sqlite";
    const sessions = new Sessions({ backend: new SqliteSessionBackend(":memory:") });
    const open = await sessions.open(new Request("http://localhost/"));
    open.session.visits = 1;
    const response = await sessions.commit(open, new Response());
    console.log("stored", await sessions.sweep(), response.headers.has("set-cookie"));
    await sessions.close();`;

  test.each([
    ["as a program", ["--compile", "--outfile=bundled"], ["./bundled"]],
    ["as one file", ["--target=bun", "--outfile=bundle.js"], [BUN, "bundle.js"]],
  ])("contains the migrations: %s", async (_, flags, command) => {
    await Bun.write(join(project, "bundled.ts"), program);
    await runWell(project, BUN, "build", "bundled.ts", ...flags);
    rmSync(join(project, "bundled.ts"));
    expect(await run(project, ...command)).toEqual({ code: 0, output: "stored 0 true\n" });
  });
});

describe("the tarball", () => {
  test("contains every file that its pages link to", async () => {
    const root = join(project, "node_modules/bunpie");
    const pages = await Array.fromAsync(new Bun.Glob("**/*.md").scan({ cwd: root }));
    expect(pages).toContain("docs/sessions.md");
    const missing: string[] = [];
    for (const page of pages) {
      const text = await Bun.file(join(root, page)).text();
      for (const [, path = ""] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        if (!existsSync(join(root, dirname(page), path))) missing.push(`${page}: ${path}`);
      }
    }
    expect(missing).toEqual([]);
  });

  test("contains no database that an example has written", async () => {
    const cwd = join(project, "node_modules/bunpie");
    const written = await Array.fromAsync(new Bun.Glob("**/*.db*").scan({ cwd }));
    expect(written).toEqual([]);
  });

  testLong("satisfies publint and attw", async () => {
    const modules = join(project, "node_modules");
    const path = join(modules, "bunpie");
    // It suggests `engines.node`, which there is no value for.
    const flags = ["--strict", "--level", "warning"];
    expect(await runWell(path, BUN, join(modules, "publint/src/cli.js"), ...flags)).toContain(
      "All good!",
    );
    // The package is ESM for Bun: neither Node 10 nor `require` is a way to it.
    const attw = join(modules, "@arethetypeswrong/cli/dist/index.js");
    expect(await runWell(path, BUN, attw, tarball, "--profile", "esm-only")).toContain(
      "bunpie/hono",
    );
  });
});

async function checkFirstProgram(path: string): Promise<void> {
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"];
  const compile = join(path, "node_modules/typescript/bin/tsc");
  expect(await run(path, BUN, compile, ...flags, "readme.ts")).toEqual({ code: 0, output: "" });
  const ask = `const { default: app } = await import("./readme.ts");
    console.log(await (await app.fetch(new Request("http://localhost/"))).text());
    await app.close();`;
  const { output } = await run(path, BUN, "-e", ask);
  expect(output).toContain("You have visited 1 times.");
}

describe("an empty project", () => {
  testLong("installs with bun everything that the first program needs", async () => {
    const path = await install("by-bun", [BUN, "add"], "@types/bun", "typescript@5.9");
    await checkFirstProgram(path);
  });

  testLong("installs with npm everything that the first program needs", async () => {
    if (Bun.which("npm") === null) return;
    const command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline"];
    const path = await install("by-npm", command, "@types/bun", "typescript@5.9");
    await checkFirstProgram(path);
  });

  testLong(
    "starts from the starter by bun create, and passes the starter's own check and test",
    async () => {
      const path = folder.file("starter");
      const templates = join(project, "node_modules/bunpie/examples");
      const create = ["create", "starter", path, "--no-install", "--no-git"];
      await runWell(folder.path, "env", `BUN_CREATE_DIR=${templates}`, BUN, ...create);
      expect(existsSync(join(path, ".gitignore"))).toBeTrue();
      // It names the release on the registry.
      const file = Bun.file(join(path, "package.json"));
      const starter = (await file.json()) as { dependencies: { bunpie: string } };
      expect(starter.dependencies.bunpie).toBe(`^${manifest.version}`);
      starter.dependencies.bunpie = tarball;
      await file.write(JSON.stringify(starter));
      await runWell(path, BUN, "install");
      expect(await run(path, BUN, "run", "check")).toMatchObject({ code: 0 });
      const { code, output } = await run(path, BUN, "test");
      expect(output).toMatch(/^ 1 pass$/m);
      expect(code).toBe(0);
    },
  );
});
