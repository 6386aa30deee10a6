import { describe, expect, test } from "bun:test";

import { becomesTrue, retryUntil } from "../../src/testing/until.ts";

/** Returns one value after the other, and the last one from then on. */
function oneByOne<Value>(...values: readonly [Value, ...Value[]]): () => Promise<Value> {
  let next = 0;
  return async () => values[Math.min(next++, values.length - 1)] ?? values[0];
}

describe("becomesTrue", () => {
  test.each([
    ["at once", oneByOne(true), 0],
    ["after a while", oneByOne(false, false, true), 5_000],
  ])("returns true for a condition that holds %s", async (_, condition, timeout) => {
    expect(await becomesTrue(timeout, condition)).toBe(true);
  });

  test("returns false for a condition that does not hold in time", async () => {
    expect(await becomesTrue(1, oneByOne(false, false, true))).toBe(false);
  });
});

describe("retryUntil", () => {
  test("returns the first good result", async () => {
    expect(await retryUntil(oneByOne(1, 2, 3), (result) => result === 2)).toBe(2);
  });

  test("returns the twentieth result if none is good", async () => {
    let attempts = 0;
    const last = await retryUntil(
      async () => ++attempts,
      () => false,
    );
    expect([last, attempts]).toEqual([20, 20]);
  });
});
