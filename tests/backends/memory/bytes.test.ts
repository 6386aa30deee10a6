import { describe, expect, test } from "bun:test";

import { countBytes, countGrowth } from "../../../src/backends/memory/bytes.ts";
import { makeRecord, randomId } from "../../../src/testing/records.ts";

const ID = randomId();

describe("countBytes()", () => {
  test("returns about 0.4 KB for a small session", () => {
    expect(countBytes(ID, makeRecord())).toBeWithin(380, 490);
  });

  test.each([100, 1_000, 32_000])(
    "counts at least one byte for each of %p characters",
    (length) => {
      const without = countBytes(ID, makeRecord({ data: "" }));
      const narrow = countBytes(ID, makeRecord({ data: "x".repeat(length) })) - without;
      expect(narrow).toBeGreaterThanOrEqual(length);
      expect(narrow).toBeLessThan(3 * length);
    },
  );

  test.each([1, 100, 1_000, 32_000])(
    "counts two bytes for each of %p characters once one is outside Latin-1",
    (length) => {
      const without = countBytes(ID, makeRecord({ data: "" }));
      const data = `ā${"x".repeat(length - 1)}`;
      expect(countBytes(ID, makeRecord({ data })) - without).toBeGreaterThanOrEqual(2 * length);
    },
  );

  test("includes the id, the flash messages, the user and the label", () => {
    const text = "x".repeat(10_000);
    const plain = countBytes("", makeRecord());
    expect(countBytes(text, makeRecord()) - plain).toBeGreaterThan(9_000);
    for (const facts of [{ flash: text }, { userId: text }, { label: text }]) {
      expect(countBytes("", makeRecord(facts)) - plain).toBeGreaterThan(9_000);
    }
    expect(countBytes("", { supersededBy: text, expiresAt: 0 })).toBeGreaterThan(9_000);
  });
});

describe("countGrowth()", () => {
  const long = "ā".repeat(500);

  test.each([
    { data: long },
    { flash: long },
    { label: long },
    { userId: long },
    { data: "", flash: "{}", label: "", userId: "Ann" },
    {},
  ])("returns how many more bytes the second record takes: %j", (facts) => {
    const [small, large] = [makeRecord(), makeRecord(facts)];
    const growth = countBytes(ID, large) - countBytes(ID, small);
    expect(countGrowth(small, large)).toBe(growth);
    expect(countGrowth(large, small)).toBe(0 - growth);
  });
});
