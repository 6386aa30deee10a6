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
 * `SessionBackend` and, for a store, of `SessionStore`, named with the same words.
 *
 * ```ts
 * testSessionBackend("OwnSessionBackend", (now) => new OwnSessionBackend(database, now));
 * ```
 *
 * `create` returns a backend or a promise of one. It is called for each test, and once before all
 * of them, earlier than any `beforeAll`, to find out what kind of backend it makes. Each test
 * closes its store; close anything else that `create` opens in an `afterAll`.
 *
 * `now` is a clock in Unix milliseconds that the tests move. A backend may ignore it: the tests
 * then wait a second or two for data to expire.
 *
 * Ids and users are random, and each test removes what it has stored, so the backend may be on a
 * server that others use at the same time. The tests sweep expired sessions, whoever stored them.
 * The clock runs up to ten minutes fast, so a backend that removes expired data on its own may
 * remove the data of others that much too early.
 */
export function testSessionBackend(
  name: string,
  create: (now: () => number) => MaybePromise<SessionBackend>,
): void {
  describe(name, async () => {
    const createFresh = neverTwice(create);
    await using sample = await beginTrial(createFresh);
    const begin = () => beginTrial(createFresh);
    describeContract(SESSION_BACKEND, begin);
    if (isSessionStore(sample.backend)) {
      // `create` makes the same kind of backend every time.
      describeContract(SESSION_STORE, () => beginTrial(createFresh as Create<SessionStore>));
    } else {
      describeContract(LOAD_SAVE_STORE, begin);
    }
  });
}
