import type { Cart } from "./cart.ts";
import type { CrashResult } from "./proofs/crash.ts";
import type { RaceResult } from "./proofs/race.ts";

/** What a visitor's session holds. Each key may be missing: a new session is empty. */
export interface ShopSession {
  cart: Cart;
  /** The last order, so that a second click on "Order" leads to the same receipt. */
  order: Order;
  /** Whether the visitor was told that their previous session has ended. */
  isTold: boolean;
  /** Results of the proofs on the first page. */
  race: RaceResult;
  crash: CrashResult;
  /** The counter of the race, which has sessions of its own. */
  pies: number;
}

/** An order, as the receipt shows it. Times are Unix milliseconds. */
export interface Order {
  readonly number: string;
  readonly pies: number;
  /** In cents. */
  readonly total: number;
  readonly at: number;
}

/** What the next page tells the visitor, once. */
export interface Notice {
  readonly kind: "done" | "info" | "problem";
  readonly text: string;
}

/** A notice of success. */
export function done(text: string): Notice {
  return { kind: "done", text };
}

/** A neutral notice. */
export function info(text: string): Notice {
  return { kind: "info", text };
}

/** A notice of failure. */
export function problem(text: string): Notice {
  return { kind: "problem", text };
}
