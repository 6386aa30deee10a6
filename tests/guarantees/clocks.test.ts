import { describe, expect } from "bun:test";

import * as fc from "fast-check";

import { Sessions } from "../../src/http/sessions.ts";
import type { Session } from "../../src/session/session.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { SessionStore } from "../../src/store/session-store.ts";
import { CLOCK_TOLERANCE } from "../../src/store/sweeper.ts";
import { FakeClock } from "../support/clock.ts";
import { BACKENDS, SWEPT_STORES } from "../support/stores/backends.ts";
import type { Watched } from "../support/stores/watched-backend.ts";
import { watch } from "../support/stores/watched-backend.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";
import { guarantee, number } from "./figure.ts";
import type { CookieNews, Deed } from "./lifetime-model.ts";
import { ABSOLUTE, IDLE, ModelSession, REMEMBERED } from "./lifetime-model.ts";

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;

/** How the clock moves. */
type Move =
  | { readonly by: number }
  /** To where something changes, or to a millisecond beside it. */
  | { readonly to: (typeof EDGES)[number]; readonly off: number };

const EDGES = ["endsAt", "lifetimeEndsAt", "freshUntil"] as const;

/** What comes next on a schedule. */
type Entry =
  /** A request, during which the clock moves. */
  | { readonly does: Deed; readonly meanwhile: Move }
  | { readonly clock: Move }
  | { readonly sweeps: true };

const distances = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: IDLE }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: REMEMBERED }) },
  { weight: 1, arbitrary: fc.constantFrom(-HOUR, HOUR) },
  { weight: 1, arbitrary: fc.integer({ min: -HOUR, max: HOUR }) },
);

const moves: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ by: distances }),
  fc.record({ to: fc.constantFrom(...EDGES), off: fc.integer({ min: -1, max: 1 }) }),
);

const deeds = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<Deed>("reads", "writes", "updates") },
  { weight: 6, arbitrary: fc.constantFrom<Deed>("regenerates", "logs in", "logs in, remembered") },
  { weight: 1, arbitrary: fc.constant<Deed>("destroys") },
);

const stand = fc.constant<Move>({ by: 0 });

const entries: fc.Arbitrary<Entry> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      does: deeds,
      meanwhile: fc.oneof({ weight: 3, arbitrary: stand }, { weight: 1, arbitrary: moves }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ clock: moves }) },
  { weight: 1, arbitrary: fc.constant({ sweeps: true as const }) },
);

const schedules = fc.array(entries, { minLength: 5, maxLength: 40, size: "max" });

/** How often something was tried that could have gone wrong. */
interface Tally {
  requests: number;
  /** Requests with the cookie of a session whose time was over. */
  expired: number;
  /** How often the clock was set back. */
  backwards: number;
}

/** Lives through a schedule, and compares what each request sees and is told with the model. */
class Life {
  readonly #watched: Watched<SessionBackend>;
  readonly #isSwept: boolean;
  readonly #clock: FakeClock;
  readonly #tally: Tally;
  readonly #sessions: Sessions;
  readonly #visitor: Visitor;
  readonly #model = new ModelSession();

  /** `isSwept`: a sweep removes for good what has ended by then. */
  constructor(backend: SessionBackend, isSwept: boolean, clock: FakeClock, tally: Tally) {
    this.#watched = watch(backend);
    this.#isSwept = isSwept;
    this.#clock = clock;
    this.#tally = tally;
    this.#sessions = new Sessions({
      storeTimeout: 60_000,
      backend: this.#watched.backend,
      now: clock.now,
      timeout: IDLE / SECOND,
      lifetime: ABSOLUTE / SECOND,
      sweepInterval: 0,
      // All schedules are one user's.
      maxPerUser: Infinity,
    });
    this.#visitor = new Visitor(this.#sessions);
  }

  async take(entry: Entry): Promise<void> {
    if ("clock" in entry) this.#move(entry.clock);
    else if ("does" in entry) await this.#request(entry.does, entry.meanwhile);
    else {
      await this.#sessions.sweep();
      if (this.#isSwept) this.#model.sweep(this.#clock.now() - CLOCK_TOLERANCE);
    }
  }

  async #request(deed: Deed, meanwhile: Move): Promise<void> {
    const begun = this.#clock.now();
    const { count, user, beganAt, endsAt, usedAt } = this.#model;
    const isAlive = this.#model.isAliveAt(begun);
    const { hasCookie } = this.#visitor;
    this.#tally.requests++;
    if (!isAlive && hasCookie) this.#tally.expired++;
    const response = await this.#visitor.visit(async (session) => {
      const seen = readSight(session);
      this.#move(meanwhile);
      await this.#do(deed, session);
      return seen;
    });
    // The idle timeout begins anew in the background, which no response waits for.
    await this.#watched.idle();
    const now = this.#clock.now();
    expect(await response.json()).toEqual(isAlive ? { count, user, beganAt, endsAt } : NOTHING);
    const news = this.#model.serve(deed, begun, now, hasCookie);
    // Whether a use counts is not to be told where it comes at the very time of the last one.
    if (isAlive && now === usedAt) return;
    expect(readNews(response)).toEqual([news, ...this.#maxAge(news)]);
  }

  async #do(deed: Deed, session: Session): Promise<void> {
    switch (deed) {
      case "reads":
        return;
      case "destroys":
        return session.destroy();
      case "updates":
        await session.update(countUp);
        return;
      case "writes":
        return countUp(session);
      case "regenerates":
        countUp(session);
        return session.regenerate();
      case "logs in":
        countUp(session);
        return session.login("ann");
      case "logs in, remembered":
        countUp(session);
        return session.login("ann", { remember: REMEMBERED / SECOND });
    }
  }

  /** How long the cookie lives: as long as the session, and not a moment longer. */
  #maxAge(news: CookieNews): number[] {
    if (news === "cleared") return [0];
    if (news !== "an id that outlives the browser") return [];
    return [Math.ceil((this.#model.endsAt - this.#clock.now()) / SECOND)];
  }

  #move(move: Move): void {
    const by = "by" in move ? move.by : this.#model[move.to] + move.off - this.#clock.now();
    if (by < -HOUR) return;
    this.#clock.advance(by);
    if (by < 0) this.#tally.backwards++;
  }
}

function countUp(data: Record<string, unknown>): void {
  data["count"] = Number(data["count"] ?? 0) + 1;
}

const NOTHING = { count: 0, user: null, beganAt: null, endsAt: null };

function readSight(session: Session): object {
  const { userId, createdAt, expiresAt } = session.meta;
  return { count: session["count"] ?? 0, user: userId, beganAt: createdAt, endsAt: expiresAt };
}

function readNews(response: Response): unknown[] {
  const [line] = sessionCookies(response);
  if (line === undefined) return ["none"];
  const { value, maxAge } = Bun.Cookie.parse(line);
  if (value === "") return ["cleared", maxAge];
  return maxAge === undefined ? ["an id"] : ["an id that outlives the browser", maxAge];
}

describe.each(BACKENDS)("sessions while the clock is set back and forth, on %s", (name, create) => {
  guarantee(
    `sessions expire after their idle timeout or absolute lifetime, and no sooner: ${name}`,
    { id: "G16", quick: 60, on: name, gate: 300, full: 10_000, of: "schedules" },
    async (trial) => {
      const clock = new FakeClock();
      const backend = create(clock.now);
      const isSwept = SWEPT_STORES.some(([each]) => each === name);
      const tally: Tally = { requests: 0, expired: 0, backwards: 0 };
      let done = 0;
      const property = fc.asyncProperty(schedules, async (schedule) => {
        const life = new Life(backend, isSwept, clock, tally);
        for (const entry of schedule) await life.take(entry);
        if (++done % 500 === 0) trial.progress(done);
      });
      await fc.assert(property, trial.runs);
      expect(tally.expired).toBeGreaterThan(trial.size / 2);
      trial.never("requests that differ from the model", 0, tally.requests);
      trial.note(`${number(tally.expired)} requests came after their session's end`);
      trial.note(`the clock was set back ${number(tally.backwards)} times`);
      if (backend instanceof SessionStore) await backend.close();
    },
  );
});
