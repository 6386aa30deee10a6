import type { Database } from "bun:sqlite";

import { and, asc, count, eq, gt, inArray, lte, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";

import type { SessionRecord } from "../../store/backend.ts";
import { sessions } from "./schema.ts";

/**
 * A session's row as bun:sqlite gives it, in the order in which `read` selects. To have Drizzle make
 * an object of it would take the read from 1.0 to 1.5 µs.
 */
type Row = [
  data: string,
  flash: string | null,
  version: number,
  createdAt: number,
  touchedAt: number,
  expiresAt: number,
  userId: string | null,
  authenticatedAt: number | null,
  remember: number | null,
];

/** The session with this id, if there is one. */
export function readRecord({ read }: Statements, id: string): SessionRecord | undefined {
  const [row] = read.values({ id }) as Row[];
  if (row === undefined) return undefined;
  const [data, flash, version, createdAt, touchedAt, expiresAt, userId, authenticatedAt, remember] =
    row;
  return {
    data,
    flash,
    version,
    createdAt,
    touchedAt,
    expiresAt,
    userId,
    authenticatedAt,
    remember,
  };
}

/** What the backend asks of the database. Parameters are named; nothing is ever pasted into SQL. */
export type Statements = ReturnType<typeof prepareStatements>;

/** Prepares every statement once: preparing costs many times what running does. */
export function prepareStatements(client: Database) {
  const db = drizzle(client);
  const value = sql.placeholder;
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
  const isId = eq(sessions.id, value("id"));
  const isLive = gt(sessions.expiresAt, value("now"));
  const isVersion = eq(sessions.version, value("was"));
  const isUsers = eq(sessions.userId, value("userId"));
  const isOther = ne(sessions.id, value("exceptId"));
  return {
    /** Gives rows as {@link Row}: see there. */
    read: db
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
      .where(isId)
      .prepare(),
    isTaken: db.select({ id: sessions.id }).from(sessions).where(and(isId, isLive)).prepare(),
    create: db
      .insert(sessions)
      .values({ id: sql`${value("id")}`, ...contents })
      .onConflictDoUpdate({
        target: sessions.id,
        set: contents,
        setWhere: lte(sessions.expiresAt, value("now")),
      })
      .prepare(),
    replace: db
      .update(sessions)
      .set(contents)
      .where(and(isId, isVersion, isLive))
      .prepare(),
    rotate: db
      .update(sessions)
      .set({ id: sql`${value("newId")}`, ...contents })
      .where(and(isId, isVersion, isLive))
      .prepare(),
    touch: db
      .update(sessions)
      .set({
        touchedAt: sql`${value("now")}`,
        expiresAt: sql`${value("expiresAt")}`,
        version: sql`${sessions.version} + 1`,
      })
      .where(and(isId, isLive))
      .prepare(),
    remove: db.delete(sessions).where(isId).prepare(),
    list: db
      .select({
        handle: sessions.id,
        userId: sql<string>`${sessions.userId}`,
        createdAt: sessions.createdAt,
        touchedAt: sessions.touchedAt,
        expiresAt: sessions.expiresAt,
        authenticatedAt: sessions.authenticatedAt,
      })
      .from(sessions)
      .where(and(isUsers, isLive))
      .orderBy(asc(sessions.createdAt))
      .prepare(),
    countOf: db
      .select({ live: count() })
      .from(sessions)
      .where(and(isUsers, isOther, isLive))
      .prepare(),
    removeAll: db.delete(sessions).where(and(isUsers, isOther)).prepare(),
    sweep: db
      .delete(sessions)
      .where(
        inArray(
          sessions.id,
          db
            .select({ id: sessions.id })
            .from(sessions)
            .where(lte(sessions.expiresAt, value("now")))
            .limit(value("limit")),
        ),
      )
      .prepare(),
  };
}
