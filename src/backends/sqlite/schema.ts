import { isNotNull } from "drizzle-orm";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/**
 * The table of sessions, for queries of your own. Its name in the database is `bunpie_sessions`, so
 * that it can live beside an app's own tables. Times are Unix milliseconds.
 */
export const sessions = sqliteTable(
  "bunpie_sessions",
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
  },
  (table) => [
    index("bunpie_sessions_expires_at").on(table.expiresAt),
    index("bunpie_sessions_user_id").on(table.userId).where(isNotNull(table.userId)),
  ],
);
