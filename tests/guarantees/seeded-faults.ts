import { readFileSync } from "node:fs";
import { join } from "node:path";

import { postgres } from "../support/servers/postgres.ts";
import { hasRedisServer } from "../support/servers/redis-server.ts";
import { redis } from "../support/servers/redis.ts";

/** A mistake that somebody could make in good faith, and the test that would tell them. */
export interface Fault {
  /** What it breaks: a rule, a figure, or something that was seen elsewhere. */
  readonly rule: string;
  /** The mistake, as a sentence. */
  readonly what: string;
  /** Where it is made: a file, what stands there once, and what would stand there in its place. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The test's file. */
  readonly in: string;
  /** The test's name; with its block's before it, as in Bun's report, where it says too little alone. */
  readonly test: string;
}

/** The mistakes: at least one for each rule, and one for each failure that was seen elsewhere. */
export const FAULTS: readonly Fault[] = [
  ...readFaults("seeded-faults.diff"),
  ...(redis.isThere && hasRedisServer ? readFaults("seeded-faults-redis.diff") : []),
  ...(postgres.isThere ? readFaults("seeded-faults-postgres.diff") : []),
];

/**
 * Reads a list of faults, each of which is written so:
 *
 *     # src/file.ts: [rule] The mistake, as a sentence.
 *     -what stands there once
 *     +what would stand there in its place; nothing, where this is left out
 *     = tests/file.test.ts > the test's name
 *
 * Without a rule in brackets it breaks what its test claims to hold. Headings begin with `## `.
 */
function readFaults(name: string): Fault[] {
  const text = readFileSync(join(import.meta.dir, name), "utf8");
  const faults = text.replaceAll(/^(?:## .*)?\n/gm, "").split(/^# /m);
  return faults.slice(1).map(parseFault);
}

/** @throws Error if that is not how a fault is written. */
function parseFault(text: string): Fault {
  const parts = /^(\S+): (?:\[([^\]]+)\] )?(.+)\n((?:-.*\n)+)((?:\+.*\n)*)= (\S+) > (.+)\n$/.exec(
    text,
  );
  if (parts === null) throw new Error(`This is not how a fault is written:\n${text}`);
  const [, file = "", rule, what = "", find = "", replace = "", path = "", test = ""] = parts;
  return {
    rule: rule ?? toClaim(test),
    what,
    file,
    find: stripSigns(find),
    replace: stripSigns(replace),
    in: path,
    test,
  };
}

function stripSigns(lines: string): string {
  return lines.trimEnd().replaceAll(/^[-+]/gm, "");
}

/** What comes before the colon of a test's name, or its block's: of several rules, the first. */
function toClaim(name: string): string {
  const [claim = ""] = name.split(" > ").flatMap((part) => /^(.+?): /.exec(part)?.[1] ?? []);
  return claim.replace(/^([A-Z]\d+), .*/, "$1");
}
