import type { SessionBackend } from "../../../src/store/backend.ts";

/** A backend with one fault, and the tests that have to tell of it. */
export interface Broken {
  /** What is wrong with it. */
  readonly fault: string;
  readonly create: (now: () => number) => SessionBackend;
  /**
   * The tests of that fault, without backticks, and with `|` between them: what a sentence is written on,
   * and the sentence, or its beginning before a colon. `…` stands for any words.
   */
  readonly red: string;
}

export function latin1(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
