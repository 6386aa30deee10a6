import { Sessions } from "../../../src/http/sessions.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import { Overlap } from "./overlap.ts";
import type { Plan, RequestPlan, Step } from "./plan.ts";
import { scheduled } from "./scheduled.ts";

const HOUR = 60 * 60 * 1000;

/** What a program is made of. Every request begins with a read. */
const STEPS = [
  { does: "write", key: "own" },
  { does: "log in", user: "ann" },
  { does: "regenerate" },
  { does: "destroy" },
  { does: "count" },
  { does: "save" },
  { does: "revoke all", user: "ann", butOwn: false },
] as const satisfies readonly Step[];

/** All programs of at most so many steps. */
export function programs(most: number): readonly (readonly Step[])[] {
  const all: (readonly Step[])[] = [[]];
  for (let first = 0, length = 0; length < most; length++) {
    const { length: end } = all;
    for (const program of all.slice(first, end)) {
      for (const step of STEPS) all.push([...program, step]);
    }
    first = end;
  }
  return all;
}

/** Each unordered choice of `size` programs. */
export function* combinations<T>(
  items: readonly T[],
  size: number,
  from = 0,
): Generator<readonly T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let index = from; index < items.length; index++) {
    for (const rest of combinations(items, size - 1, index)) yield [items[index] as T, ...rest];
  }
}

/** Requests that are served side by side, one step at a time: which of them is next is decided here. */
class Stepper {
  /** How many could have gone on at each decision up to now. */
  readonly options: number[] = [];
  readonly #choices: readonly number[];
  readonly #waiting = new Map<number, () => void>();
  #running = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  /** Serves a request until its end. */
  async run(work: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
      this.#decide();
    }
  }

  /** Settles when it is the turn of this request. */
  wait(request: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      this.#running--;
      this.#decide();
    });
  }

  /** Once all are waiting, one goes on: as it was chosen or, behind that, the first. */
  #decide(): void {
    if (this.#running > 0 || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting.keys()].toSorted((one, other) => one - other);
    const next = waiting[this.#choices[this.options.length] ?? 0] ?? 0;
    this.options.push(waiting.length);
    const resume = this.#waiting.get(next);
    this.#waiting.delete(next);
    this.#running++;
    resume?.();
  }
}

/** What to try next, depth first: the last choice that can be raised, or `undefined` after the last. */
function nextChoices(taken: readonly number[], options: readonly number[]): number[] | undefined {
  const choices = options.map((_, index) => taken[index] ?? 0);
  for (let index = options.length - 1; index >= 0; index--) {
    const choice = choices[index] ?? 0;
    if (choice + 1 < (options[index] ?? 0)) return [...choices.slice(0, index), choice + 1];
  }
  return undefined;
}

/** What came of a set of programs: how many schedules there are, and which of them broke a rule. */
export interface Outcome {
  readonly schedules: number;
  readonly faults: readonly string[];
  /** The most calls of the store that one of them made. */
  readonly steps: number;
}

/**
 * Runs programs side by side on the real code, in every order in which their calls of the store can
 * come. `stores` has a store for each, which share what is stored.
 */
export async function tryAll(
  stores: readonly SessionStore[],
  now: () => number,
  steps: readonly (readonly Step[])[],
  isLoggedIn: boolean,
): Promise<Outcome> {
  const requests = steps.map((program, process): RequestPlan => ({
    cookie: "first",
    process,
    steps: program,
    ending: "answers",
  }));
  const plan: Plan = { isLoggedIn, isDue: false, requests };
  const faults: string[] = [];
  let schedules = 0;
  let most = 0;
  for (let taken: number[] | undefined = []; taken !== undefined;) {
    const { options, calls, fault } = await tryOne(stores, now, plan, taken);
    schedules++;
    most = Math.max(most, ...calls);
    if (fault !== undefined) faults.push(`${JSON.stringify(steps)} ${taken.join("")}: ${fault}`);
    taken = nextChoices(taken, options);
  }
  return { schedules, faults, steps: most };
}

async function tryOne(
  stores: readonly SessionStore[],
  now: () => number,
  plan: Plan,
  taken: readonly number[],
): Promise<{
  readonly options: readonly number[];
  readonly calls: readonly number[];
  readonly fault: string | undefined;
}> {
  const stepper = new Stepper(taken);
  const calls = stores.map(() => 0);
  let isStepping = false;
  const managers = stores.map((store, request) => {
    const turn = async (what: string): Promise<void> => {
      if (!isStepping || !what.endsWith("arrives")) return;
      calls[request] = (calls[request] ?? 0) + 1;
      await stepper.wait(request);
    };
    // Without a limit a login need not look how many sessions there are: one call less in each.
    return new Sessions({
      backend: scheduled(store, turn),
      sweepInterval: 0,
      storeTimeout: HOUR,
      maxPerUser: Infinity,
      now,
    });
  });
  const overlap = new Overlap(plan, managers, () => Promise.resolve());
  await overlap.begin();
  isStepping = true;
  await overlap.serve((serve) => stepper.run(serve));
  isStepping = false;
  await overlap.judge();
  const { faults } = overlap.ledger;
  return {
    options: stepper.options,
    calls,
    fault: faults.length > 0 ? faults.join("; ") : undefined,
  };
}
