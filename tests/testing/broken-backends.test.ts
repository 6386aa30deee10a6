import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { describeLong } from "../support/trials.ts";
import { BROKEN_PAIRS } from "./broken/pairs.ts";
import { BROKEN_STORES } from "./broken/stores.ts";
import type { Outcome } from "./test-run.ts";
import { runTests } from "./test-run.ts";

const FIXTURE = join(import.meta.dir, "../fixtures/broken-backends.ts");

/** What became of every test of every broken backend. */
let outcomes: readonly Outcome[];

/** The tests of one kind of backends, or of one backend, that came to an end so: names without backticks. */
function findNames(kind: string, fault?: string, states = ["passed", "failed"]): string[] {
  const names = outcomes
    .filter(({ path, state }) => path[0] === kind && states.includes(state))
    .filter(({ path }) => fault === undefined || path[1] === fault)
    .map(({ path }) => path.slice(2).join(" > ").replaceAll("`", ""));
  return [...new Set(names)].toSorted();
}

/** The tests that a name of {@link Broken.red} stands for. */
function findNamed(named: string, all: readonly string[]): string[] {
  if (all.includes(named)) return [named];
  const words = named.split("…").map((part) => RegExp.escape(part.trim()));
  const pattern = new RegExp(`^${words.join(".*")}(?:: .*)?$`);
  return all.filter((name) => pattern.test(name));
}

describeLong(true, "the kit", () => {
  beforeAll(async () => {
    // Side by side, so that backends that never let go are waited for together; but not too many, because
    // each waits for all the others, and a note lasts 30 seconds.
    outcomes = await runTests(FIXTURE, "--concurrent", "--max-concurrency=20", "--timeout=60000");
  }, 600_000);

  describe.each([
    ["a store", BROKEN_STORES],
    ["two methods", BROKEN_PAIRS],
  ] as const)("testSessionBackend, given %s with a fault", (kind, broken) => {
    test.each(broken)("fails in the tests of that fault: $fault", ({ fault, red }) => {
      const failed = findNames(kind, fault, ["failed"]);
      const all = findNames(kind, fault);
      for (const named of red.split(" | ")) {
        const names = findNamed(named, all);
        expect(names).not.toEqual([]);
        expect(failed).toEqual(expect.arrayContaining(names));
      }
    });
  });

  describe("testSessionBackend", () => {
    const [store] = BROKEN_STORES;
    const [pair] = BROKEN_PAIRS;

    test("has more than 60 tests for a store, and skips none", () => {
      expect(findNames("a store", store?.fault).length).toBeGreaterThan(60);
      expect(findNames("a store", store?.fault, ["skipped"])).toEqual([]);
    });

    test("has more than 20 tests for two methods, and none of what they cannot do", () => {
      const names = findNames("two methods", pair?.fault);
      expect(names.length).toBeGreaterThan(20);
      expect(names.filter((name) => name.includes("SessionStore"))).toEqual([]);
      expect(findNames("two methods", pair?.fault, ["skipped"])).toEqual([]);
    });

    test("has no test that every broken backend passes", () => {
      const kinds = ["a store", "two methods"];
      const failed = new Set(kinds.flatMap((kind) => findNames(kind, undefined, ["failed"])));
      const all = kinds.flatMap((kind) => findNames(kind));
      expect(all.filter((name) => !failed.has(name))).toEqual([]);
    });
  });
});
