/** A migration in the shape that Drizzle's own migrator reads. */
export interface Migration {
  /** Its statements, in order. */
  readonly sql: readonly string[];
  /** SHA-256 of its file. */
  readonly hash: string;
  /**
   * When it was written, in Unix milliseconds. The database records this time to know which
   * migrations it has.
   */
  readonly folderMillis: number;
}

/**
 * Makes a migration from the text of a file that drizzle-kit has written. `folderMillis` is the
 * file's `when` in the journal beside it.
 *
 * The files are imported as text, so that bundlers include them. Drizzle does not read them,
 * because Drizzle 1.0 refuses the folder format of 0.45, the only one that 0.45 has.
 */
export function toMigration(folderMillis: number, text: string): Migration {
  return {
    sql: text.split("--> statement-breakpoint"),
    hash: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
    folderMillis,
  };
}
