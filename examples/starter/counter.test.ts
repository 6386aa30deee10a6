import { expect, test } from "bun:test";

import { TestClient } from "bunpie/testing";

import { Counter } from "./counter.ts";

test("counts the visits of a visitor, until they are forgotten", async () => {
  const ann = new TestClient(new Counter());
  expect(await ann.text("/")).toContain("visited 1 times");
  expect(await ann.text("/")).toContain("visited 2 times");
  await ann.post("/forget", {});
  expect(await ann.text("/")).toContain("visited 1 times");
});
