/** What the table of sessions is called unless an app names it. */
export const DEFAULT_TABLE = "bunpie_sessions";

/** How long a name may be. PostgreSQL takes 63 characters, and an index's name is longer than its table's. */
const MAX_LENGTH = { table: 41, schema: 63 };

/** @throws TypeError unless `name` can be the name of a table or a schema. */
export function checkName(option: "table" | "schema", name: unknown): void {
  const length = MAX_LENGTH[option];
  if (typeof name === "string" && name.length <= length && /^[a-z_][a-z0-9_]*$/.test(name)) {
    if (option === "schema" || !name.endsWith("_migrations")) return;
    throw new TypeError(
      `\`table\` is "${name}"; a name that ends in _migrations is that of a table in which migrations are ` +
        'kept. Take another one, such as "shop_sessions".',
    );
  }
  throw new TypeError(
    `\`${option}\` is ${JSON.stringify(name)}; it has to be a name of at most ${length} lower-case letters, ` +
      'digits and underscores, and no digit first, such as "shop_sessions".',
  );
}

/**
 * The table in which the migrations that are done are kept. An app's own migrations have another, and
 * every table of sessions has one: whoever shares one skips what is older than the other's newest.
 */
export function migrationsTable(table: string): string {
  return table === DEFAULT_TABLE ? "bunpie_migrations" : `${table}_migrations`;
}

/**
 * Makes a migration of the default table one of `table`, whose name was checked: in the SQL that
 * drizzle-kit writes, the names of the table and its indexes are quoted, and begin alike.
 */
export function renameTable(migration: string, table: string): string {
  return migration
    .replaceAll(/(["`])bunpie_sessions(_\w+)?\1/g, `$1${table}$2$1`)
    .replaceAll('"bunpie_migrations"', `"${migrationsTable(table)}"`);
}
