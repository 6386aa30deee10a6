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
  test("returns another one for each table", () => {
    expect(migrationsTable("bunpie_sessions")).toBe("bunpie_migrations");
    expect(migrationsTable("shop")).toBe("shop_migrations");
  });
});

describe("checkName", () => {
  test.each([
    ["table", 41],
    ["schema", 63],
  ] as const)("refuses a %s that is no plain name, and says what it accepts", (option, length) => {
    const tooLong = "a".repeat(length + 1);
    for (const name of ["", "Sessions", "1st", "shop sessions", 'a"b', "a\n", tooLong, null, 5]) {
      expect(() => checkName(option, name as string)).toThrow(
        new TypeError(
          `\`${option}\` is ${JSON.stringify(name)}; it has to be a name of at most ${length} lower-case ` +
            'letters, digits and underscores that does not begin with a digit, such as "shop_sessions".',
        ),
      );
    }
    expect(() => checkName(option, tooLong.slice(1))).not.toThrow();
  });

  test("refuses a table whose name is that of another one's migrations", () => {
    expect(() => checkName("table", "shop_migrations")).toThrow(
      new TypeError(
        '`table` is "shop_migrations"; names that end in _migrations are reserved for the record of ' +
          'migrations. Choose another, such as "shop_sessions".',
      ),
    );
    expect(() => checkName("schema", "shop_migrations")).not.toThrow();
  });

  test("refuses a table whose record of migrations would be the default table's", () => {
    expect(migrationsTable("bunpie")).toBe(migrationsTable("bunpie_sessions"));
    expect(() => checkName("table", "bunpie")).toThrow(
      new TypeError(
        '`table` is "bunpie"; its record of migrations would be that of bunpie_sessions. Choose another, ' +
          'such as "shop_sessions".',
      ),
    );
    expect(() => checkName("schema", "bunpie")).not.toThrow();
  });

  test.each(["user_id", "expires_at", "pkey"])(
    "refuses a table whose name is that of another one's index: _%s",
    (suffix) => {
      const name = `bunpie_sessions_${suffix}`;
      expect(() => checkName("table", name)).toThrow(
        new TypeError(
          `\`table\` is "${name}"; names that end in _${suffix} are reserved for an index. Choose another, ` +
            'such as "shop_sessions".',
        ),
      );
      expect(() => checkName("schema", name)).not.toThrow();
    },
  );

  test.each(["sqlite", "postgres"])(
    "refuses every name of an index in a migration: %s",
    (database) => {
      const indexes = migrations(database)
        .matchAll(/CREATE INDEX ["`](\w+)["`]/g)
        .map(([, name]) => name)
        .toArray();
      expect(indexes.length).toBeGreaterThan(1);
      for (const name of indexes) expect(() => checkName("table", name)).toThrow("an index");
    },
  );
});
