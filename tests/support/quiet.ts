import type { Mock } from "bun:test";
import { afterEach, beforeEach, spyOn } from "bun:test";

type Level = "error" | "info" | "warn";

/** Keeps the console's lines of one level off the screen, and gives them to the test. */
export function quiet(level: Level): Mock<typeof console.error> & Disposable {
  return spyOn(console, level).mockImplementation(() => undefined);
}

/** The same during each test of a block. */
export function quietEach(...levels: readonly Level[]): void {
  let mocks: readonly Disposable[];
  beforeEach(() => {
    mocks = levels.map(quiet);
  });
  afterEach(() => mocks.forEach((mock) => mock[Symbol.dispose]()));
}
