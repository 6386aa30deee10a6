import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import type { Outcome } from "../guarantees/figure.ts";
import { number } from "../guarantees/figure.ts";
import type { Result } from "../guarantees/report.ts";
import { describeOutcomes, writeFaultsPage, writePage } from "../guarantees/report.ts";
import { FIGURES, KINDS, RULES } from "../guarantees/rules.ts";
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
});

describe("docs/guarantees.md", () => {
  test("has a chapter with a title for every figure", async () => {
    const files = await Array.fromAsync(new Bun.Glob("guarantees/*.ts").scan(TESTS));
    const sources = await Promise.all(files.map((file) => Bun.file(join(TESTS, file)).text()));
    const ids = new Set([...sources.join("\n").matchAll(/\bid: "(G\d+)"/g)].map(([, id]) => id));
    const page = await Bun.file(join(TESTS, "../docs/guarantees.md")).text();
    const chapters = [...page.matchAll(/^## (G\d+): /gm)].map(([, id]) => id);
    expect(ids.size).toBeGreaterThan(15);
    expect(chapters.toSorted()).toEqual([...ids].toSorted());
    expect(Object.keys(FIGURES).toSorted()).toEqual([...ids].toSorted() as string[]);
  });
});

describe("docs/seeded-faults.md", () => {
  test("has a row for every fault that was tried", async () => {
    const page = await Bun.file(join(TESTS, "../docs/seeded-faults.md")).text();
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

const RUN = { seed: 7, date: "2030-01-01", machine: "one core" };

/** What came out of a figure, and how long that took. */
function makeResult(id: string, name: string, ...outcomes: readonly Outcome[]): Result {
  const figure = { id, name, gate: 1, full: 20_000, of: "requests" };
  return { figure, outcomes, seconds: 1.2 };
}

function none(what: string, outOf: number): Outcome {
  return { what, value: `0 in ${outOf}`, count: 0, outOf };
}

describe("the page of results", () => {
  test("begins with what held, when and where", () => {
    const page = writePage([makeResult("G1", "one"), makeResult("G1", "two")], RUN);
    expect(page).toContain(
      "\n**2 of 2 promises held** in the run of 2030-01-01: seed 7, one core.\n",
    );
    expect(page).toContain("\n| G1 | forged Cookie headers | 2 | held |\n");
  });

  test("adds up everything that a figure was tried on", () => {
    const results = [1_000, 234].map((size) => makeResult("G6", "one", none("updates lost", size)));
    expect(writePage(results, RUN)).toContain("\n- 0 concurrent updates lost, in 1,234\n");
  });

  test("has a table for each promise, with a row for everything that it was tried on", () => {
    const results = ["SQLite", "Redis"].map((on) => ({
      figure: { id: "G1", name: `a promise: ${on}`, on, gate: 1, full: 20_000, of: "requests" },
      outcomes: [
        none("rows", 5),
        { what: "slowest", value: "3 ms", limit: "9 ms" },
        { what: `seen on ${on}` },
      ],
      seconds: 1.2,
    }));
    expect(writePage(results, RUN)).toContain(
      [
        "A promise: ….",
        "",
        "| … | requests | rows | slowest (limit 9 ms) | notes | took |",
        "| --- | --- | --- | --- | --- | --- |",
        "| SQLite | 20,000 | 0 in 5 | 3 ms | seen on SQLite | 2 s |",
        "| Redis | 20,000 | 0 in 5 | 3 ms | seen on Redis | 2 s |",
      ].join("\n"),
    );
  });

  test("says what did not hold, at the top and in its place", () => {
    const failed = { ...makeResult("G9", "one", none("rows", 5)), failure: "stall: 12" };
    const page = writePage([failed, makeResult("G1", "two")], RUN);
    expect(page).toContain("\n**1 of 2 promises held**");
    expect(page).toContain("\n- DID NOT HOLD: G9, one\n");
    expect(page).toContain("\n| G9 | sweeping under traffic | 1 | 1 DID NOT HOLD |\n");
    expect(page).toContain("\n| DID NOT HOLD: stall: 12 | 20,000 | 0 in 5 | 2 s |");
    expect(describeOutcomes(failed)).toBe("DID NOT HOLD: stall: 12; rows: 0 in 5");
  });

  test("escapes texts", () => {
    const page = writePage([makeResult("G1", "a", { what: "a|b `c|d` __e__ *f* <g> [h]\\" })], RUN);
    const shown = String.raw`a\|b ${"`c\\|d`"} \_\_e\_\_ \*f\* \<g> \[h]\\`;
    expect(page).toContain(`\n| 20,000 | ${shown} | 2 s |`);
  });
});

describe("the page of faults", () => {
  const page = writeFaultsPage(12, RUN);

  test("begins with how many were tried, when and where", () => {
    expect(page).toContain(
      `\n12 of these ${FAULTS.length} faults were put into a copy of the code, one at a time, in the run of 2030-01-01 (one core).\n`,
    );
  });

  test("explains each rule and each letter", () => {
    expect(page).toContain(`\n| L6 | ${RULES.L6} |`);
    const letters = new Set(Object.keys(RULES).map((rule) => rule.slice(0, 1)));
    expect(Object.keys(KINDS).toSorted()).toEqual([...letters].toSorted());
    expect(page).toContain("**I** the identifier, **C** the cookie, ");
  });

  test("names the test that noticed each fault", () => {
    const [fault] = FAULTS;
    const line = `\n| ${fault?.rule} | ${fault?.what} | \`${fault?.file}\` | ${fault?.test} |\n`;
    expect(page).toContain(line);
  });
});
