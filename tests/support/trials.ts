/**
 * How much the tests try. `bun run test` sets `quick`, which leaves long trials out, and
 * `bun run guarantees` sets `full`. Everything else, `bun run check` included, is `gate`.
 */
export const TRIALS = readTrials(process.env["TRIALS"]);

/** Whether what takes seconds is tried too. */
export const isLong = TRIALS !== "quick";

function readTrials(text = "gate"): "quick" | "gate" | "full" {
  if (text === "quick" || text === "gate" || text === "full") return text;
  throw new Error(`TRIALS is ${text}; it has to be quick, gate or full.`);
}
