import { isNotNull } from "drizzle-orm";
import { bigint, customType, index, PgSchema, pgTable, text } from "drizzle-orm/pg-core";

import { checkName, DEFAULT_TABLE } from "../tables.ts";

/**
 * Text that is compared byte by byte: faster than a language's collation, and an operating system
 * upgrade that changes collations does not corrupt its indexes.
 */
const key = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });

/**
 * `pgSchema()` refuses "public", which a search_path with another schema first makes necessary. The
 * second parameter that Drizzle 1.0 declares is optional.
 */
const Schema = PgSchema as unknown as new (name: string) => { readonly table: typeof pgTable };

function makeTable<Name extends string>(name: Name, schema?: string) {
  const make = schema === undefined ? pgTable : new Schema(schema).table;
  return make(
    name,
    {
      /** SHA-256 of the id in the cookie. */
      id: key().primaryKey(),
      /** JSON text. `jsonb` would reorder keys, and cannot hold every string that JSON can. */
      data: text().notNull(),
      flash: text(),
      version: bigint({ mode: "number" }).notNull(),
      createdAt: bigint("created_at", { mode: "number" }).notNull(),
      touchedAt: bigint("touched_at", { mode: "number" }).notNull(),
      expiresAt: bigint("expires_at", { mode: "number" }).notNull(),
      userId: key("user_id"),
      authenticatedAt: bigint("authenticated_at", { mode: "number" }),
      remember: bigint({ mode: "number" }),
      label: text(),
      /**
       * The id that the session was rotated to, in a forwarding note; null in a session. A note has
       * no data, no user, and version -1, which no session has.
       */
      supersededBy: text("superseded_by"),
    },
    (table) => [
      index(`${name}_expires_at`).on(table.expiresAt),
      // `expires_at` lets `list` skip expired rows without reading them.
      index(`${name}_user_id`)
        .on(table.userId, table.touchedAt, table.expiresAt)
        .where(isNotNull(table.userId)),
    ],
  );
}

/** A table of sessions, as a Drizzle table. */
export type SessionsTable<Name extends string = string> = ReturnType<typeof makeTable<Name>>;

/**
 * The table of a backend with the options `table` and `schema`, for your own Drizzle queries. Times are Unix
 * milliseconds.
 *
 * ```ts
 * const shop = sessionsTable("shop_sessions", "shop");
 * new PostgresSessionBackend(url, { table: "shop_sessions", schema: "shop" });
 *
 * // How many sessions each user has. A row may have expired, or be a forwarding note without a user.
 * await db.select({ user: shop.userId, sessions: count() })
 *   .from(shop)
 *   .where(and(isNotNull(shop.userId), gt(shop.expiresAt, Date.now())))
 *   .groupBy(shop.userId);
 * ```
 *
 * Only read from it: a row that is changed without the backend keeps its `version`, so the next request may undo the
 * change. To end sessions, use `sessions.revoke()` and `revokeAll()`. Exclude the table from drizzle-kit with
 * `tablesFilter: ["!shop_sessions", "!shop_sessions_*"]`; the backend migrates it.
 *
 * @throws TypeError for a name that the backend refuses.
 */
export function sessionsTable<Name extends string>(
  name: Name,
  schema?: string,
): SessionsTable<Name> {
  checkName("table", name);
  if (schema !== undefined) checkName("schema", schema);
  return makeTable(name, schema);
}

/**
 * The default table of sessions, for your own Drizzle queries. Its name in the database is
 * `bunpie_sessions`, so it does not collide with the app's tables. Times are Unix milliseconds.
 */
export const sessions: SessionsTable<typeof DEFAULT_TABLE> = makeTable(DEFAULT_TABLE);
