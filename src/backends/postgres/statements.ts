import type { Query } from "drizzle-orm";
import { and, asc, desc, eq, fillPlaceholders, gt, gte, isNull, lte, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sql";

import type {
  ForwardingNote,
  SessionInfo,
  SessionRecord,
  SessionTimes,
} from "../../store/record.ts";
import { NOTE_VERSION } from "../rows.ts";
import type { BoundStatement, Rows } from "./pool.ts";
import type { SessionsTable } from "./schema.ts";

type Row = Rows[number];

/** Converts a row of `read` to a record or a note. */
export function parseRow([
  data,
  flash,
  version,
  createdAt,
  touchedAt,
  expiresAt,
  userId,
  authenticatedAt,
  remember,
  label,
  supersededBy,
]: Row): SessionRecord | ForwardingNote {
  if (supersededBy !== null) {
    return { supersededBy: supersededBy as string, expiresAt: Number(expiresAt) };
  }
  return {
    data: data as string,
    flash: flash as string | null,
    version: Number(version),
    createdAt: Number(createdAt),
    touchedAt: Number(touchedAt),
    expiresAt: Number(expiresAt),
    userId: userId as string | null,
    authenticatedAt: toNumber(authenticatedAt),
    remember: toNumber(remember),
    label: label as string | null,
  };
}

/** Converts a row of `list` to an entry. */
export function parseInfo([
  handle,
  userId,
  createdAt,
  touchedAt,
  expiresAt,
  authenticatedAt,
  label,
]: Row): SessionInfo {
  return {
    handle: handle as string,
    userId: userId as string,
    createdAt: Number(createdAt),
    touchedAt: Number(touchedAt),
    expiresAt: Number(expiresAt),
    authenticatedAt: toNumber(authenticatedAt),
    label: label as string | null,
  };
}

/** Converts a row of `readTimes` to an entry of a map. */
export function parseTimes([id, createdAt, touchedAt, expiresAt, remember]: Row): readonly [
  id: string,
  times: SessionTimes,
] {
  const times = {
    createdAt: Number(createdAt),
    touchedAt: Number(touchedAt),
    expiresAt: Number(expiresAt),
    remember: toNumber(remember),
  };
  return [id as string, times];
}

function toNumber(value: unknown): number | null {
  return value === null ? null : Number(value);
}

/**
 * A statement that takes its values. They are sent as parameters and never interpolated into SQL.
 */
export type Statement = (values: Record<string, unknown>) => BoundStatement;

/**
 * Builds a statement once, with Drizzle. Running it through Drizzle too would take 3 µs more each
 * time and leave nothing to cancel it by.
 */
function statement(query: { toSQL(): Query }): Statement {
  const { sql: text, params } = query.toSQL();
  return (values) => ({ text, params: fillPlaceholders(params, values) });
}

const db = drizzle.mock();
const value = sql.placeholder;

/**
 * Clamped, because a `bigint` cannot hold the expiry of a session that lives for billions of years.
 */
const expiresAt = sql`least(${value("expiresAt")}::float8, ${sql.raw(String(Number.MAX_SAFE_INTEGER))})::bigint`;

const contents = {
  data: sql`${value("data")}`,
  flash: sql`${value("flash")}`,
  version: sql`${value("version")}`,
  createdAt: sql`${value("createdAt")}`,
  touchedAt: sql`${value("touchedAt")}`,
  expiresAt,
  userId: sql`${value("userId")}`,
  authenticatedAt: sql`${value("authenticatedAt")}`,
  remember: sql`${value("remember")}`,
  label: sql`${value("label")}`,
};

/** The values with which an insert replaces an expired row. */
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
  label: sql`excluded.label`,
  supersededBy: sql`NULL`,
};

/**
 * Returned by every statement of the writer: fails, and thereby rolls the statement back, once the
 * database's clock has passed the deadline. PostgreSQL evaluates it for each row after changing the
 * row, and so after every wait for a lock.
 */
const inTime = sql`1 / (clock_timestamp() <= to_timestamp(${value("deadline")}::bigint / 1000.0))::int`;

/** The backend's statements. */
export type Statements = ReturnType<typeof prepareStatements>;

/** Builds one statement for each operation of the backend. */
export function prepareStatements(sessions: SessionsTable) {
  const isId = eq(sessions.id, value("id"));
  const isLive = gt(sessions.expiresAt, value("now"));
  const isExpired = lte(sessions.expiresAt, value("now"));
  const isCurrent = and(isId, isLive, eq(sessions.version, value("was")));
  const isListed = sql`${sessions.id} = any(array(select json_array_elements_text(${value("ids")}::text::json)))`;
  const isUsers = eq(sessions.userId, value("userId"));
  const isOther = ne(sessions.id, value("exceptId"));
  // Part of the statement itself, so the notification is sent when, and only if, the row is gone.
  const told = sql<string>`pg_notify(${value("channel")}, ${sessions.id})`.as("told");

  const moved = db.$with("moved").as(
    db
      .update(sessions)
      .set({ id: sql`${value("newId")}`, ...contents })
      .where(and(isCurrent, ne(sessions.id, value("newId"))))
      .returning({ id: sessions.id }),
  );

  const note = {
    id: sql<string>`${value("id")}`.as("id"),
    data: sql<string>`''`.as("data"),
    flash: sql<null>`NULL`.as("flash"),
    version: sql<number>`${NOTE_VERSION}::bigint`.as("version"),
    createdAt: sql<number>`${value("now")}::bigint`.as("created_at"),
    touchedAt: sql<number>`${value("now")}::bigint`.as("touched_at"),
    expiresAt: sql<number>`${value("noteExpiresAt")}::bigint`.as("expires_at"),
    userId: sql<null>`NULL`.as("user_id"),
    authenticatedAt: sql<null>`NULL::bigint`.as("authenticated_at"),
    remember: sql<null>`NULL::bigint`.as("remember"),
    label: sql<null>`NULL`.as("label"),
    supersededBy: moved.id,
  };

  const found = db.$with("found").as(
    db
      .select({ place: sql`ctid`.as("place"), id: sessions.id, touchedAt: sessions.touchedAt })
      .from(sessions)
      .where(and(isUsers, isOther, gte(sessions.touchedAt, value("from"))))
      // In index order, so that PostgreSQL does not scan the whole table.
      .orderBy(asc(sessions.touchedAt))
      .limit(value("limit")),
  );

  const removed = db.$with("removed").as(
    db
      .delete(sessions)
      .where(and(sql`ctid = any(array(${db.select({ place: found.place }).from(found)}))`, isUsers))
      .returning({ id: sessions.id, told, inTime: inTime.as("in_time") }),
  );

  const batch = db
    .select({ place: sql`ctid` })
    .from(sessions)
    .where(isExpired)
    .orderBy(asc(sessions.expiresAt))
    .limit(value("limit"))
    .for("update", { skipLocked: true });

  return {
    /** Returns one row, for {@link parseRow}, or none. */
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
          label: sessions.label,
          supersededBy: sessions.supersededBy,
        })
        .from(sessions)
        .where(isId),
    ),
    /** `ids` is a JSON array. Returns rows for {@link parseTimes}. */
    readTimes: statement(
      db
        .select({
          id: sessions.id,
          createdAt: sessions.createdAt,
          touchedAt: sessions.touchedAt,
          expiresAt: sessions.expiresAt,
          remember: sessions.remember,
        })
        .from(sessions)
        .where(and(isListed, isLive, isNull(sessions.supersededBy))),
    ),
    create: statement(
      db
        .insert(sessions)
        .values({ id: sql`${value("id")}`, ...contents })
        .onConflictDoUpdate({ target: sessions.id, set: inserted, setWhere: isExpired })
        .returning({ inTime }),
    ),
    replace: statement(db.update(sessions).set(contents).where(isCurrent).returning({ inTime })),
    replaceContents: statement(
      db
        .update(sessions)
        .set({ data: contents.data, flash: contents.flash, version: contents.version })
        .where(isCurrent)
        .returning({ inTime }),
    ),
    /** Fails with a unique violation if the new id is taken, even by an expired row. */
    rotate: statement(
      db
        .with(moved)
        .insert(sessions)
        .select(db.select(note).from(moved))
        .returning({ told, inTime }),
    ),
    touch: statement(
      db
        .update(sessions)
        .set({
          touchedAt: sql`${value("now")}`,
          expiresAt,
          version: sql`${sessions.version} + 1`,
        })
        .where(and(isId, isLive, isNull(sessions.supersededBy)))
        .returning({ inTime }),
    ),
    /** Returns the id that the row named, if it was a note. */
    remove: statement(
      db
        .delete(sessions)
        .where(isId)
        .returning({ supersededBy: sessions.supersededBy, told, inTime }),
    ),
    removeExpired: statement(db.delete(sessions).where(and(isId, isExpired))),
    /** Returns rows for {@link parseInfo}. */
    list: statement(
      db
        .select({
          handle: sessions.id,
          userId: sessions.userId,
          createdAt: sessions.createdAt,
          touchedAt: sessions.touchedAt,
          expiresAt: sessions.expiresAt,
          authenticatedAt: sessions.authenticatedAt,
          label: sessions.label,
        })
        .from(sessions)
        .where(and(isUsers, isLive))
        .orderBy(desc(sessions.touchedAt))
        .limit(value("limit")),
    ),
    /**
     * Visits sessions touched at `from` or later, earliest first, and returns when each was
     * touched, with the id of a removed session, or NULL for one that a rotate was moving.
     */
    removeAll: statement(
      db
        .with(found, removed)
        .select({ id: removed.id, touchedAt: found.touchedAt })
        .from(found)
        .fullJoin(removed, eq(removed.id, found.id)),
    ),
    /** Skips rows that another process is sweeping. */
    sweep: statement(db.delete(sessions).where(sql`ctid = any(array(${batch}))`)),
  };
}
