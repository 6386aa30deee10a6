// Scheduled work: tokens expire, and a job removes them for as long as the app runs.
// Run it: bun examples/clean-up.ts

import { Database } from "bun:sqlite";

import { App, routes } from "bunpie";

const LIFETIME = 15 * 60_000;

class Tokens extends App {
  readonly #db = this.own(new Database("tokens.db"));

  /** Requests wait for this. At shutdown, the app closes what it owns in reverse order: the job, then the database. */
  override onStart() {
    this.#db.run("CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires_at INTEGER)");
    this.own(
      Bun.cron("*/5 * * * *", () => this.#removeExpired()),
      (job) => job.stop(),
    );
    this.#removeExpired();
  }

  tokens = routes({
    "/": {
      GET: () => this.#db.query("SELECT count(*) AS stored FROM tokens").get(),
      POST: () => {
        const token = crypto.randomUUID();
        this.#db.run("INSERT INTO tokens VALUES (?, ?)", [token, Date.now() + LIFETIME]);
        return { token };
      },
    },
    "/:token": (token) => ({
      valid:
        this.#db
          .query("SELECT 1 FROM tokens WHERE token = ? AND expires_at > ?")
          .get(token, Date.now()) !== null,
    }),
  });

  override onStop() {
    console.info("All requests are finished.");
  }

  #removeExpired() {
    const { changes } = this.#db.run("DELETE FROM tokens WHERE expires_at <= ?", [Date.now()]);
    console.info(`Removed ${changes} expired tokens.`);
  }
}

export default new Tokens();
