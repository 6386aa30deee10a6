/** One of Bunpie's migrations, as Drizzle's own migrator would read it. */
export interface Migration {
  /** Its statements, in turn. */
  readonly sql: readonly string[];
  /** SHA-256 of its file. */
  readonly hash: string;
  /** When it was written, in Unix milliseconds: by this the database knows which ones it has. */
  readonly folderMillis: number;
}

/**
 * Makes a migration of a file that drizzle-kit has written. `folderMillis` is its `when` in the journal beside it.
 * The files are imported as text, so that whatever bundles an app takes them along; and they are not read by
 * Drizzle, because 1.0 refuses the format of their folder, and 0.45 has no other.
 */
export function toMigration(folderMillis: number, text: string): Migration {
  return {
    sql: text.split("--> statement-breakpoint"),
    hash: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
    folderMillis,
  };
}
