import { describe, expect, test } from "bun:test";

import * as fc from "fast-check";

import { UserLimit } from "../../src/session/user-limit.ts";
import type { SessionInfo } from "../../src/store/record.ts";
import { makeRecord } from "../../src/testing/records.ts";

let logins = 0;

/** One user's sessions, and logins that a schedule carries on step by step. */
class Model {
  now = Date.UTC(2030, 0, 1);
  readonly sessions = new Map<string, SessionInfo>();
  readonly #maxPerUser: number;

  constructor(maxPerUser: number) {
    this.#maxPerUser = maxPerUser;
  }

  /** A login: it is stored, finds what is beyond the limit, and ends that. */
  *logIn(rank: number): Generator<undefined, void> {
    const handle = `${rank}-${logins++}`;
    const { now } = this;
    const record = makeRecord({ userId: "ann", createdAt: now, touchedAt: now });
    const limit = new UserLimit(this.#maxPerUser);
    yield;
    this.sessions.set(handle, { ...record, userId: "ann", handle });
    yield;
    // A store lists sessions of one millisecond in any order.
    const listed = [...this.sessions.values()];
    if (rank % 2 === 0) listed.reverse();
    const surplus = limit.findSurplus(listed, handle, this.now);
    for (const each of surplus) {
      yield;
      this.sessions.delete(each);
    }
    // What follows is another login's millisecond, as with a store that takes time.
    this.now++;
    if (!surplus.includes(handle)) limit.complete(handle);
  }
}

describe("logins in any interleaving", () => {
  test("B10: leave exactly as many sessions as the limit allows", () => {
    const schedules = fc.record({
      maxPerUser: fc.integer({ min: 1, max: 4 }),
      ranks: fc.array(fc.nat(9), { minLength: 4, maxLength: 9 }),
      turns: fc.array(fc.nat(), { maxLength: 90 }),
    });
    const property = fc.property(schedules, ({ maxPerUser, ranks, turns }) => {
      const model = new Model(maxPerUser);
      let running = ranks.map((rank) => model.logIn(rank));
      for (let step = 0; running.length > 0; step++) {
        const turn = turns[step] ?? 0;
        if (turn % 5 === 0) model.now++;
        const next = running[turn % running.length];
        if (next?.next().done === true) running = running.filter((each) => each !== next);
      }
      expect(model.sessions.size).toBe(maxPerUser);
    });
    fc.assert(property, { numRuns: 500 });
  });
});
