import { describe, expect, test } from "bun:test";

import { firstGood, isSoWithin } from "../../src/testing/patience.ts";

/** Returns one value after the other, and the last one from then on. */
function oneByOne<Value>(...values: readonly [Value, ...Value[]]): () => Promise<Value> {
  let next = 0;
  return async () => values[Math.min(next++, values.length - 1)] ?? values[0];
}

describe("isSoWithin", () => {
  test.each([
    ["at once", oneByOne(true), 0],
    ["after a while", oneByOne(false, false, true), 5_000],
  ])("says yes for what is so %s", async (_, isSo, milliseconds) => {
    expect(await isSoWithin(milliseconds, isSo)).toBe(true);
  });

  test("says no for what is not so in time", async () => {
    expect(await isSoWithin(1, oneByOne(false, false, true))).toBe(false);
  });
});

describe("firstGood", () => {
  test("returns the first result that is good", async () => {
    expect(await firstGood(oneByOne(1, 2, 3), (result) => result === 2)).toBe(2);
  });

  test("returns the last of twenty when none is", async () => {
    let attempts = 0;
    const last = await firstGood(
      async () => ++attempts,
      () => false,
    );
    expect([last, attempts]).toEqual([20, 20]);
  });
});
