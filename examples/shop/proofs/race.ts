import type { Fetch } from "./visitor.ts";
import { Visitor } from "./visitor.ts";

/** How many pies are added at once. */
export const RACERS = 50;

/** How many of them are in the session afterwards. */
export interface RaceResult {
  readonly loadThenSave: number;
  readonly update: number;
}

/** Adds 50 pies at once to a new session, in each of the two ways. */
export async function runRace(origin: string, answer: Fetch): Promise<RaceResult> {
  return {
    loadThenSave: await addAtOnce(new Visitor(origin, answer), "/proofs/pies/load-then-save"),
    update: await addAtOnce(new Visitor(origin, answer), "/proofs/pies/update"),
  };
}

async function addAtOnce(visitor: Visitor, path: string): Promise<number> {
  await visitor.post("/proofs/pies");
  await Promise.all(Array.from({ length: RACERS }, () => visitor.post(path)));
  const { pies } = (await (await visitor.get("/proofs/pies")).json()) as { pies: number };
  await visitor.delete("/proofs/pies");
  return pies;
}
