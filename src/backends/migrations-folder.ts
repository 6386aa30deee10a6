import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One of Bunpie's migrations. */
export interface Migration {
  /** Its statements, in turn. */
  readonly sql: readonly string[];
  /** SHA-256 of its file. */
  readonly hash: string;
  /** When it was written, in Unix milliseconds: by this the database knows which ones it has. */
  readonly folderMillis: number;
}

/** What drizzle-kit 0.x keeps in `meta/_journal.json`. */
interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

/**
 * Reads the migrations for this kind of database, oldest first, as Drizzle 0.45 would. Drizzle 1.0
 * refuses their folder: it has another format, which 0.45 cannot read.
 *
 * @throws Error if they are not there, with the remedy.
 */
export function readMigrations(database: "sqlite" | "postgres"): readonly Migration[] {
  const folder = migrationsFolder(database);
  const { entries } = JSON.parse(readText(folder, "meta/_journal.json")) as Journal;
  return entries.map(({ tag, when }) => {
    const text = readText(folder, `${tag}.sql`);
    return {
      sql: text.split("--> statement-breakpoint"),
      hash: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
      folderMillis: when,
    };
  });
}

function readText(folder: string, file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

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
