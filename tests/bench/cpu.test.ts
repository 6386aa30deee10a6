import { describe, expect, test } from "bun:test";

import { ticksIn } from "../../bench/cpu.ts";

// As in `man 5 proc`: pid, name, state, ten fields of no interest, then user and system time.
const statOf = (name: string): string =>
  `4242 (${name}) S 1 4242 4242 0 -1 4194304 9 8 7 6 150 25 3 2 20 0 12 0 99 1024 512\n`;

describe("ticksIn", () => {
  test.each(["bun", "HTTP Client", "a) S 1 (b", ")"])(
    "adds user and system time of a process called %p",
    (name) => {
      expect(ticksIn(statOf(name))).toBe(175);
    },
  );
});
