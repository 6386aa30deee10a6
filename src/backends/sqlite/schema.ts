import { isNotNull } from "drizzle-orm";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

import { checkName, DEFAULT_TABLE } from "../tables.ts";

function makeTable<Name extends string>(name: Name) {
  return sqliteTable(
    name,
    {
      /** SHA-256 of the id in the cookie. */
      id: text().primaryKey(),
      data: text().notNull(),
      flash: text(),
      version: integer().notNull(),
      createdAt: integer("created_at").notNull(),
      touchedAt: integer("touched_at").notNull(),
      expiresAt: integer("expires_at").notNull(),
      userId: text("user_id"),
      authenticatedAt: integer("authenticated_at"),
      remember: integer(),
      label: text(),
      /**
       * Not null in a forwarding note: the id that the session was rotated to. A note has no data and no
       * user, and the version -1, which no session has.
       */
      supersededBy: text("superseded_by"),
    },
    (table) => [
      index(`${name}_expires_at`).on(table.expiresAt),
      // `expires_at` so that `list` passes over what no sweep has removed yet without reading its rows: of
      // 300,000 it took 650 ms without that, and takes 19.
      index(`${name}_user_id`)
        .on(table.userId, table.touchedAt, table.expiresAt)
        .where(isNotNull(table.userId)),
    ],
  );
}

/** A table of sessions, as Drizzle knows it. */
export type SessionsTable<Name extends string = string> = ReturnType<typeof makeTable<Name>>;

/**
 * The table of a backend with the option `table`, for queries of your own with Drizzle. Times are Unix milliseconds.
 *
 * ```ts
 * const shop = sessionsTable("shop_sessions");
 * new SqliteSessionBackend("app.db", { table: "shop_sessions" });
 *
 * // How many sessions each user has. A row may have expired, or be a forwarding note without a user.
 * db.select({ user: shop.userId, sessions: count() })
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
export function sessionsTable<Name extends string>(name: Name): SessionsTable<Name> {
  checkName("table", name);
  return makeTable(name);
}

/**
 * The table of sessions, for queries of your own. Its name in the database is `bunpie_sessions`, so
 * that it can live beside an app's own tables. Times are Unix milliseconds.
 */
export const sessions: SessionsTable<typeof DEFAULT_TABLE> = makeTable(DEFAULT_TABLE);
