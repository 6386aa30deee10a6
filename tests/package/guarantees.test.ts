import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { number } from "../guarantees/figure.ts";
import type { Result } from "../guarantees/report.ts";
import { pageOf } from "../guarantees/report.ts";
import { RULES, RULES_TO_COME } from "../guarantees/rules.ts";
import { FAULTS } from "../guarantees/seeded-faults.ts";

const TESTS = join(import.meta.dir, "..");

/** What the tests' names begin with: "K1" and "K3" of a test called "K1, K3: …". */
async function claims(): Promise<Set<string>> {
  const files = await Array.fromAsync(new Bun.Glob("**/*.test.ts").scan(TESTS));
  const sources = await Promise.all(files.map((file) => Bun.file(join(TESTS, file)).text()));
  const names = sources.join("\n").matchAll(/["'`]([BICLKXSND]\d+(?:, [BICLKXSND]\d+)*): /g);
  return new Set([...names].flatMap(([, letters = ""]) => letters.split(", ")));
}

describe("the rules", () => {
  test("are claimed by a test each, and tests claim no other", async () => {
    expect([...(await claims())].toSorted()).toEqual(Object.keys(RULES).toSorted());
  });

  test("to come are claimed by none", async () => {
    const claimed = await claims();
    expect(RULES_TO_COME.filter((rule) => rule in RULES || claimed.has(rule))).toEqual([]);
  });
});

describe("docs/guarantees.md", () => {
  test("has a row for every figure, and the faults that were tried", async () => {
    const files = await Array.fromAsync(new Bun.Glob("guarantees/*.ts").scan(TESTS));
    const sources = await Promise.all(files.map((file) => Bun.file(join(TESTS, file)).text()));
    const ids = new Set([...sources.join("\n").matchAll(/\bid: "(G\d+)"/g)].map(([, id]) => id));
    const page = await Bun.file(join(TESTS, "../docs/guarantees.md")).text();
    expect(ids.size).toBeGreaterThan(15);
    expect([...ids].filter((id) => !new RegExp(`^\\| ${id} +\\|`, "m").test(page))).toEqual([]);
    expect(page.match(/\| `src\/[^`]+` +\|/g)?.length).toBeGreaterThan(100);
  });
});

describe("number", () => {
  test.each([
    [0, "0"],
    [1_000_000, "1,000,000"],
    [0.123456, "0.12"],
    [12.34567, "12.35"],
    [-2.5, "-2.5"],
  ])("of %p is %s", (value, text) => {
    expect(number(value)).toBe(text);
  });
});

/** What came out of a figure, and how long that took. */
function resultOf(id: string, name: string, ...outcomes: readonly string[]): Result {
  const figure = { id, name, quick: 1, full: 20_000, of: "requests" };
  return { figure, outcomes, seconds: 1.2 };
}

describe("the page of results", () => {
  test("has a row for each figure, and says when and where it was run", () => {
    const page = pageOf([resultOf("G1", "one", "0 rows in 5", "fast")], 7, "2030-01-01");
    expect(page).toContain("\n| G1 | one | 20,000 requests | 0 rows in 5; fast | 2 s |\n");
    expect(page).toContain(`Run with seed 7 on 2030-01-01, Bun ${Bun.version}, `);
  });

  test("says what did not hold, and then lists no mistakes that were noticed", () => {
    const failed = { ...resultOf("G22", "one", "0 in 5"), failure: "stall: 12" };
    expect(pageOf([failed], 1, "2030-01-01")).toContain("| DID NOT HOLD: stall: 12; 0 in 5 |");
    expect(pageOf([failed], 1, "2030-01-01")).not.toContain("What was broken");
    expect(pageOf([resultOf("G22", "one")], 1, "2030-01-01")).toContain("What was broken");
  });

  test("shows texts as they are", () => {
    const page = pageOf([resultOf("G1", "a|b `c|d` __e__ *f* <g> [h]\\")], 1, "2030-01-01");
    const shown = String.raw`a\|b ${"`c\\|d`"} \_\_e\_\_ \*f\* \<g> \[h]\\`;
    expect(page).toContain(`\n| G1 | ${shown} | 20,000 requests |`);
  });

  test("says what each rule is", () => {
    const page = pageOf([], 1, "2030-01-01");
    expect(page).toContain(`\n| L6 | ${RULES.L6} |`);
  });

  test("tells of the faults that were noticed, if that was tried", () => {
    const [fault] = FAULTS;
    const line = `\n| ${fault?.rule} | ${fault?.what} | \`${fault?.file}\` | ${fault?.test} |\n`;
    expect(pageOf([resultOf("G22", "faults")], 1, "2030-01-01")).toContain(line);
    expect(pageOf([resultOf("G1", "one")], 1, "2030-01-01")).not.toContain(line);
  });
});
