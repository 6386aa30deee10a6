import { describe } from "bun:test";

import { LoadSaveStore } from "../../src/store/load-save-store.ts";
import { FakeClock } from "../support/clock.ts";
import { PAIRS, STORES } from "../support/stores/backends.ts";
import { POSTGRES_STORES } from "../support/stores/postgres-store.ts";
import { guarantee } from "./figure.ts";
import { checkStoreSequences } from "./store-commands.ts";

const SEQUENCES = { quick: 20, gate: 100, full: 2_000, of: "random sequences of commands" };

describe.each([...STORES, ...POSTGRES_STORES])(
  "any sequence of operations on %s",
  (name, create) => {
    const isSwept = name !== "RedisSessionBackend";

    guarantee(
      `a store answers as its contract says: ${name}`,
      { id: "G21", on: name, ...SEQUENCES },
      async (trial) => {
        const clock = new FakeClock();
        const store = create(clock.now);
        await checkStoreSequences({ store, clock, isSwept }, trial.runs);
        trial.never("that differ from the model", 0);
        await store.close();
      },
    );

    guarantee(
      `a store answers as its contract says on the system's clock too: ${name}`,
      { id: "G21", on: name, ...SEQUENCES },
      async (trial) => {
        const store = create(Date.now);
        await checkStoreSequences({ store, isSwept }, trial.runs);
        trial.never("that differ from the model", 0);
        await store.close();
      },
    );
  },
);

describe.each(PAIRS)("any sequence of operations on the store over %s", (name, create) => {
  guarantee(
    `a store made of two methods answers as the contract says: ${name}`,
    { id: "G21", on: name, ...SEQUENCES },
    async (trial) => {
      const clock = new FakeClock();
      const store = new LoadSaveStore(create(clock.now), clock.now);
      await checkStoreSequences({ store, clock, isPair: true }, trial.runs);
      trial.never("that differ from the model", 0);
    },
  );
});
