import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../src/store/record.ts";
import { SessionStore } from "../../src/store/session-store.ts";
import { postgres, Schema } from "./postgres.ts";

/** The PostgreSQL backend in a schema of its own, which goes when the store is closed. */
export class PostgresStore extends SessionStore {
  readonly #schema = Schema.create();
  readonly #backend: Promise<PostgresSessionBackend>;
  #closed: Promise<void> | undefined;

  constructor(now: () => number) {
    super(now);
    this.#backend = this.#schema.then(
      ({ url }) =>
        new PostgresSessionBackend(`${url}&synchronous_commit=off`, { now, connections: 2 }),
    );
  }

  async read(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    return (await this.#backend).read(id);
  }

  async create(id: string, record: SessionRecord): Promise<boolean> {
    return (await this.#backend).create(id, record);
  }

  async replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    return (await this.#backend).replace(id, record, old);
  }

  async rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): Promise<boolean> {
    return (await this.#backend).rotate(oldId, newId, record, old);
  }

  async touch(id: string, expiresAt: number): Promise<boolean> {
    return (await this.#backend).touch(id, expiresAt);
  }

  async delete(id: string): Promise<string | undefined> {
    return (await this.#backend).delete(id);
  }

  async list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    return (await this.#backend).list(userId, limit);
  }

  async deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    return (await this.#backend).deleteAll(userId, exceptId, limit);
  }

  async sweep(limit: number, before?: number): Promise<number> {
    return (await this.#backend).sweep(limit, before);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await (await this.#backend).close();
    await (await this.#schema).drop();
  }
}

/** For `describe.each`, beside the stores that need no server. Each has to be closed. */
export const POSTGRES_STORES = postgres.isThere
  ? ([["PostgresSessionBackend", (now: () => number) => new PostgresStore(now)]] as const)
  : [];
