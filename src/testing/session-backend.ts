import { describe } from "bun:test";

import type { SessionBackend } from "../store/backend.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import type { SessionStore } from "../store/session-store.ts";
import { isSessionStore } from "../store/session-store.ts";
import { LOAD_SAVE_STORE, SESSION_BACKEND } from "./backend-contract.ts";
import { describeContract } from "./contract.ts";
import { SESSION_STORE } from "./store-contract.ts";
import type { Create } from "./trial.ts";
import { beginTrial, neverTwice } from "./trial.ts";

/**
 * Tests a backend under `bun test`: one test for each sentence of the doc comments of
 * `SessionBackend` and, for what extends it, of `SessionStore`, under the same words.
 *
 * ```ts
 * testSessionBackend("OwnSessionBackend", (now) => new OwnSessionBackend(database, now));
 * ```
 *
 * `create` makes a backend, at once or later. It is called for each test, and once before them, to see
 * what it makes: earlier than any `beforeAll`. A store is closed after its test; what else `create`
 * opens is yours to close, in an `afterAll`.
 *
 * `now` is a clock in Unix milliseconds that the tests move. A backend need not go by it: what has to
 * expire is then given a second or two in earnest.
 *
 * Ids and users are random, and what a test stores it removes, so the backend may be on a server that
 * others use at the same time. Expired sessions are swept, whoever's they are. The clock is up to ten
 * minutes fast: what a backend removes on the way, without being asked to, may be gone by so much too
 * early.
 */
export function testSessionBackend(
  name: string,
  create: (now: () => number) => MaybePromise<SessionBackend>,
): void {
  describe(name, async () => {
    const createAnew = neverTwice(create);
    await using sample = await beginTrial(createAnew);
    const begin = () => beginTrial(createAnew);
    describeContract(SESSION_BACKEND, begin);
    if (isSessionStore(sample.backend)) {
      // What it has made once it makes every time.
      describeContract(SESSION_STORE, () => beginTrial(createAnew as Create<SessionStore>));
    } else {
      describeContract(LOAD_SAVE_STORE, begin);
    }
  });
}
