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

/**
 * A statement written by Drizzle and run by bun:sqlite: running it through Drizzle takes 0.3 µs
 * more.
 */
class Statement<Row = unknown> {
  readonly #statement: ReturnType<Database["prepare"]>;
  readonly #params: unknown[];

  constructor(client: Database, query: { toSQL(): Query }) {
    const { sql: text, params } = query.toSQL();
    this.#statement = client.prepare(text);
    this.#params = params;
  }

  /** Returns the rows that the statement selects, or its RETURNING clause yields. */
  all(values: Record<string, unknown>): Row[] {
    return this.#statement.all(...this.#fill(values)) as Row[];
  }

  /** Returns the number of rows changed. */
  run(values: Record<string, unknown>): Changes["changes"] {
    return this.#statement.run(...this.#fill(values)).changes;
  }

  #fill(values: Record<string, unknown>): SQLQueryBindings[] {
    return fillPlaceholders(this.#params, values) as SQLQueryBindings[];
  }
}

/**
 * Reads the session or note with this id. If a note is gone by the time it is read, it had expired
 * or was deleted: then there is neither.
 */
export function readRow(
  { read, readNote }: Statements,
  id: string,
): SessionRecord | ForwardingNote | undefined {
  const [row] = read.all({ id });
  return row?.version === NOTE_VERSION ? readNote.all({ id })[0] : row;
}

/** Selects columns under their names in the schema, so that a row is the wanted object. */
function aliasColumns<Name extends string>(
  columns: Record<Name, SQLiteColumn>,
): Record<Name, SQL.Aliased> {
  const aliased = Object.entries<SQLiteColumn>(columns).map(([name, column]) => [
    name,
    sql`${column}`.as(name),
  ]);
  return Object.fromEntries(aliased) as Record<Name, SQL.Aliased>;
}

/**
 * The backend's prepared statements. Parameters are named; values are never interpolated into SQL.
 */
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
    /** Finds notes too, recognizable only by their version: see {@link readRow}. */
    read: statement<SessionRecord>(
      db
        .select(
          aliasColumns({
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
        .select(
          aliasColumns({ supersededBy: sessions.supersededBy, expiresAt: sessions.expiresAt }),
        )
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
        .returning(aliasColumns({ supersededBy: sessions.supersededBy })),
    ),
    list: statement<SessionInfo>(
      db
        .select(
          aliasColumns({
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
