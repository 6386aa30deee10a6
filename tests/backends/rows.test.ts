import { describe, expect, test } from "bun:test";

import { hasSameFacts } from "../../src/backends/rows.ts";
import { recordOf } from "../../src/testing/records.ts";

const OLD = recordOf();

describe("hasSameFacts", () => {
  test.each([
    ["data", { data: "{}" }],
    ["flash", { flash: "{}" }],
    ["version", { version: 2 }],
  ])("is true of a record with new contents: %s", (_, change) => {
    expect(hasSameFacts({ ...OLD, ...change }, OLD)).toBe(true);
  });

  test.each([
    ["createdAt", { createdAt: 1 }],
    ["touchedAt", { touchedAt: 1 }],
    ["expiresAt", { expiresAt: 1 }],
    ["userId", { userId: "Ann" }],
    ["authenticatedAt", { authenticatedAt: 1 }],
    ["remember", { remember: 1 }],
    ["label", { label: "phone" }],
  ])("is false of a record with another %s", (_, change) => {
    expect(hasSameFacts({ ...OLD, ...change }, OLD)).toBe(false);
  });
});
