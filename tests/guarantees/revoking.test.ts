import { describe, expect } from "bun:test";

import { App } from "../../src/app/app.ts";
import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { TestClient } from "../../src/testing/client.ts";
import { PATIENT, postgres, Schema } from "../support/servers/postgres.ts";
import { TRIALS } from "../support/trials.ts";
import { guarantee } from "./figure.ts";

/** Whether limits on time are checked as well. Where they are not, the machine may be busy. */
const IS_MEASURED = TRIALS === "full";

/** How long 99 of 100 pages may take another visitor meanwhile, in milliseconds. */
const USUAL_WAIT = 100;
/** How long any of them may take: a checkpoint of the server's can come in between. */
const LONGEST_WAIT = 1_000;

class Site extends App<{ visits: number }> {
  index(): string {
    const { session } = this.request;
    session.visits = (session.visits ?? 0) + 1;
    return String(session.visits);
  }
  login(user: string): string {
    this.request.session.login(user);
    return "in";
  }
  who(): string {
    return String(this.request.session.meta.userId);
  }
}

describe.skipIf(!postgres.isThere)("a user with very many sessions", () => {
  guarantee(
    "on PostgreSQL, nine tenths of all sessions are one user's: revokeAll ends each of them, and the others are served",
    { id: "G9", gate: 2_000, full: 1_000_000, of: "sessions" },
    async (trial) => {
      await using schema = await Schema.create();
      const backend = new PostgresSessionBackend(schema.url, IS_MEASURED ? {} : PATIENT);
      const app = new Site({
        sessionBackend: backend,
        session: { maxPerUser: Infinity, ...(IS_MEASURED ? {} : { storeTimeout: 60_000 }) },
      });
      await backend.ready();
      const now = Date.now();
      await schema.sql`
        INSERT INTO bunpie_sessions
        (id, data, version, created_at, touched_at, expires_at, user_id, authenticated_at)
        SELECT md5(n::text), '{"visits":1}', 1, ${now}::bigint - n, ${now}::bigint - n, ${now + 36e5}::bigint,
               CASE WHEN n % 10 = 0 THEN 'Guest ' || n ELSE 'Mallory' END, ${now}::bigint
        FROM generate_series(1, ${trial.size}::int) n`;
      await schema.sql`ANALYZE bunpie_sessions`;
      const [thief, visitor] = [new TestClient(app), new TestClient(app)];
      await thief.send("/login/Mallory");
      await visitor.send("/login/Ann");

      const begunList = performance.now();
      const listed = await app.sessions.list("Mallory");
      const listTime = performance.now() - begunList;

      const begun = performance.now();
      const revoking = app.sessions.revokeAll("Mallory");
      const waits: number[] = [];
      while (Bun.peek.status(revoking) === "pending") {
        const asked = performance.now();
        expect(await visitor.text("/")).toBe(String(waits.length + 1));
        waits.push(performance.now() - asked);
      }
      const revoked = await revoking;
      const seconds = (performance.now() - begun) / 1000;

      const [left] = await schema.sql`
        SELECT count(*)::int AS all, (count(*) FILTER (WHERE user_id = 'Mallory'))::int AS theirs
        FROM bunpie_sessions`;
      const theirs = trial.size - trial.size / 10 + 1;
      trial.always("ended, by revokeAll's count", revoked, theirs);
      trial.never("of these rows left", left.theirs, theirs);
      trial.always("other users' sessions left", left.all, trial.size / 10 + 1);
      expect(await thief.text("/who")).toBe("null");
      expect(await visitor.text("/who")).toBe("Ann");
      expect(await app.sessions.list("Mallory")).toEqual([]);
      waits.sort((one, other) => one - other);
      const usual = waits[Math.floor(waits.length * 0.99)] ?? 0;
      trial.atMost("p99 of another visitor's pages", usual, USUAL_WAIT, "ms");
      trial.atMost("slowest of these pages", waits.at(-1) ?? 0, LONGEST_WAIT, "ms");
      trial.atMost(`list() of the ${listed.length} most recently used`, listTime, USUAL_WAIT, "ms");
      trial.note(`took ${seconds.toFixed(1)} s, during ${waits.length} visits`);
      await app.sessions.close();
    },
  );
});
