import { describe, expect, test } from "bun:test";

import { Entry } from "../../../src/backends/memory/entry.ts";
import { makeRecord } from "../../../src/testing/records.ts";

describe("Entry", () => {
  const note = { supersededBy: "new", expiresAt: 5 };

  test.each([
    ["a record", makeRecord()],
    ["a record with a message", makeRecord({ flash: "{}" })],
    ["a record with a label", makeRecord({ label: "phone" })],
    ["a record that outlives the browser", makeRecord({ remember: 60 })],
    ["a user's record", makeRecord({ userId: "Ann", authenticatedAt: 3 })],
    ["a note", note],
  ])("round-trips %s", (_, content) => {
    const entry = new Entry("id", makeRecord({ data: "{}", flash: "{}", label: "laptop" }));
    entry.content = content;
    expect(entry.content).toEqual(content);
    expect(entry.expiresAt).toBe(content.expiresAt);
  });

  test("has no user and was never touched while it is a note", () => {
    const { userId, touchedAt } = new Entry("id", note);
    expect({ userId, touchedAt }).toEqual({ userId: null, touchedAt: 0 });
  });
});
