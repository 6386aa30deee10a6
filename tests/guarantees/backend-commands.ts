import { expect } from "bun:test";

import * as fc from "fast-check";

import type { SessionBackend, SessionData } from "../../src/store/backend.ts";
import { randomId } from "../../src/testing/records.ts";
import type { FakeClock } from "../support/clock.ts";

/** Which session; the real ids are other ones each time. */
const name = fc.nat(4);

type Step =
  | { readonly load: number }
  | { readonly save: number; readonly data: SessionData; readonly timeout: number }
  | { readonly wait: number }
  /** To the moment at which a session ends, or to a millisecond beside it. */
  | { readonly waitFor: number; readonly off: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ load: name }) },
  {
    weight: 3,
    arbitrary: fc.record({
      save: name,
      data: fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor")),
        fc.jsonValue({ maxDepth: 1 }),
        { maxKeys: 3 },
      ),
      timeout: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 7_200 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ wait: fc.nat(3_600_000) }) },
  { weight: 2, arbitrary: fc.record({ waitFor: name, off: fc.integer({ min: -1, max: 1 }) }) },
);

/**
 * Loads and saves in random order, and compares what is loaded with a model: a backend of two methods
 * keeps the last data for as long as it was told to.
 */
export async function checkBackendSequences(
  backend: SessionBackend,
  clock: FakeClock,
  runs: Pick<fc.Parameters, "numRuns" | "seed">,
): Promise<void> {
  const sequences = fc.array(steps, { maxLength: 50, size: "max" });
  const property = fc.asyncProperty(sequences, async (sequence) => {
    const ids = Array.from({ length: 5 }, randomId);
    const model = new Map<number, { readonly text: string; readonly endsAt: number }>();
    const check = async (at: number): Promise<void> => {
      const { text, endsAt } = model.get(at) ?? { text: "{}", endsAt: 0 };
      const loaded = (await backend.load(ids[at] ?? "")) ?? {};
      // A parsed text is put in order where its keys look like numbers.
      const expected = endsAt > clock.now() ? JSON.stringify(JSON.parse(text)) : "{}";
      expect(JSON.stringify(loaded)).toBe(expected);
    };
    for (const step of sequence) {
      if ("load" in step) await check(step.load);
      else if ("wait" in step) clock.advance(step.wait);
      else if ("waitFor" in step) {
        const { endsAt } = model.get(step.waitFor) ?? { endsAt: 0 };
        clock.advance(Math.max(0, endsAt + step.off - clock.now()));
      } else {
        const { save, data, timeout } = step;
        await backend.save(ids[save] ?? "", data, timeout);
        model.set(save, { text: JSON.stringify(data), endsAt: clock.now() + timeout * 1000 });
      }
    }
    for (const at of ids.keys()) await check(at);
  });
  await fc.assert(property, runs);
}
