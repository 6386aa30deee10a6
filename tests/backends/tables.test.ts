import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { readMigrationFiles } from "drizzle-orm/migrator";

import { checkName, migrationsTable, renameTable } from "../../src/backends/tables.ts";

function migrations(database: string): string {
  const migrationsFolder = join(import.meta.dir, "../../drizzle", database);
  return readMigrationFiles({ migrationsFolder })
    .flatMap(({ sql }) => sql)
    .join(";\n")
    .replaceAll(/^--.*$/gm, "");
}

describe("renameTable", () => {
  test.each(["sqlite", "postgres"])(
    "leaves no name of the default table in a migration: %s",
    (database) => {
      const renamed = renameTable(migrations(database), "shop");
      expect(renamed).not.toContain("bunpie");
      expect(renamed).toMatch(/CREATE INDEX (["`])shop_user_id\1 ON \1shop\1/);
    },
  );

  test.each(["sqlite", "postgres"])("changes nothing for the default table: %s", (database) => {
    expect(renameTable(migrations(database), "bunpie_sessions")).toBe(migrations(database));
  });
});

describe("migrationsTable", () => {
  test("is another one for each table", () => {
    expect(migrationsTable("bunpie_sessions")).toBe("bunpie_migrations");
    expect(migrationsTable("shop")).toBe("shop_migrations");
  });
});

describe("checkName", () => {
  test("refuses a table that has the name of another one's migrations", () => {
    expect(() => checkName("table", "shop_migrations")).toThrow(
      new TypeError(
        '`table` is "shop_migrations"; a name that ends in _migrations is that of a table in which migrations ' +
          'are kept. Take another one, such as "shop_sessions".',
      ),
    );
    expect(() => checkName("schema", "shop_migrations")).not.toThrow();
  });
});
