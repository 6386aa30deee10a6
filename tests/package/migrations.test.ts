import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bunpie-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function filesIn(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).toSorted();
}

test.each([
  ["sqlite", "sqlite"],
  ["postgres", "postgresql"],
])(
  "the migrations in drizzle/%s match the schema",
  async (name, dialect) => {
    const out = join(directory, name);
    await cp(join(ROOT, "drizzle", name), out, { recursive: true });
    const before = await filesIn(out);
    const kit = Bun.spawn(
      [
        process.execPath,
        join(ROOT, "node_modules/drizzle-kit/bin.cjs"),
        "generate",
        `--dialect=${dialect}`,
        `--schema=${join(ROOT, `src/backends/${name}/schema.ts`)}`,
        `--out=${name}`,
      ],
      { cwd: directory, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    );
    const output = await kit.stdout.text();
    expect(await kit.exited).toBe(0);
    expect(output).toContain("bunpie_sessions 12 columns 2 indexes");
    expect(output).toContain("No schema changes, nothing to migrate");
    expect(await filesIn(out)).toEqual(before);
  },
  20_000,
);
