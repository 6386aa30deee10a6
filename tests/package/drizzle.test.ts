import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import manifest from "../../package.json";
import { Folder } from "../support/folder.ts";
import { describeLong } from "../support/trials.ts";

const ROOT = join(import.meta.dir, "../..");
const FIXTURE = "tests/fixtures/with-drizzle.ts";

/** The release that the rest of the tests do not run with. */
const NEXT = "drizzle-orm-1";

describeLong(true, "with Drizzle 1.0", () => {
  let folder: Folder;

  /** A copy of the package that finds this release in its node_modules. */
  beforeAll(() => {
    folder = new Folder();
    for (const name of ["src", "drizzle", "tests/support", "tsconfig.json", "package.json"]) {
      cpSync(join(ROOT, name), folder.file(name), { recursive: true });
    }
    cpSync(join(ROOT, FIXTURE), folder.file(FIXTURE.replace(/ts$/, "test.ts")));
    mkdirSync(folder.file("node_modules"));
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      const source = join(ROOT, "node_modules", name === "drizzle-orm" ? NEXT : name);
      symlinkSync(source, folder.file(`node_modules/${name}`));
    }
  });
  afterAll(() => folder.remove());

  async function run(...args: readonly string[]): Promise<string> {
    const command = [process.execPath, ...args];
    const child = Bun.spawn(command, { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return `${output}${errors}exit code ${await child.exited}`;
  }

  test("is the installed version", async () => {
    const { version } = await Bun.file(folder.file("node_modules/drizzle-orm/package.json")).json();
    expect(version).toStartWith("1.0.0");
  });

  test("both SQL backends keep their contract, and an app can query their tables", async () => {
    const output = await run("test", "--only-failures", "tests/fixtures");
    expect(output).not.toContain("(fail)");
    expect(output).toEndWith("exit code 0");
  }, 60_000);

  test("the types match", async () => {
    const output = await run("check", "--no-script");
    expect(output).not.toContain("error TS");
    expect(output).toEndWith("exit code 0");
  }, 60_000);
});

test("the accepted releases are the tested ones", () => {
  const next = manifest.devDependencies[NEXT].split("@").at(-1);
  expect(manifest.dependencies["drizzle-orm"]).toBe(`^0.45.4 || ^${next}`);
});
