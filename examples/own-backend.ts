/** Your own session backend: two methods, here on a table that an app might already have. */

import { Database } from "bun:sqlite";

import type { SessionBackend, SessionData } from "bunpie";
import { App } from "bunpie";

class TableSessionBackend implements SessionBackend {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.run(
      "CREATE TABLE IF NOT EXISTS my_sessions (id TEXT PRIMARY KEY, data TEXT, expires_at INTEGER)",
    );
    database.run("DELETE FROM my_sessions WHERE expires_at <= ?", [Date.now()]);
  }

  /** Returns the data, or `{}` if there is none: an expired session is absent. */
  load(sessionId: string): SessionData {
    const row = this.#database
      .query<{ data: string }, [string, number]>(
        "SELECT data FROM my_sessions WHERE id = ? AND expires_at > ?",
      )
      .get(sessionId, Date.now());
    return row === null ? {} : (JSON.parse(row.data) as SessionData);
  }

  /** Keeps the data for `timeout` seconds; deletes it if `timeout` is 0 or the data is empty. */
  save(sessionId: string, data: SessionData, timeout: number): void {
    if (timeout === 0 || Object.keys(data).length === 0) {
      this.#database.run("DELETE FROM my_sessions WHERE id = ?", [sessionId]);
      return;
    }
    this.#database.run("INSERT OR REPLACE INTO my_sessions VALUES (?, ?, ?)", [
      sessionId,
      JSON.stringify(data),
      Date.now() + timeout * 1000,
    ]);
  }
}

class Counter extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return `You have visited ${session.visits} times.`;
  }

  logout = {
    POST: (): Response => {
      this.request.session.destroy();
      return this.redirect("/", 303);
    },
  };
}

const app = new Counter({ sessionBackend: new TableSessionBackend(new Database("app.db")) });

export default app;
