import { afterEach, beforeEach, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";

import type { PostgresSessionBackendOptions } from "../../../src/backends/postgres/backend.ts";
import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { makeRecord } from "../../../src/testing/records.ts";
import { Folder } from "../../support/folder.ts";
import { OwnDatabase, PATIENT, postgres } from "../../support/servers/postgres.ts";
import { describeLong } from "../../support/trials.ts";

const NODE_MODULES = join(import.meta.dir, "../../../node_modules");

const WITH_ADDED_COLUMN = `
  import { pgTable, text } from "drizzle-orm/pg-core";
  export const products = pgTable("products", { id: text().primaryKey(), name: text() });`;

describeLong(postgres.isThere, "`drizzle-kit push` of an app in the same database", () => {
  let folder: Folder;
  let database: OwnDatabase;
  let sql: Bun.SQL;

  beforeEach(async () => {
    folder = new Folder();
    symlinkSync(NODE_MODULES, folder.file("node_modules"));
    await Bun.write(folder.file("schema.ts"), WITH_ADDED_COLUMN);
    database = await OwnDatabase.create();
    sql = new Bun.SQL(database.url, { max: 1 });
    await sql`CREATE TABLE products (id text PRIMARY KEY)`;
  });
  afterEach(async () => {
    await sql.close();
    await database[Symbol.asyncDispose]();
    folder.remove();
  });

  async function push(config: object): Promise<string> {
    const all = {
      dialect: "postgresql",
      schema: "./schema.ts",
      dbCredentials: { url: database.url },
      ...config,
    };
    await Bun.write(folder.file("drizzle.config.ts"), `export default ${JSON.stringify(all)}`);
    const kit = Bun.spawn(
      [process.execPath, join(NODE_MODULES, "drizzle-kit/bin.cjs"), "push", "--force", "--verbose"],
      { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] },
    );
    return (await kit.stdout.text()) + (await kit.stderr.text());
  }

  test.each<[string, PostgresSessionBackendOptions, object]>([
    ["a `tablesFilter`", {}, { tablesFilter: ["!bunpie_*"] }],
    [
      "a `tablesFilter` for a custom table",
      { table: "shop" },
      { tablesFilter: ["!shop", "!shop_*"] },
    ],
    ["a separate schema", { schema: "visits" }, {}],
  ])(
    "does not touch sessions by %s",
    async (_, options, config) => {
      await sql`CREATE SCHEMA visits`;
      const backend = new PostgresSessionBackend(database.url, { ...PATIENT, ...options });
      const record = makeRecord();
      await backend.create("id", record);
      const output = await push(config);
      expect(output).toContain('ALTER TABLE "products" ADD COLUMN "name" text;');
      expect(output).not.toContain("DROP");
      expect(await backend.read("id")).toEqual(record);
      expect(await push(config)).toContain("No changes detected");
      await backend.close();
      const again = new PostgresSessionBackend(database.url, { ...PATIENT, ...options });
      expect(await again.read("id")).toEqual(record);
      await again.close();
    },
    60_000,
  );
});
