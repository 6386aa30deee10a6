import * as fc from "fast-check";

import { Sessions } from "../../../src/http/sessions.ts";
import type { SessionBackend } from "../../../src/store/backend.ts";
import { SessionStore } from "../../../src/store/session-store.ts";
import type { FakeClock } from "../../support/clock.ts";
import { Overlap } from "./overlap.ts";
import type { Plan } from "./plan.ts";
import { plans } from "./plan.ts";
import { scheduled } from "./scheduled.ts";

const HOUR = 60 * 60 * 1000;

/** Where requests overlap. */
export interface Place {
  /** Each gets a manager of its own, as processes have. They share what is stored. */
  readonly backends: readonly SessionBackend[];
  /** The backends' clock. Without one the time is real, as on a server. */
  readonly clock?: FakeClock;
}

/**
 * For `fc.assert`: the requests of a random plan, whose calls of the store arrive and are answered in
 * random order. Fails with the rules that were broken, one a line. `report` gets what held.
 */
export function interleavings(
  { backends, clock }: Place,
  report: (overlap: Overlap) => void = () => undefined,
): fc.IAsyncProperty<[fc.Scheduler, Plan, fc.Stream<number>]> {
  const knowsUsers = backends.every((backend) => backend instanceof SessionStore);
  return fc.asyncProperty(
    fc.scheduler(),
    plans({ managers: backends.length, knowsUsers }),
    fc.infiniteStream(fc.nat(2)),
    async (scheduler, plan, pauses) => {
      let isScheduled = false;
      const act = async (task: () => Promise<void>): Promise<void> => {
        await task();
        await turnsOfTheEventLoop(pauses.next().value ?? 0);
      };
      const turn = async (what: string): Promise<void> => {
        if (isScheduled) await scheduler.schedule(Promise.resolve(), what, undefined, act);
      };
      const managers = backends.map(
        (backend) =>
          new Sessions({
            backend: scheduled(backend, turn),
            sweepInterval: 0,
            // A machine that is busy elsewhere must not look like a store that does not answer.
            storeTimeout: HOUR,
            ...(clock === undefined ? {} : { now: clock.now }),
          }),
      );
      const overlap = new Overlap(plan, managers, turn);
      await overlap.begin();
      if (plan.isDue) clock?.advance(HOUR);
      isScheduled = true;
      await scheduler.waitFor(overlap.serve());
      // What no response waits for.
      while (scheduler.count() > 0) {
        await scheduler.waitIdle();
        await turnsOfTheEventLoop(2);
      }
      isScheduled = false;
      await overlap.judge();
      const { faults } = overlap.ledger;
      if (faults.length > 0) throw new Error(faults.join("\n"));
      report(overlap);
    },
  );
}

/** A store that answers later does so between two of them. */
async function turnsOfTheEventLoop(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}
