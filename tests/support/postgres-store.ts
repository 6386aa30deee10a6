import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import type { SessionInfo, SessionRecord } from "../../src/store/backend.ts";
import { SessionStore } from "../../src/store/backend.ts";
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

  async read(id: string): Promise<SessionRecord | undefined> {
    return (await this.#backend).read(id);
  }

  async create(id: string, record: SessionRecord): Promise<boolean> {
    return (await this.#backend).create(id, record);
  }

  async replace(id: string, record: SessionRecord, version: number): Promise<boolean> {
    return (await this.#backend).replace(id, record, version);
  }

  async rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    version: number,
  ): Promise<boolean> {
    return (await this.#backend).rotate(oldId, newId, record, version);
  }

  async touch(id: string, expiresAt: number): Promise<boolean> {
    return (await this.#backend).touch(id, expiresAt);
  }

  async delete(id: string): Promise<void> {
    return (await this.#backend).delete(id);
  }

  async list(userId: string): Promise<readonly SessionInfo[]> {
    return (await this.#backend).list(userId);
  }

  async deleteAll(userId: string, exceptId?: string): Promise<number> {
    return (await this.#backend).deleteAll(userId, exceptId);
  }

  async sweep(limit: number): Promise<number> {
    return (await this.#backend).sweep(limit);
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
