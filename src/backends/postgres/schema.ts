import { isNotNull } from "drizzle-orm";
import { bigint, customType, index, PgSchema, pgTable, text } from "drizzle-orm/pg-core";

import { checkName, DEFAULT_TABLE } from "../tables.ts";

/**
 * Text that is compared byte by byte: faster than by the rules of a language, and an index on it
 * outlives an upgrade of the operating system that changes those rules.
 */
const key = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });

/**
 * `pgSchema()` would refuse "public", though a search_path may begin with another schema. The second
 * argument that Drizzle 1.0 declares may be left out.
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
       * Not null in a forwarding note: the id that the session was rotated to. A note has no data and no
       * user, and the version -1, which no session has.
       */
      supersededBy: text("superseded_by"),
    },
    (table) => [
      index(`${name}_expires_at`).on(table.expiresAt),
      // `expires_at` so that `list` passes over what no sweep has removed yet without reading its rows.
      index(`${name}_user_id`)
        .on(table.userId, table.touchedAt, table.expiresAt)
        .where(isNotNull(table.userId)),
    ],
  );
}

/** A table of sessions, as Drizzle knows it. */
export type SessionsTable<Name extends string = string> = ReturnType<typeof makeTable<Name>>;

/**
 * The table of a backend with the options `table` and `schema`, for queries of your own with Drizzle. Times are Unix
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
 * Read from it, and leave writing to the backend: a row that is changed past it keeps its `version`, so that the next
 * request may undo the change. To end sessions use `sessions.revoke()` and `revokeAll()`. Keep the table out of
 * drizzle-kit's hands by `tablesFilter: ["!shop_sessions", "!shop_sessions_*"]`; the backend migrates it.
 *
 * @throws TypeError for a name that the backend would refuse.
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
 * The table of sessions, for queries of your own. Its name in the database is `bunpie_sessions`, so
 * that it can live beside an app's own tables. Times are Unix milliseconds.
 */
export const sessions: SessionsTable<typeof DEFAULT_TABLE> = makeTable(DEFAULT_TABLE);
