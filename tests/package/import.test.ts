import { describe, expect, test } from "bun:test";
import { join } from "node:path";

/** Imports the entry in a process of its own: how long that took, and which modules it loaded. */
async function load(entry: string): Promise<{ milliseconds: number; modules: string[] }> {
  const code = `
    const begun = performance.now();
    await import(${JSON.stringify(entry)});
    const milliseconds = performance.now() - begun;
    console.log(JSON.stringify({ milliseconds, modules: Object.keys(require.cache) }));
  `;
  const child = Bun.spawn([process.execPath, "-e", code], { cwd: join(import.meta.dir, "../..") });
  return (await child.stdout.json()) as { milliseconds: number; modules: string[] };
}

describe('import "bunpie"', () => {
  test("loads no other package, and no database", async () => {
    const { modules } = await load("bunpie");
    expect(modules.filter((path) => path.includes("/src/app/app.ts"))).toHaveLength(1);
    expect(modules.filter((path) => /node_modules|\/sqlite/.test(path))).toEqual([]);
  });

  test("takes no noticeable time", async () => {
    const times: number[] = [];
    for (let run = 0; run < 3; run++) times.push((await load("bunpie")).milliseconds);
    // About 8 ms where nothing else runs; 50 times as long where much does.
    expect(Math.min(...times)).toBeLessThan(400);
  });
});

describe('import "bunpie/sqlite"', () => {
  test("loads Drizzle", async () => {
    const { modules } = await load("bunpie/sqlite");
    expect(modules.some((path) => path.includes("drizzle-orm"))).toBeTrue();
  });
});

describe('import "bunpie/redis"', () => {
  test("loads no other package", async () => {
    const { modules } = await load("bunpie/redis");
    expect(modules.filter((path) => path.includes("/src/backends/redis/backend.ts"))).toHaveLength(
      1,
    );
    expect(modules.filter((path) => /node_modules|\/sqlite/.test(path))).toEqual([]);
  });
});

describe.each([
  ["bunpie/elysia", "/elysia/", "/hono/"],
  ["bunpie/hono", "/src/integrations/", "/elysia/"],
])("import %p", (entry, wanted, unwanted) => {
  test("loads its framework, and no other framework, app or database", async () => {
    const { modules } = await load(entry);
    expect(modules.some((path) => path.includes(wanted))).toBeTrue();
    const strange = [unwanted, "/src/app/", "drizzle", "/sqlite"];
    expect(modules.filter((path) => strange.some((each) => path.includes(each)))).toEqual([]);
  });
});
