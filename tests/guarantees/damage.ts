import type { SQLQueryBindings } from "bun:sqlite";

import * as fc from "fast-check";

import { sessionData } from "./json-arbitraries.ts";

/** What has become of one column of a session's row. */
export interface Damage {
  readonly column: string;
  readonly value: SQLQueryBindings;
}

const TIMES = ["created_at", "touched_at", "expires_at"];

const wrongType = fc.oneof(
  fc.constantFrom<SQLQueryBindings>(Infinity, -Infinity, 0, -1, 1.5, 2 ** 53, 2n ** 63n - 1n),
  fc.constantFrom<SQLQueryBindings>("", ..."NaN never 2030-01-01 \0 \ud800 1e999 {}".split(" ")),
  fc.integer(),
  fc.string({ unit: "binary", maxLength: 5 }),
  fc.uint8Array({ maxLength: 5 }),
);

const text = sessionData.map((data) => JSON.stringify(data));

const insertions = fc.constantFrom(...'e999 " { } \0 \ud800 , 9'.split(" "), "[".repeat(250));
const wholes = fc.constantFrom("", ...'null [] 1 "{}" {"$":{}} {"save":1} {"a":1e999}'.split(" "));

/** A JSON text with something cut off, left out, put in or doubled. */
const spoiltText = fc.oneof(
  { weight: 1, arbitrary: wholes },
  {
    weight: 4,
    arbitrary: fc
      .tuple(text, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat({ max: 4 }), insertions)
      .map(([whole, where, choice, inserted]) => {
        const at = Math.floor(where * whole.length);
        const [before, after] = [whole.slice(0, at), whole.slice(at)];
        return [before, after, before + after.slice(1), before + inserted + after, whole + whole][
          choice
        ];
      })
      .map(String),
  },
);

/** Damage to any column, such as a bad disk, a hand on the database or another program does. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: of(["data", "flash"], spoiltText) },
  { weight: 4, arbitrary: of(["data", "version", ...TIMES], wrongType) },
  {
    weight: 2,
    arbitrary: of(
      ["flash", "user_id", "authenticated_at", "remember"],
      fc.option<SQLQueryBindings, null>(wrongType),
    ),
  },
);

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});

const begun = Date.now();
const FACTS = {
  flash: null,
  version: 1,
  createdAt: begun,
  touchedAt: begun,
  expiresAt: begun + 60 * 60_000,
  userId: null,
  authenticatedAt: null,
  remember: null,
};

/** What a `load()` should never give: things of all kinds, or data with a fact that is wrong. */
export const damagedData: fc.Arbitrary<unknown> = fc.oneof(
  anything,
  fc
    .tuple(sessionData, fc.constantFrom(...Object.keys(FACTS)), fc.oneof(wrongType, anything))
    .map(([data, fact, wrong]) => withFacts(data, { ...FACTS, [fact]: wrong })),
  fc.tuple(sessionData, anything).map(([data, wrong]) => withFacts(data, wrong)),
);

function withFacts(data: object, facts: unknown): object {
  return { ...data, $: facts };
}

function of(
  columns: readonly string[],
  values: fc.Arbitrary<SQLQueryBindings>,
): fc.Arbitrary<Damage> {
  return fc.record({ column: fc.constantFrom(...columns), value: values });
}
