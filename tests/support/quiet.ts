import type { Mock } from "bun:test";
import { spyOn } from "bun:test";

type Level = "error" | "info" | "warn";

/** Keeps the console's lines of one level off the screen, and gives them to the test. */
export function quiet(level: Level): Mock<typeof console.error> & Disposable {
  return spyOn(console, level).mockImplementation(() => undefined);
}
