import type { Query } from "drizzle-orm";
import { and, asc, count, eq, fillPlaceholders, gt, lte, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sql";

import type { SessionInfo, SessionRecord } from "../../store/backend.ts";
import type { BoundStatement, Rows } from "./pool.ts";
import { sessions } from "./schema.ts";

type Row = Rows[number];

/** Makes the record of what `read` selects. */
export function recordOf([
  data,
  flash,
  version,
  createdAt,
  touchedAt,
  expiresAt,
  userId,
  authenticatedAt,
  remember,
]: Row): SessionRecord {
  return {
    data: data as string,
    flash: flash as string | null,
    version: Number(version),
    createdAt: Number(createdAt),
    touchedAt: Number(touchedAt),
    expiresAt: Number(expiresAt),
    userId: userId as string | null,
    authenticatedAt: numberOrNull(authenticatedAt),
    remember: numberOrNull(remember),
  };
}

/** Makes the entry of what `list` selects. */
export function infoOf([
  handle,
  userId,
  createdAt,
  touchedAt,
  expiresAt,
  authenticatedAt,
]: Row): SessionInfo {
  return {
    handle: handle as string,
    userId: userId as string,
    createdAt: Number(createdAt),
    touchedAt: Number(touchedAt),
    expiresAt: Number(expiresAt),
    authenticatedAt: numberOrNull(authenticatedAt),
  };
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}

/** A statement that only lacks its values. They travel beside it; nothing is ever pasted into SQL. */
export type Statement = (values: Record<string, unknown>) => BoundStatement;

/**
 * Has Drizzle write a statement, once. To run it through Drizzle as well would take 3 µs more each
 * time, and leave nothing to cancel it by.
 */
function statement(query: { toSQL(): Query }): Statement {
  const { sql: text, params } = query.toSQL();
  return (values) => ({ text, params: fillPlaceholders(params, values) });
}

const db = drizzle.mock();
const value = sql.placeholder;
const isId = eq(sessions.id, value("id"));
const isLive = gt(sessions.expiresAt, value("now"));
const isExpired = lte(sessions.expiresAt, value("now"));
const isVersion = eq(sessions.version, value("was"));
const isUsers = eq(sessions.userId, value("userId"));
const isOther = ne(sessions.id, value("exceptId"));

const contents = {
  data: sql`${value("data")}`,
  flash: sql`${value("flash")}`,
  version: sql`${value("version")}`,
  createdAt: sql`${value("createdAt")}`,
  touchedAt: sql`${value("touchedAt")}`,
  expiresAt: sql`${value("expiresAt")}`,
  userId: sql`${value("userId")}`,
  authenticatedAt: sql`${value("authenticatedAt")}`,
  remember: sql`${value("remember")}`,
};

/** What an insert that met an expired row puts in its place. */
const inserted = {
  data: sql`excluded.data`,
  flash: sql`excluded.flash`,
  version: sql`excluded.version`,
  createdAt: sql`excluded.created_at`,
  touchedAt: sql`excluded.touched_at`,
  expiresAt: sql`excluded.expires_at`,
  userId: sql`excluded.user_id`,
  authenticatedAt: sql`excluded.authenticated_at`,
  remember: sql`excluded.remember`,
};

// By the user, and not by ids that were looked up before: a session that gets a new id while this
// runs would slip through.
const removed = db
  .$with("removed")
  .as(
    db.delete(sessions).where(and(isUsers, isOther)).returning({ expiresAt: sessions.expiresAt }),
  );

const batch = db
  .select({ place: sql`ctid` })
  .from(sessions)
  .where(isExpired)
  .orderBy(asc(sessions.expiresAt))
  .limit(value("limit"))
  .for("update", { skipLocked: true });

/** What the backend asks of the database: one statement for each thing it does. */
export const statements = {
  /** Gives one row, for {@link recordOf}, or none. */
  read: statement(
    db
      .select({
        data: sessions.data,
        flash: sessions.flash,
        version: sessions.version,
        createdAt: sessions.createdAt,
        touchedAt: sessions.touchedAt,
        expiresAt: sessions.expiresAt,
        userId: sessions.userId,
        authenticatedAt: sessions.authenticatedAt,
        remember: sessions.remember,
      })
      .from(sessions)
      .where(isId),
  ),
  create: statement(
    db
      .insert(sessions)
      .values({ id: sql`${value("id")}`, ...contents })
      .onConflictDoUpdate({ target: sessions.id, set: inserted, setWhere: isExpired }),
  ),
  replace: statement(
    db
      .update(sessions)
      .set(contents)
      .where(and(isId, isVersion, isLive)),
  ),
  /** Fails with a unique violation if a row has the new id, even one that has expired. */
  rotate: statement(
    db
      .update(sessions)
      .set({ id: sql`${value("newId")}`, ...contents })
      .where(and(isId, isVersion, isLive, ne(sessions.id, value("newId")))),
  ),
  touch: statement(
    db
      .update(sessions)
      .set({
        touchedAt: sql`${value("now")}`,
        expiresAt: sql`${value("expiresAt")}`,
        version: sql`${sessions.version} + 1`,
      })
      .where(and(isId, isLive)),
  ),
  remove: statement(db.delete(sessions).where(isId)),
  removeExpired: statement(db.delete(sessions).where(and(isId, isExpired))),
  /** Gives rows for {@link infoOf}. */
  list: statement(
    db
      .select({
        handle: sessions.id,
        userId: sessions.userId,
        createdAt: sessions.createdAt,
        touchedAt: sessions.touchedAt,
        expiresAt: sessions.expiresAt,
        authenticatedAt: sessions.authenticatedAt,
      })
      .from(sessions)
      .where(and(isUsers, isLive))
      .orderBy(asc(sessions.createdAt)),
  ),
  /** Gives one row: how many of those that it removed were live. */
  removeAll: statement(
    db
      .with(removed)
      .select({ live: count() })
      .from(removed)
      .where(gt(removed.expiresAt, value("now"))),
  ),
  /** Neither waits for rows that another process is about to sweep, nor sweeps them again. */
  sweep: statement(db.delete(sessions).where(sql`ctid = any(array(${batch}))`)),
};
