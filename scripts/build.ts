/** `bun run build`: creates `dist`, to which `exports` in package.json points. */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { rolldown } from "rolldown";

import manifest from "../package.json";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");

/** The entries: their names in dist, and their sources. */
const ENTRIES = Object.values(manifest.exports)
  .flatMap((target) => (typeof target === "string" ? [] : [target.bun]))
  .map((path) => path.replace(/^\.\/dist\/(.*)\.js$/, "$1"));

rmSync(DIST, { recursive: true, force: true });
await Promise.all([bundle(), declareTypes()]);
await writeEntryForNode();

/** One file per entry, plus files for shared code, which load in half the time of separate modules. */
async function bundle(): Promise<void> {
  const build = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(ENTRIES.map((name) => [name, join("src", `${name}.ts`)])),
    platform: "node",
    external: /^(?![./])/,
    moduleTypes: { ".sql": "text" },
    tsconfig: false,
  });
  // "// @bun" tells Bun that there is nothing to transpile. Bun then reads the file as Latin-1.
  const { output } = await build.write({
    dir: DIST,
    banner: "// @bun",
    chunkFileNames: "shared/[name].js",
    sourcemap: true,
  });
  await build.close();
  for (const file of output) {
    if (file.type === "chunk")
      await Bun.write(join(DIST, file.fileName), escapeBeyondAscii(file.code));
  }
}

/** Has the same meaning in text, in a regular expression and in a comment; the sources have no other places for it. */
function escapeBeyondAscii(code: string): string {
  return code.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

async function declareTypes(): Promise<void> {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const command = [process.execPath, compiler, "--project", join(ROOT, "tsconfig.build.json")];
  const child = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] });
  if ((await child.exited) !== 0) throw new Error("The types cannot be declared.");
}

/**
 * Writes what Node.js imports for every entry: a clear error, instead of one about a missing `bun:` module. Node.js
 * first checks that the imported names exist, so the file exports them all.
 */
async function writeEntryForNode(): Promise<void> {
  const names = new Set<string>();
  for (const entry of ENTRIES) {
    for (const name of Object.keys((await import(join(DIST, `${entry}.js`))) as object)) {
      names.add(name);
    }
  }
  const source = await Bun.file(join(import.meta.dir, "entry-for-node.js")).text();
  const exported = [...names].toSorted().join(", ");
  await Bun.write(join(DIST, "entry-for-node.js"), `${source}export let ${exported};\n`);
}
