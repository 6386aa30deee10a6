import * as fc from "fast-check";

/** What a handler does next. Every value that it writes is one that nobody else writes. */
export type Step =
  | { readonly does: "write" | "nest" | "remove"; readonly key: "own" | "shared" }
  | { readonly does: "flash"; readonly name: "own" | "shared" }
  | { readonly does: "take"; readonly name: "another's" | "shared" }
  | { readonly does: "count" | "save" | "save meanwhile" | "regenerate" | "destroy" }
  | { readonly does: "log in"; readonly user: User }
  | { readonly does: "revoke"; readonly whose: "own" | "first" }
  | { readonly does: "revoke all"; readonly user: User; readonly butOwn: boolean };

type User = "ann" | "ben";

/** One of the requests that overlap. */
export interface RequestPlan {
  /** The cookie of before, as a second tab or a thief has it, or what the browser holds by then. */
  readonly cookie: "first" | "newest";
  /** Which of the managers serves it. */
  readonly process: number;
  readonly steps: readonly Step[];
  readonly ending: "answers" | "answers 500" | "throws";
}

/** A session that is there, and the requests to be made of it. */
export interface Plan {
  readonly isLoggedIn: boolean;
  /** Whether its idle timeout is to be begun anew by whoever only reads it. */
  readonly isDue: boolean;
  readonly requests: readonly RequestPlan[];
}

/** Each as often as its number says. Afterwards the session is the same, but for what it holds. */
const PEACEFUL: readonly (readonly [weight: number, step: Step])[] = [
  [3, { does: "write", key: "own" }],
  [3, { does: "write", key: "shared" }],
  [2, { does: "nest", key: "own" }],
  [1, { does: "nest", key: "shared" }],
  [1, { does: "remove", key: "own" }],
  [1, { does: "remove", key: "shared" }],
  [2, { does: "count" }],
  [2, { does: "save" }],
  [1, { does: "save meanwhile" }],
  [1, { does: "flash", name: "own" }],
  [1, { does: "flash", name: "shared" }],
  [1, { does: "take", name: "another's" }],
  [1, { does: "take", name: "shared" }],
];

/** These end a session, or its id. */
const ENDING: readonly (readonly [weight: number, step: Step])[] = [
  [3, { does: "regenerate" }],
  [3, { does: "destroy" }],
  [2, { does: "log in", user: "ann" }],
  [1, { does: "log in", user: "ben" }],
  [1, { does: "revoke", whose: "own" }],
  [1, { does: "revoke", whose: "first" }],
];

const OF_USERS: readonly (readonly [weight: number, step: Step])[] = [
  [1, { does: "revoke all", user: "ann", butOwn: false }],
  [1, { does: "revoke all", user: "ann", butOwn: true }],
  [1, { does: "revoke all", user: "ben", butOwn: false }],
];

/** Whether all that the requests do leaves the session alive, under the id that it has. */
export function isPeaceful(plan: Plan): boolean {
  const peaceful = new Set<string>(PEACEFUL.map(([, { does }]) => does));
  return plan.requests.every(({ steps }) =>
    steps.every(
      (step) =>
        peaceful.has(step.does) &&
        // A session of nobody's that is emptied has ended.
        (plan.isLoggedIn || step.does !== "remove" || step.key !== "shared"),
    ),
  );
}

/** Plans of two to five requests, a quarter of them peaceful. */
export function plans(options: {
  /** How many managers there are to serve them. */
  readonly managers: number;
  /** Whether all of a user's sessions can be revoked. */
  readonly knowsUsers: boolean;
}): fc.Arbitrary<Plan> {
  const all = [...PEACEFUL, ...ENDING, ...(options.knowsUsers ? OF_USERS : [])];
  const makePlan = (choice: typeof PEACEFUL): fc.Arbitrary<Plan> => {
    const step = fc.oneof(
      ...choice.map(([weight, each]) => ({ weight, arbitrary: fc.constant(each) })),
    );
    const request = fc.record<RequestPlan>({
      cookie: fc.constantFrom("first", "newest"),
      process: fc.nat(options.managers - 1),
      steps: fc.array(step, { maxLength: 4 }),
      ending: fc.oneof(
        { weight: 6, arbitrary: fc.constant("answers") },
        { weight: 1, arbitrary: fc.constantFrom("answers 500", "throws") },
      ),
    });
    return fc.record({
      isLoggedIn: fc.boolean(),
      isDue: fc.boolean(),
      requests: fc.array(request, { minLength: 2, maxLength: 5 }),
    });
  };
  return fc.oneof(
    { weight: 1, arbitrary: makePlan(PEACEFUL) },
    { weight: 3, arbitrary: makePlan(all) },
  );
}
