import { expect, test } from "bun:test";
import { join } from "node:path";

import { readMigrationFiles } from "drizzle-orm/migrator";

import { MIGRATIONS as POSTGRES } from "../../src/backends/postgres/migration-files.ts";
import { MIGRATIONS as SQLITE } from "../../src/backends/sqlite/migration-files.ts";

test.each([
  ["sqlite", SQLITE],
  ["postgres", POSTGRES],
])("the migrations of %s are those that Drizzle reads in their folder", (database, migrations) => {
  const migrationsFolder = join(import.meta.dir, "../../drizzle", database);
  const read = readMigrationFiles({ migrationsFolder });
  expect(migrations).toEqual(
    read.map(({ sql, hash, folderMillis }) => ({ sql, hash, folderMillis })),
  );
});
