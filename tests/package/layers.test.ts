import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";

const SRC = join(import.meta.dir, "../../src");

/** One import: which file, and what of. Paths are relative to src, others are as they stand. */
interface Import {
  readonly from: string;
  readonly to: string;
}

/** Each row: files that match the first may import what matches the second. */
const ARROWS: readonly (readonly [from: RegExp, to: RegExp])[] = [
  [/^index\.ts$/, /^(?:app|http|session|store)\/|^backends\/memory\/backend\.ts$/],
  [/^(?:index|testing|backends\/\w+|integrations\/\w+)\.ts$/, /^runtime\.ts$/],
  [/^app\//, /^(?:app|http|session|store)\//],
  [/^app\/file-response\.ts$/, /^range-parser$/],
  [/^app\/uploads\.ts$/, /^@fastify\/busboy$/],
  [/^app\/(?:request|socket|validate)\.ts$/, /^@standard-schema\/spec$/],
  [/^app\/app\.ts$/, /^backends\/memory\/backend\.ts$/],
  [/^integrations\//, /^(?:http|session|store)\//],
  [/^integrations\/elysia\.ts$/, /^(?:elysia|@elysiajs\/cookie)$/],
  [/^integrations\/hono\.ts$/, /^hono$/],
  [/^http\//, /^(?:http|session|store)\//],
  [/^session\//, /^(?:session|store)\//],
  [/^store\//, /^store\//],
  [/^backends\//, /^store\//],
  ...["memory", "sqlite", "postgres", "redis"].map(
    (name) => [RegExp(`^backends/${name}(?:/|\\.ts$)`), RegExp(`^backends/${name}/`)] as const,
  ),
  [/^backends\/sqlite\//, /^(?:bun:sqlite|drizzle-orm(?:\/.*)?)$/],
  [/^backends\/postgres\//, /^drizzle-orm(?:\/.*)?$/],
  [/^backends\/(?:sqlite|postgres)\//, /^backends\/(?:migration|rows|tables)\.ts$/],
  [/^backends\/sqlite\/migration-files\.ts$/, /^\.\.\/drizzle\/sqlite\/\w+\.sql$/],
  [/^backends\/postgres\/migration-files\.ts$/, /^\.\.\/drizzle\/postgres\/\w+\.sql$/],
  [/^backends\/(?:redis|postgres)\//, /^backends\/server-clock\.ts$/],
  [/^testing\.ts$/, /^testing\//],
  [/^testing\//, /^(?:testing\/|store\/|session\/id\.ts$|bun:test$)/],
  [/./, /^node:/],
];

function isAllowed({ from, to }: Import): boolean {
  return ARROWS.some(([importer, imported]) => importer.test(from) && imported.test(to));
}

/** Imports of every kind, those of types too: Bun's own scanner leaves those out. */
function findImports(file: string, source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const specifiers = code.matchAll(
    /^(?:import|export)\b[^;"]*\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm,
  );
  return [...specifiers].map(([, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? "";
    return {
      from: file,
      to: specifier.startsWith(".") ? join(dirname(file), specifier) : specifier,
    };
  });
}

/** What is loaded with a file: neither types, nor what is imported by a call. */
async function loadedBy(file: string, loaded = new Set<string>()): Promise<Set<string>> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  if (!file.endsWith(".ts")) return loaded;
  const source = await Bun.file(join(SRC, file)).text();
  for (const { path, kind } of new Bun.Transpiler({ loader: "ts" }).scanImports(source)) {
    if (kind !== "import-statement") continue;
    await loadedBy(path.startsWith(".") ? join(dirname(file), path) : path, loaded);
  }
  return loaded;
}

const files = await Array.fromAsync(new Bun.Glob("**/*.ts").scan(SRC));
const imports = (
  await Promise.all(
    files.map(async (file) => findImports(file, await Bun.file(join(SRC, file)).text())),
  )
).flat();

describe("the layers of src", () => {
  test("hold: every import follows an arrow", () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.filter((each) => !isAllowed(each))).toEqual([]);
  });

  test("are all in the table", () => {
    const layers = new Set(files.map((file) => dirname(file)));
    const all = [
      ".",
      "app",
      "backends",
      "backends/memory",
      "backends/postgres",
      "backends/redis",
      "backends/sqlite",
      "http",
      "integrations",
      "session",
      "store",
      "testing",
    ];
    expect([...layers].toSorted()).toEqual(all);
  });
});

describe("index.ts", () => {
  // Each of the others takes longer to load than all of src; whoever needs one imports it when first needed.
  test("loads only four modules of Node.js", async () => {
    const loaded = [...(await loadedBy("index.ts"))].filter((name) => !name.endsWith(".ts"));
    expect(loaded.toSorted()).toEqual([
      "node:async_hooks",
      "node:diagnostics_channel",
      "node:fs",
      "node:path",
    ]);
  });
});

describe("the test of the layers", () => {
  test.each([
    ["app/app.ts", "backends/sqlite/backend.ts"],
    ["app/request.ts", "backends/memory/backend.ts"],
    ["http/sessions.ts", "app/errors.ts"],
    ["http/sessions.ts", "integrations/hono.ts"],
    ["session/manager.ts", "http/sessions.ts"],
    ["session/manager.ts", "app/errors.ts"],
    ["session/manager.ts", "backends/memory/backend.ts"],
    ["session/manager.ts", "bun:sqlite"],
    ["store/load-save-store.ts", "session/json.ts"],
    ["store/load-save-store.ts", "backends/memory/backend.ts"],
    ["backends/memory/backend.ts", "session/id.ts"],
    ["backends/memory/backend.ts", "backends/sqlite/group-commit.ts"],
    ["backends/sqlite.ts", "backends/redis/backend.ts"],
    ["backends/sqlite/backend.ts", "backends/memory/backend.ts"],
    ["backends/postgres/backend.ts", "backends/sqlite/schema.ts"],
    ["backends/redis/backend.ts", "backends/sqlite/backend.ts"],
    ["backends/redis/connection.ts", "bun"],
    ["index.ts", "backends/sqlite/backend.ts"],
    ["app/app.ts", "drizzle-orm"],
    ["app/request.ts", "@fastify/busboy"],
    ["app/dev-page.ts", "youch"],
    ["app/validate.ts", "zod"],
    ["testing/client.ts", "backends/memory/backend.ts"],
    ["testing/client.ts", "session/manager.ts"],
    ["index.ts", "testing.ts"],
    ["app/app.ts", "testing/client.ts"],
    ["backends/memory/backend.ts", "bun:test"],
    ["integrations/hono.ts", "@elysiajs/cookie"],
    ["integrations/hono.ts", "app/app.ts"],
    ["integrations/hono.ts", "integrations/elysia.ts"],
    ["index.ts", "integrations/hono.ts"],
  ])("refuses %s to import %s", (from, to) => {
    expect(isAllowed({ from, to })).toBe(false);
  });

  test("recognizes every kind of import", () => {
    const source = [
      'import { a } from "./a.ts";',
      'import type { B } from "../b.ts";',
      "import {\n  c,\n  d,\n} from 'c';".replaceAll("'", '"'),
      'export * from "./e.ts";',
      'export type { F } from "f";',
      'import "g";',
      'const h = await import("h");',
      '// import "comment";',
      '/* import "comment"; */',
    ].join("\n");
    expect(findImports("app/x.ts", source).map(({ to }) => to)).toEqual([
      "app/a.ts",
      "b.ts",
      "c",
      "app/e.ts",
      "f",
      "g",
      "h",
    ]);
  });
});
