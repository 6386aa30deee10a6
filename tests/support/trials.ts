import { describe, test } from "bun:test";

/**
 * How much the tests try. `bun run test` sets `quick`, which leaves long trials out, and
 * `bun run guarantees` sets `full`. Everything else, `bun run check` included, is `gate`.
 */
export const TRIALS = readTrials(process.env["TRIALS"]);

/** Whether what takes seconds is tried too. */
export const isLong = TRIALS !== "quick";

/** `describe` for what takes seconds. `isPossible` says whether what it needs is there. */
export function describeLong(isPossible: boolean, name: string, body: () => void): void {
  if (isLong) describe.skipIf(!isPossible)(name, body);
}

/** The same for a single test, which may take so many milliseconds instead of what the command allows. */
export function testLong(name: string, body: () => Promise<void>, timeout?: number): void {
  if (isLong) test(name, body, timeout);
}

function readTrials(text = "gate"): "quick" | "gate" | "full" {
  if (text === "quick" || text === "gate" || text === "full") return text;
  throw new Error(`TRIALS is ${text}; it has to be quick, gate or full.`);
}
