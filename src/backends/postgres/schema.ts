import { isNotNull } from "drizzle-orm";
import { bigint, customType, index, pgTable, text } from "drizzle-orm/pg-core";

/**
 * Text that is compared byte by byte: faster than by the rules of a language, and an index on it
 * outlives an upgrade of the operating system that changes those rules.
 */
const key = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });

/**
 * The table of sessions, for queries of your own. Its name in the database is `bunpie_sessions`, so
 * that it can live beside an app's own tables. Times are Unix milliseconds.
 */
export const sessions = pgTable(
  "bunpie_sessions",
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
  },
  (table) => [
    index("bunpie_sessions_expires_at").on(table.expiresAt),
    index("bunpie_sessions_user_id").on(table.userId).where(isNotNull(table.userId)),
  ],
);
