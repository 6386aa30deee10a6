import * as fc from "fast-check";

type Dictionary = Record<string, unknown>;

/** Keys that mean something elsewhere: to prototypes, promises, `JSON.stringify`, arrays or SQL. */
const KEYS = (
  "__proto__ constructor prototype toString valueOf hasOwnProperty toJSON then length a b c ü 😀 " +
  "__defineGetter__ 0 -1 4294967295 1e3 ';-- % ?1 \0 \u2028 \u2029 \ud800 \udfff"
)
  .split(" ")
  .concat("", " ", "\n", "\ufeff");

/** The session's own names, and the key where backends keep its facts. Fine below the top. */
const RESERVED = "regenerate login destroy flash update save meta $".split(" ");

const NUMBERS = [0, -0, 1e308, -1e308, 5e-324, 2 ** 53, -(2 ** 63), 0.1 + 0.2];
const TEXTS = [
  "",
  "\0",
  "\ud83d",
  "\udc00x",
  "\u2028</script>",
  "__proto__",
  "'; DROP TABLE x; --",
];
const LEAVES = [null, true, false, ...NUMBERS, ...TEXTS];

const text = fc.string({ unit: "binary", maxLength: 6 });

const leaf = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...LEAVES) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: text },
);

/** A chain of so many objects and lists in each other. */
const deep = fc.nat({ max: 190 }).map((depth) => {
  let value: unknown = depth;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
});

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    { weight: 60, arbitrary: leaf },
    { weight: 15, arbitrary: fc.array(tie("value"), { maxLength: 3 }) },
    { weight: 15, arbitrary: toDictionary([...KEYS, ...RESERVED], tie("value"), 3) },
    { weight: 1, arbitrary: deep },
  ),
}));

/** Any JSON value, hostile ones above all. */
export const jsonValue = value;

/** What a session may hold: hostile keys, and whatever JSON can hold below them. */
export const sessionData: fc.Arbitrary<Dictionary> = toDictionary(KEYS, value, 4);

/** What a flash message may be called. */
export const flashName: fc.Arbitrary<string> = fc.constantFrom(...KEYS, ...RESERVED);

function toDictionary(
  keys: readonly string[],
  values: fc.Arbitrary<unknown>,
  maxLength: number,
): fc.Arbitrary<Dictionary> {
  const key = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...keys) },
    { weight: 1, arbitrary: text.filter((name) => !RESERVED.includes(name)) },
  );
  // fc.dictionary() takes three times as long.
  return fc
    .array(fc.tuple(key, values), { maxLength })
    .map((entries) => Object.fromEntries(entries));
}
