import { expect, test } from "bun:test";

import manifest from "../package.json";
import { checkRuntime } from "../src/runtime.ts";

test("the oldest supported Bun is the one in package.json", () => {
  expect(() => checkRuntime(manifest.engines.bun.replace(">=", ""))).not.toThrow();
});

test("an older Bun is told which version is needed, and how to install it", () => {
  const message = "Bunpie needs Bun 1.4.5 or newer, and this is Bun 1.4.4. Run `bun upgrade`.";
  expect(() => checkRuntime("1.4.4")).toThrow(new Error(message));
  expect(manifest.engines.bun).toBe(">=1.4.5");
});
