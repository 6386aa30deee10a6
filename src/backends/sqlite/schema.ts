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
 * The table of a backend with the option `table`, for queries of your own. Times are Unix milliseconds.
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
