import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import type { FaultKind } from "./checker/judge.ts";
import { FAULTS, judge } from "./checker/judge.ts";
import type { Mistake } from "./simulation.ts";
import { simulate } from "./simulation.ts";

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed + 1);

/** What each mistake is to be noticed as. */
const NOTICED: readonly (readonly [Mistake, FaultKind])[] = [
  ["loses updates", "an acknowledged update is lost"],
  ["adds twice", "an update was counted twice, or later than it was refused"],
  ["adds after a 503", "an update was counted twice, or later than it was refused"],
  ["tells two updates the same", "two updates were told the same count"],
  ["loses writes", "an acknowledged write is lost"],
  ["invents values", "a value was never written there, or not yet"],
  ["keeps sessions that were logged out", "an ended session is alive"],
  ["keeps sessions that were revoked", "an ended session is alive"],
  ["keeps old ids", "a superseded id is alive"],
  ["shows another session", "somebody else's session"],
  ["forgets logins", "an acknowledged login is lost"],
  ["drops sessions", "a session vanished"],
  ["answers with 500", "an answer that is neither a page nor a 503"],
];

function kindsIn(seed: number, mistake?: Mistake, isRefusalFinal = true): FaultKind[] {
  const { violations } = judge(simulate(seed, mistake), { isRefusalFinal });
  return [...new Set(violations.map(({ kind }) => kind))];
}

describe("the outside checker", () => {
  test.each(SEEDS)("finds nothing wrong with a correct service, seed %d", (seed) => {
    const { violations, acknowledged, lookedFor } = judge(simulate(seed), { isRefusalFinal: true });
    expect(violations).toEqual([]);
    expect(acknowledged).toBeGreaterThan(20);
    expect(lookedFor).toBeGreaterThan(acknowledged / 2);
  });

  test.each(NOTICED)("notices a service that %s", (mistake, kind) => {
    expect(SEEDS.flatMap((seed) => kindsIn(seed, mistake))).toContain(kind);
  });

  test("has a mistake for each kind of fault that it knows", () => {
    expect(FAULTS.filter((kind) => !NOTICED.some(([, noticed]) => noticed === kind))).toEqual([]);
  });

  test("assumes that an update was made after its 503 if nothing else was promised", () => {
    expect(SEEDS.flatMap((seed) => kindsIn(seed, "adds after a 503", false))).toEqual([]);
  });

  test("shows the requests that led to a violation, with the one that saw it last", () => {
    const [violation] = SEEDS.flatMap(
      (seed) => judge(simulate(seed, "keeps old ids"), { isRefusalFinal: true }).violations,
    );
    const seen = violation?.history.at(-1);
    expect(seen?.answer?.nonce).toBeString();
    expect(violation?.history.some(({ issued }) => issued === seen?.cookie)).toBe(true);
  });

  test("shares no code with what it checks", async () => {
    const files = await Array.fromAsync(new Bun.Glob("checker/*.ts").scan(import.meta.dir));
    const imported = (await Promise.all(files.map(findImports))).flat();
    expect(imported.length).toBeGreaterThan(3);
    expect(imported.filter((name) => !/^\.\/[\w-]+\.ts$/.test(name))).toEqual([]);
  });

  test("checks a program that uses Bunpie as any app does", async () => {
    const imported = await findImports("servers/bunpie.ts");
    expect(imported).toContain("bunpie");
    expect(imported.filter((name) => !/^bunpie(?:\/\w+)?$/.test(name))).toEqual([]);
    expect(await findImports("servers/naive.ts")).toEqual(["node:fs", "node:path"]);
  });
});

/** What a file of this folder imports, types too. */
async function findImports(file: string): Promise<string[]> {
  const source = await Bun.file(join(import.meta.dir, file)).text();
  return [...source.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
}
