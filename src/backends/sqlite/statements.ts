import type { Changes, Database, SQLQueryBindings } from "bun:sqlite";

import type { Query, SQL } from "drizzle-orm";
import {
  and,
  desc,
  eq,
  fillPlaceholders,
  gt,
  inArray,
  isNotNull,
  isNull,
  lte,
  ne,
  sql,
} from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";

import type { ForwardingNote, SessionInfo, SessionRecord } from "../../store/record.ts";
import { NOTE_VERSION } from "../rows.ts";
import type { SessionsTable } from "./schema.ts";

/** A statement that Drizzle has written. It is run by bun:sqlite: through Drizzle it would take 0.3 µs more. */
class Statement<Row = unknown> {
  readonly #statement: ReturnType<Database["prepare"]>;
  readonly #params: unknown[];

  constructor(client: Database, query: { toSQL(): Query }) {
    const { sql: text, params } = query.toSQL();
    this.#statement = client.prepare(text);
    this.#params = params;
  }

  /** Returns the rows that it selects, or returns of what it has changed. */
  all(values: Record<string, unknown>): Row[] {
    return this.#statement.all(...this.#fill(values)) as Row[];
  }

  /** Returns how many rows it changed. */
  run(values: Record<string, unknown>): Changes["changes"] {
    return this.#statement.run(...this.#fill(values)).changes;
  }

  #fill(values: Record<string, unknown>): SQLQueryBindings[] {
    return fillPlaceholders(this.#params, values) as SQLQueryBindings[];
  }
}

/**
 * The session, or the note, that has this id. A note that is gone when it is read had expired, or was deleted
 * first: then there is neither.
 */
export function readRow(
  { read, readNote }: Statements,
  id: string,
): SessionRecord | ForwardingNote | undefined {
  const [row] = read.all({ id });
  return row?.version === NOTE_VERSION ? readNote.all({ id })[0] : row;
}

/** Has columns returned under the names that they have here, so that a row is the object that is wanted. */
function named<Name extends string>(
  columns: Record<Name, SQLiteColumn>,
): Record<Name, SQL.Aliased> {
  const aliased = Object.entries<SQLiteColumn>(columns).map(([name, column]) => [
    name,
    sql`${column}`.as(name),
  ]);
  return Object.fromEntries(aliased) as Record<Name, SQL.Aliased>;
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
  const statement = <Row = unknown>(query: { toSQL(): Query }): Statement<Row> =>
    new Statement<Row>(client, query);
  return {
    /** Finds notes too, which only their version tells apart: {@link readRow}. */
    read: statement<SessionRecord>(
      db
        .select(
          named({
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
          }),
        )
        .from(sessions)
        .where(isId),
    ),
    readNote: statement<ForwardingNote>(
      db
        .select(named({ supersededBy: sessions.supersededBy, expiresAt: sessions.expiresAt }))
        .from(sessions)
        .where(and(isId, isNotNull(sessions.supersededBy))),
    ),
    isTaken: statement(db.select({ id: sessions.id }).from(sessions).where(and(isId, isLive))),
    create: statement(
      db
        .insert(sessions)
        .values({ id: sql`${value("id")}`, ...contents })
        .onConflictDoUpdate({
          target: sessions.id,
          set: { ...contents, supersededBy: sql`NULL` },
          setWhere: lte(sessions.expiresAt, value("now")),
        }),
    ),
    replace: statement(db.update(sessions).set(contents).where(isCurrent)),
    replaceContents: statement(
      db
        .update(sessions)
        .set({ data: contents.data, flash: contents.flash, version: contents.version })
        .where(isCurrent),
    ),
    rotate: statement(
      db
        .update(sessions)
        .set({ id: sql`${value("newId")}`, ...contents })
        .where(isCurrent),
    ),
    leaveNote: statement(
      db.insert(sessions).values({
        id: sql`${value("id")}`,
        data: "",
        version: NOTE_VERSION,
        createdAt: sql`${value("now")}`,
        touchedAt: sql`${value("now")}`,
        expiresAt: sql`${value("expiresAt")}`,
        supersededBy: sql`${value("newId")}`,
      }),
    ),
    touch: statement(
      db
        .update(sessions)
        .set({
          touchedAt: sql`${value("now")}`,
          expiresAt: sql`${value("expiresAt")}`,
          version: sql`${sessions.version} + 1`,
        })
        .where(and(isId, isLive, isNull(sessions.supersededBy))),
    ),
    remove: statement<{ readonly supersededBy: string | null }>(
      db
        .delete(sessions)
        .where(isId)
        .returning(named({ supersededBy: sessions.supersededBy })),
    ),
    list: statement<SessionInfo>(
      db
        .select(
          named({
            handle: sessions.id,
            userId: sessions.userId,
            createdAt: sessions.createdAt,
            touchedAt: sessions.touchedAt,
            expiresAt: sessions.expiresAt,
            authenticatedAt: sessions.authenticatedAt,
            label: sessions.label,
          }),
        )
        .from(sessions)
        .where(and(isUsers, isLive))
        .orderBy(desc(sessions.touchedAt))
        .limit(value("limit")),
    ),
    removeAll: statement<{ readonly id: string }>(
      db
        .delete(sessions)
        .where(
          inArray(
            rowid,
            db.select({ rowid }).from(sessions).where(and(isUsers, isOther)).limit(value("limit")),
          ),
        )
        .returning({ id: sessions.id }),
    ),
    sweep: statement(
      db.delete(sessions).where(
        inArray(
          rowid,
          db
            .select({ rowid })
            .from(sessions)
            .where(lte(sessions.expiresAt, value("before")))
            .limit(value("limit")),
        ),
      ),
    ),
  };
}
