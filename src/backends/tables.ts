/** The default name of the table of sessions. */
export const DEFAULT_TABLE = "bunpie_sessions";

/**
 * The maximum length of a name. PostgreSQL allows 63 characters, and an index's name is longer than
 * its table's.
 */
const MAX_LENGTH = { table: 41, schema: 63 };

/** The ends of the names that are derived from a table's, and what has them. */
const RESERVED = {
  _migrations: "the record of migrations",
  _user_id: "an index",
  _expires_at: "an index",
  _pkey: "an index",
};

/** @throws TypeError unless `name` is a valid name for a table or a schema. */
export function checkName(option: "table" | "schema", name: unknown): void {
  const length = MAX_LENGTH[option];
  if (typeof name === "string" && name.length <= length && /^[a-z_][a-z0-9_]*$/.test(name)) {
    const conflict = option === "table" ? findConflict(name) : undefined;
    if (conflict === undefined) return;
    throw new TypeError(
      `\`table\` is "${name}"; ${conflict}. Choose another, such as "shop_sessions".`,
    );
  }
  throw new TypeError(
    `\`${option}\` is ${JSON.stringify(name)}; it has to be a name of at most ${length} lower-case letters, ` +
      'digits and underscores that does not begin with a digit, such as "shop_sessions".',
  );
}

/** What the table would share with another table of sessions, if anything. */
function findConflict(table: string): string | undefined {
  if (table !== DEFAULT_TABLE && migrationsTable(table) === migrationsTable(DEFAULT_TABLE)) {
    return `its record of migrations would be that of ${DEFAULT_TABLE}`;
  }
  const reserved = Object.entries(RESERVED).find(([suffix]) => table.endsWith(suffix));
  if (reserved === undefined) return undefined;
  const [suffix, use] = reserved;
  return `names that end in ${suffix} are reserved for ${use}`;
}

/**
 * The table that records which migrations were applied. Each table of sessions has its own,
 * separate from the app's: with a shared one, a migrator skips every migration that is older than
 * the newest recorded one.
 */
export function migrationsTable(table: string): string {
  return table === DEFAULT_TABLE ? "bunpie_migrations" : `${table}_migrations`;
}

/**
 * Rewrites a migration of the default table for `table`, which must be a checked name. In the SQL
 * that drizzle-kit writes, the names of the table and its indexes are quoted and share a prefix.
 */
export function renameTable(migration: string, table: string): string {
  return migration
    .replaceAll(/(["`])bunpie_sessions(_\w+)?\1/g, `$1${table}$2$1`)
    .replaceAll('"bunpie_migrations"', `"${migrationsTable(table)}"`);
}
