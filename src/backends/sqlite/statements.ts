import type { Database } from "bun:sqlite";

import { and, desc, DrizzleQueryError, eq, gt, inArray, isNull, lte, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";

import type { ForwardingNote, SessionRecord } from "../../store/record.ts";
import { NOTE_VERSION } from "../rows.ts";
import type { SessionsTable } from "./schema.ts";

/**
 * A session's row as bun:sqlite returns it, in the order in which `read` selects. To have Drizzle make
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
  label: string | null,
  supersededBy: string | null,
];

/** The session, or the note, that has this id. */
export function readRow(
  { read }: Statements,
  id: string,
): SessionRecord | ForwardingNote | undefined {
  const [row] = read.values({ id }) as Row[];
  if (row === undefined) return undefined;
  const [
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
  ] = row;
  if (supersededBy !== null) return { supersededBy, expiresAt };
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
    label,
  };
}

/** What the backend asks of the database. Parameters are named; nothing is ever pasted into SQL. */
export type Statements = ReturnType<typeof prepareStatements>;

/** Prepares every statement once: preparing costs many times what running does. */
export function prepareStatements(client: Database, sessions: SessionsTable) {
  const db = drizzle({ client });
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
    label: sql`${value("label")}`,
  };
  const isId = eq(sessions.id, value("id"));
  const isLive = gt(sessions.expiresAt, value("now"));
  const isCurrent = and(isId, isLive, eq(sessions.version, value("was")));
  const isUsers = eq(sessions.userId, value("userId"));
  const isOther = ne(sessions.id, value("exceptId"));
  const rowid = sql`rowid`;
  return unwrapErrors({
    /** Returns rows as {@link Row}: see there. */
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
        label: sessions.label,
        supersededBy: sessions.supersededBy,
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
        set: { ...contents, supersededBy: sql`NULL` },
        setWhere: lte(sessions.expiresAt, value("now")),
      })
      .prepare(),
    replace: db.update(sessions).set(contents).where(isCurrent).prepare(),
    replaceContents: db
      .update(sessions)
      .set({ data: contents.data, flash: contents.flash, version: contents.version })
      .where(isCurrent)
      .prepare(),
    rotate: db
      .update(sessions)
      .set({ id: sql`${value("newId")}`, ...contents })
      .where(isCurrent)
      .prepare(),
    leaveNote: db
      .insert(sessions)
      .values({
        id: sql`${value("id")}`,
        data: "",
        version: NOTE_VERSION,
        createdAt: sql`${value("now")}`,
        touchedAt: sql`${value("now")}`,
        expiresAt: sql`${value("expiresAt")}`,
        supersededBy: sql`${value("newId")}`,
      })
      .prepare(),
    touch: db
      .update(sessions)
      .set({
        touchedAt: sql`${value("now")}`,
        expiresAt: sql`${value("expiresAt")}`,
        version: sql`${sessions.version} + 1`,
      })
      .where(and(isId, isLive, isNull(sessions.supersededBy)))
      .prepare(),
    remove: db
      .delete(sessions)
      .where(isId)
      .returning({ supersededBy: sessions.supersededBy })
      .prepare(),
    list: db
      .select({
        handle: sessions.id,
        userId: sql<string>`${sessions.userId}`,
        createdAt: sessions.createdAt,
        touchedAt: sessions.touchedAt,
        expiresAt: sessions.expiresAt,
        authenticatedAt: sessions.authenticatedAt,
        label: sessions.label,
      })
      .from(sessions)
      .where(and(isUsers, isLive))
      .orderBy(desc(sessions.touchedAt))
      .limit(value("limit"))
      .prepare(),
    removeAll: db
      .delete(sessions)
      .where(
        inArray(
          rowid,
          db.select({ rowid }).from(sessions).where(and(isUsers, isOther)).limit(value("limit")),
        ),
      )
      .returning({ id: sessions.id })
      .prepare(),
    sweep: db
      .delete(sessions)
      .where(
        inArray(
          rowid,
          db
            .select({ rowid })
            .from(sessions)
            .where(lte(sessions.expiresAt, value("before")))
            .limit(value("limit")),
        ),
      )
      .prepare(),
  });
}

type Method = (values: Record<string, unknown>) => unknown;

/** Has statements throw what SQLite throws: Drizzle 1.0 wraps that in an error of its own. */
function unwrapErrors<T extends object>(statements: T): T {
  for (const statement of Object.values(statements) as Record<string, Method>[]) {
    for (const name of ["run", "get", "all", "values"]) {
      const method = statement[name]?.bind(statement);
      statement[name] = (values) => {
        try {
          return method?.(values);
        } catch (error) {
          throw error instanceof DrizzleQueryError ? error.cause : error;
        }
      };
    }
  }
  return statements;
}
