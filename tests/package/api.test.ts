import { expect } from "bun:test";
import { join } from "node:path";

import { Folder } from "../support/folder.ts";
import { testLong } from "../support/trials.ts";
import { runWell } from "./tarball.ts";

const ROOT = join(import.meta.dir, "../..");

/** The pages of a folder, by their paths. */
async function readPages(folder: string): Promise<Map<string, string>> {
  const paths = await Array.fromAsync(new Bun.Glob("**/*.md").scan(folder));
  const pages = paths
    .toSorted()
    .map(async (path) => [path, await Bun.file(join(folder, path)).text()] as const);
  return new Map(await Promise.all(pages));
}

testLong(
  "docs/api is what `bun run docs` writes",
  async () => {
    using folder = new Folder();
    await runWell(ROOT, "node_modules/.bin/typedoc", "--out", folder.path);
    const written = await readPages(folder.path);
    expect(written.size).toBeGreaterThan(50);
    expect(await readPages(join(ROOT, "docs/api"))).toEqual(written);
  },
  600_000,
);
