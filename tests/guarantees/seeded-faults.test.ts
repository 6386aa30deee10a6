import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { FaultyCopy, isMeant, seeded } from "./faulty-copy.ts";
import { guarantee } from "./figure.ts";
import { RULES, SEEN_ELSEWHERE } from "./rules.ts";
import type { Fault } from "./seeded-faults.ts";
import { FAULTS } from "./seeded-faults.ts";

const ROOT = join(import.meta.dir, "../..");

/** So many runs at a time: one per core of a small machine. */
const AT_ONCE = 2;

/** So many of them, no two the same, in an order that chance decides. */
function sample<Item>(items: readonly Item[], size: number, random: (limit: number) => number) {
  const left = [...items];
  return Array.from({ length: size }, () => left.splice(random(left.length), 1)).flat();
}

/** What is wrong with a fault's claim; `undefined` if the test that claims the rule goes red. */
async function findComplaint(fault: Fault, copy: FaultyCopy): Promise<string | undefined> {
  using _fault = copy.seed(fault);
  const outcomes = await copy.run([fault.in], [fault.test], "--bail");
  const isRed = [...outcomes].some(
    ([name, outcome]) => outcome === "fail" && isMeant(name, fault.test),
  );
  return isRed ? undefined : `${fault.rule}: "${fault.what}" is not noticed by "${fault.test}"`;
}

/**
 * The claiming tests that are not green where nothing is broken. The suite has them too, but not in a
 * copy: where nothing works, every test is red, and every fault would pass for noticed.
 */
async function findRedWithoutFault(faults: readonly Fault[], copy: FaultyCopy): Promise<string[]> {
  const files = new Set(faults.map((fault) => fault.in));
  const names = [...new Set(faults.map((fault) => fault.test))];
  const outcomes = [...(await copy.run([...files], names))];
  return names
    .filter((name) => {
      const own = outcomes.filter(([fullName]) => isMeant(fullName, name));
      return own.length === 0 || own.some(([, outcome]) => outcome === "fail");
    })
    .map((name) => `"${name}" is not green where nothing is broken`);
}

/** What a file's tests are called. Where a name is put together, anything may stand in its gaps. */
function titlesIn(source: string): RegExp[] {
  const texts = source.matchAll(/(["'`])((?:\\.|(?!\1)[^\\\n])+)\1/g);
  return [...texts]
    .map(([, , text = ""]) => text.replaceAll(/\\(.)/g, "$1").split(/%[a-z]|\$\{[^}]*\}|\$\w+/))
    .filter((parts) => parts.join("").length > 6)
    .map((parts) => new RegExp(`^${parts.map((part) => RegExp.escape(part)).join(".*")}$`));
}

describe("the tests", () => {
  guarantee(
    "a fault seeded into the code fails the test that claims its rule",
    { id: "G22", gate: 8, full: FAULTS.length, of: "faults" },
    async (trial) => {
      const chosen = sample(FAULTS, trial.size, trial.random);
      const left = [...chosen];
      const complaints: (string | undefined)[] = [];
      const work = async (isFirst: boolean): Promise<void> => {
        using copy = new FaultyCopy();
        if (isFirst) complaints.push(...(await findRedWithoutFault(chosen, copy)));
        for (let fault = left.shift(); fault !== undefined; fault = left.shift()) {
          complaints.push(await findComplaint(fault, copy).catch(String));
          trial.progress(chosen.length - left.length);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index === 0)));
      const unnoticed = complaints.filter((complaint) => complaint !== undefined);
      expect(unnoticed).toEqual([]);
      trial.never("faults unnoticed", unnoticed.length);
    },
  );
});

describe("the list of faults", () => {
  test.each(FAULTS)("is not stale: $rule, $what", async (fault) => {
    const source = await Bun.file(join(ROOT, fault.file)).text();
    expect(seeded(source, fault.find, fault.replace)).not.toBe(source);
    const [longest = ""] = fault.test.split(" > ").toSorted((a, b) => b.length - a.length);
    // A figure's number and its name are put together elsewhere.
    const name = longest.replace(/^G\d+: /, "");
    const titles = titlesIn(await Bun.file(join(ROOT, fault.in)).text());
    expect(titles.filter((title) => title.test(name))).not.toEqual([]);
  });

  test("lists no fault twice", () => {
    expect(new Set(FAULTS.map(({ what }) => what)).size).toBe(FAULTS.length);
  });

  test("has one for every rule, and for everything that was seen elsewhere", () => {
    const broken = new Set(FAULTS.map(({ rule }) => rule));
    const claims = Object.keys({ ...RULES, ...SEEN_ELSEWHERE });
    expect(claims.filter((claim) => !broken.has(claim))).toEqual([]);
  });

  test("names a test for each rule that claims it", () => {
    const strangers = FAULTS.filter(({ rule, test: name }) => {
      const claims = name.split(" > ").flatMap((part) => part.split(": ", 1).join().split(", "));
      return rule in RULES && !claims.includes(rule);
    });
    expect(strangers.map(({ what }) => what)).toEqual([]);
  });
});

describe("seeded", () => {
  test("replaces text that occurs once, without interpreting it", () => {
    expect(seeded("a(b)c", "(b)", "$&$1")).toBe("a$&$1c");
  });

  test.each([
    ["not there", "abc"],
    ["there 2 times", "a.b, a.b"],
  ])("says that the list is stale when it is %s", (count, source) => {
    expect(() => seeded(source, "a.b", "")).toThrow(
      `The list of faults is stale: what is to be broken is ${count}:\na.b`,
    );
  });
});
