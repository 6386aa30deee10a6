import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * Where Drizzle's migrations for this kind of database lie: in the package, or beside what a bundler has
 * made of it. Bundlers take along what is imported, and migrations are read. `module` is this one.
 *
 * @throws Error if they are not there, with the remedy.
 */
export function migrationsFolder(
  database: "sqlite" | "postgres",
  module: Pick<ImportMeta, "dir" | "file"> = import.meta,
): string {
  const isBundled = module.file !== "migrations-folder.ts";
  const folder = join(module.dir, isBundled ? "drizzle" : "../../drizzle", database);
  // By its name, for a folder of the app's own may be called so too.
  if (existsSync(join(folder, "0000_sessions.sql"))) return folder;
  throw new Error(
    `Bunpie's migrations are not in ${folder}. When you bundle an app, take them along: ` +
      "`bun build --compile --asset=node_modules/bunpie/drizzle`. Without `--compile`, leave Bunpie in " +
      "node_modules: `bun build --target=bun --external=bunpie`.",
  );
}
