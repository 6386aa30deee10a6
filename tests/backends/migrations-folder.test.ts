import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { migrationsFolder } from "../../src/backends/migrations-folder.ts";
import { Folder } from "../support/folder.ts";

const DRIZZLE = join(import.meta.dir, "../../drizzle");

describe("the folder of migrations", () => {
  test.each(["sqlite", "postgres"] as const)("is in the package: %s", (database) => {
    expect(migrationsFolder(database)).toBe(join(DRIZZLE, database));
  });

  test("is beside what a bundler has made", () => {
    using folder = new Folder();
    cpSync(DRIZZLE, folder.file("drizzle"), { recursive: true });
    const bundle = { dir: folder.path, file: "app.js" };
    expect(migrationsFolder("sqlite", bundle)).toBe(folder.file("drizzle/sqlite"));
  });

  test("is not one of that name that is somebody else's", () => {
    using folder = new Folder();
    mkdirSync(folder.file("drizzle/sqlite/meta"), { recursive: true });
    expect(() => migrationsFolder("sqlite", { dir: folder.path, file: "app.js" })).toThrow(
      `Bunpie's migrations are not in ${folder.file("drizzle/sqlite")}. When you bundle an app, take them along`,
    );
  });
});
