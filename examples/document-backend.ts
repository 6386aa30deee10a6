// Sessions in a document database: a backend with two methods. Run it: bun examples/document-backend.ts
// The collection is a stand-in on SQLite, with three methods of MongoDB's driver: pass a real collection instead.

import { Database } from "bun:sqlite";

import type { SessionBackend, SessionData } from "bunpie";
import { App } from "bunpie";

interface Document {
  readonly _id: string;
  readonly data: SessionData;
  /** A date, so that a TTL index in MongoDB removes expired documents. */
  readonly expiresAt: Date;
}

interface Collection {
  findOne(filter: { _id: string }): Promise<Document | null>;
  replaceOne(
    filter: { _id: string },
    document: Omit<Document, "_id">,
    options: { upsert: boolean },
  ): Promise<unknown>;
  deleteOne(filter: { _id: string }): Promise<unknown>;
}

class DocumentSessionBackend implements SessionBackend {
  readonly #documents: Collection;

  constructor(documents: Collection) {
    this.#documents = documents;
  }

  async load(sessionId: string): Promise<SessionData> {
    const found = await this.#documents.findOne({ _id: sessionId });
    // A TTL index removes documents only once a minute, so an expired one may still be there.
    return found !== null && found.expiresAt.getTime() > Date.now() ? found.data : {};
  }

  async save(sessionId: string, data: SessionData, timeout: number): Promise<void> {
    const filter = { _id: sessionId };
    if (timeout === 0) return void (await this.#documents.deleteOne(filter));
    const expiresAt = new Date(Date.now() + timeout * 1000);
    await this.#documents.replaceOne(filter, { data, expiresAt }, { upsert: true });
  }
}

function openCollection(db: Database): Collection {
  db.run("CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, document TEXT)");
  return {
    async findOne({ _id }) {
      const row = db
        .query<{ document: string }, [string]>("SELECT document FROM documents WHERE id = ?")
        .get(_id);
      if (row === null) return null;
      const { data, expiresAt } = JSON.parse(row.document);
      return { _id, data, expiresAt: new Date(expiresAt) };
    },
    async replaceOne({ _id }, document) {
      db.run("INSERT OR REPLACE INTO documents VALUES (?, ?)", [_id, JSON.stringify(document)]);
    },
    async deleteOne({ _id }) {
      db.run("DELETE FROM documents WHERE id = ?", [_id]);
    },
  };
}

class Counter extends App<{ visits: number }> {
  index() {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }
}

export default new Counter({
  sessionBackend: new DocumentSessionBackend(openCollection(new Database("documents.db"))),
});
