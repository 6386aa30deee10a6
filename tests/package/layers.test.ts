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

/** A way through the imports that ends where it began, if there is one. */
function cycleIn(imports: readonly Import[]): readonly string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    const cycle = imports
      .filter(({ from }) => from === file)
      .map(({ to }) => visit(to, [...path, file]))
      .find((found) => found !== undefined);
    finished.add(file);
    return cycle;
  };
  return imports.map(({ from }) => visit(from, [])).find((cycle) => cycle !== undefined);
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

  test("have no cycle, not even of types", () => {
    expect(cycleIn(imports)).toBeUndefined();
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
    ["app/app.ts", "session/manager.ts", true],
    ["app/app.ts", "backends/memory/backend.ts", true],
    ["app/app.ts", "backends/sqlite/backend.ts", false],
    ["app/request.ts", "backends/memory/backend.ts", false],
    ["app/app.ts", "http/sessions.ts", true],
    ["http/sessions.ts", "session/manager.ts", true],
    ["http/sessions.ts", "app/errors.ts", false],
    ["http/sessions.ts", "integrations/hono.ts", false],
    ["session/manager.ts", "http/sessions.ts", false],
    ["session/manager.ts", "app/errors.ts", false],
    ["session/manager.ts", "store/guarded-store.ts", true],
    ["session/manager.ts", "backends/memory/backend.ts", false],
    ["session/manager.ts", "bun:sqlite", false],
    ["store/load-save-store.ts", "session/json.ts", false],
    ["store/load-save-store.ts", "backends/memory/backend.ts", false],
    ["backends/memory/backend.ts", "store/backend.ts", true],
    ["backends/memory/backend.ts", "store/maybe-promise.ts", true],
    ["backends/memory/backend.ts", "session/id.ts", false],
    ["backends/memory/backend.ts", "backends/sqlite/group-commit.ts", false],
    ["backends/sqlite.ts", "backends/sqlite/backend.ts", true],
    ["backends/sqlite.ts", "backends/redis/backend.ts", false],
    ["backends/sqlite/backend.ts", "backends/sqlite/group-commit.ts", true],
    ["backends/sqlite/backend.ts", "backends/memory/backend.ts", false],
    ["backends/sqlite/schema.ts", "drizzle-orm/sqlite-core", true],
    ["backends/postgres/backend.ts", "backends/postgres/pool.ts", true],
    ["backends/postgres/backend.ts", "backends/sqlite/schema.ts", false],
    ["backends/postgres/schema.ts", "drizzle-orm/pg-core", true],
    ["backends/redis/backend.ts", "backends/redis/scripts.ts", true],
    ["backends/redis/backend.ts", "backends/sqlite/backend.ts", false],
    ["backends/redis/connection.ts", "bun", false],
    ["index.ts", "backends/sqlite/backend.ts", false],
    ["app/app.ts", "drizzle-orm", false],
    ["app/uploads.ts", "@fastify/busboy", true],
    ["app/request.ts", "@fastify/busboy", false],
    ["app/dev-page.ts", "youch", false],
    ["app/validate.ts", "@standard-schema/spec", true],
    ["app/validate.ts", "zod", false],
    ["testing.ts", "testing/client.ts", true],
    ["testing/client.ts", "bun:test", true],
    ["testing/client.ts", "backends/memory/backend.ts", false],
    ["testing/client.ts", "session/manager.ts", false],
    ["index.ts", "testing.ts", false],
    ["app/app.ts", "testing/client.ts", false],
    ["backends/memory/backend.ts", "bun:test", false],
    ["integrations/elysia.ts", "http/sessions.ts", true],
    ["integrations/elysia.ts", "@elysiajs/cookie", true],
    ["integrations/hono.ts", "@elysiajs/cookie", false],
    ["integrations/hono.ts", "app/app.ts", false],
    ["integrations/hono.ts", "integrations/elysia.ts", false],
    ["index.ts", "integrations/hono.ts", false],
  ])("decides about %s and %s: %p", (from, to, allowed) => {
    expect(isAllowed({ from, to })).toBe(allowed);
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

  test("finds a cycle", () => {
    const pairs = [
      ["a", "b"],
      ["b", "c"],
      ["a", "c"],
      ["c", "d"],
      ["d", "b"],
    ] as const;
    expect(cycleIn(pairs.map(([from, to]) => ({ from, to })))).toEqual(["b", "c", "d", "b"]);
  });
});
