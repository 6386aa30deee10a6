import { describe, expect, test } from "bun:test";

import { SessionDataError } from "../../src/session/errors.ts";
import { decode, encode, merge, toDictionary } from "../../src/session/json.ts";

class Point {
  readonly x = 1;
}

function cycle(): unknown {
  const ring: { inner: { back?: unknown } } = { inner: {} };
  ring.inner.back = ring;
  return ring;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { value };
  return value;
}

function hidden(): object {
  return Object.defineProperty({ a: 1 }, "secret", { value: 1, enumerable: false });
}

function readMessage(value: object): string {
  try {
    encode(value, "session");
  } catch (error) {
    if (error instanceof SessionDataError) return error.message;
    throw error;
  }
  return "no error";
}

describe("encode", () => {
  test("round-trips every JSON value", () => {
    const values = {
      text: "ü\u2028\0",
      number: -1.5e-7,
      yes: true,
      nothing: null,
      list: [1, ["two"]],
    };
    const all = { ...values, inner: { ...values }, bare: Object.create(null) };
    expect(JSON.parse(encode(all, "session"))).toEqual(all);
  });

  test("omits undefined properties", () => {
    expect(encode({ gone: undefined, inner: { gone: undefined } }, "session")).toBe('{"inner":{}}');
  });

  test("accepts one object in two places, which is no cycle", () => {
    const shared = { a: 1 };
    expect(encode({ one: shared, other: [shared, shared] }, "session")).toBe(
      '{"one":{"a":1},"other":[{"a":1},{"a":1}]}',
    );
  });

  test.each([
    ["a function", { run: () => 1 }, "session.run is a function, which JSON cannot hold."],
    ["a symbol", { a: { b: Symbol("s") } }, "session.a.b is a symbol, which JSON cannot hold."],
    ["a BigInt", { list: [{ id: 1n }] }, "session.list[0].id is a bigint, which JSON cannot hold."],
    ["NaN", { "odd key": NaN }, 'session["odd key"] is NaN, which JSON turns into null.'],
    ["Infinity", { a: [-Infinity] }, "session.a[0] is -Infinity, which JSON turns into null."],
    [
      "undefined in an array",
      { a: [1, undefined] },
      "session.a[1] is undefined, which JSON turns into null. Store null instead.",
    ],
    [
      "a hole in an array",
      // oxlint-disable-next-line no-sparse-arrays -- the hole is what is being refused
      { a: [1, , 3] },
      "session.a[1] is undefined, which JSON turns into null. Store null instead.",
    ],
    ["a cycle", { ring: cycle() }, "session.ring.inner.back contains itself"],
    [
      "a Date",
      { at: new Date(0) },
      "session.at is a Date, which does not survive JSON. Store a plain value instead, such as date.getTime()",
    ],
    ["a Map", { carts: new Map() }, "session.carts is a Map, which does not survive JSON."],
    [
      "an instance of a class",
      { p: new Point() },
      "session.p is a Point, which does not survive JSON",
    ],
    [
      "an object whose prototype has no name",
      { p: Object.create(Object.create(null)) },
      "session.p is a value with a prototype of its own",
    ],
    ["what is nested too deep", { deep: nested(250) }, "is nested deeper than 200 levels."],
    ["what has a key that moves the cursor", { "\x9b": 1n }, 'session["\\u{9b}"] is a bigint'],
  ])("S4: refuses %s, and names its key path", (_, value, message) => {
    expect(readMessage(value)).toContain(message);
  });

  test.each([
    ["a symbol for a key", { [Symbol("s")]: 1 }, "session[Symbol(s)] has a symbol for a key"],
    ["one deep inside", { a: [{ [Symbol("s")]: 1 }] }, "session.a[0][Symbol(s)] has a symbol"],
    ["a hidden property", hidden(), "session.secret is a hidden property, which JSON drops."],
    ["one deep inside an array", { a: [hidden()] }, "session.a[0].secret is a hidden property"],
    ["a named property of an array", { a: Object.assign([1], { total: 1 }) }, "session.a.total is"],
    ["a subclass of Array", { a: new (class Row extends Array {})() }, "session.a is a Row"],
  ])("B14: refuses %s, and names its key path", (_, value, message) => {
    expect(readMessage(value)).toContain(message);
  });

  test.each([NaN, new Date(0), new Map(), () => 1, 1n])(
    "S4: refuses %p also after the key __proto__",
    (value) => {
      const dictionary = toDictionary(JSON.parse('{"__proto__":1}'));
      dictionary["a"] = value;
      expect(readMessage(dictionary)).toStartWith("session.a is ");
    },
  );

  test("B14: changes nothing but -0 in a round trip", () => {
    expect(encode({ zero: -0 }, "session")).toBe('{"zero":0}');
  });

  test("S4: finds the one bad value among many good ones", () => {
    const fine = {
      yes: true,
      none: null,
      text: "text",
      list: ["one", false, [1]],
      gone: undefined,
    };
    const value = { ...fine, inner: { ...fine, list: [...fine.list, fine, 1n] } };
    expect(readMessage(value)).toStartWith("session.inner.list[4] is a bigint");
  });

  test("S4: accepts deep nesting up to a limit", () => {
    expect(readMessage({ deep: nested(150) })).toBe("no error");
  });

  test("S1: writes __proto__, constructor and prototype like any other key", () => {
    const text = '{"__proto__":{"admin":true},"constructor":1,"prototype":{"__proto__":2}}';
    expect(encode(toDictionary(JSON.parse(text)), "session")).toBe(text);
    expect(Object.prototype).not.toHaveProperty("admin");
  });
});

describe("decode", () => {
  test("returns the dictionary", () => {
    expect(decode('{"a":[1]}')).toEqual({ a: [1] });
  });

  test.each(["", "{", "[]", "null", "1", '"text"', "undefined", "{'a':1}"])(
    "S2: returns undefined for %p, which is no dictionary",
    (text) => {
      expect(decode(text)).toBeUndefined();
    },
  );

  test.each([
    ["a number that overflows", '{"a":[1e999]}'],
    ["what is nested too deep", JSON.stringify({ a: nested(201) })],
    ["what is nested far too deep", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
  ])("S2: returns undefined for %s, which encode() would refuse", (_, text) => {
    expect(decode(text)).toBeUndefined();
  });

  test("accepts as deep a nesting as encode() does", () => {
    expect(decode(encode({ a: nested(200) }, "session"))).toEqual({ a: nested(200) });
  });
});

describe("toDictionary", () => {
  test("S1: copies __proto__ as a key, and inherits nothing", () => {
    const copy = toDictionary(JSON.parse('{"__proto__":{"admin":true}}'));
    expect(Object.keys(copy)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(copy)).toBeNull();
  });
});

describe("merge", () => {
  test.each([
    ["keeps what both added", {}, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ["keeps what both changed", { a: 0, b: 0 }, { a: 1, b: 0 }, { a: 0, b: 2 }, { a: 1, b: 2 }],
    ["keeps mine if both changed one key", { a: 0 }, { a: 1 }, { a: 2 }, { a: 1 }],
    ["keeps theirs if mine has not changed", { a: 0 }, { a: 0 }, { a: 2 }, { a: 2 }],
    ["removes what I removed", { a: 1, b: 2 }, { b: 2 }, { a: 1, b: 3 }, { b: 3 }],
    ["removes what I set to undefined", { a: 1 }, { a: undefined }, { a: 1 }, {}],
    ["keeps removed what they removed", { a: 1, b: 2 }, { a: 1, b: 3 }, {}, { b: 3 }],
    [
      "sees a change deep inside a key",
      { a: { b: [1] } },
      { a: { b: [1, 2] } },
      {},
      { a: { b: [1, 2] } },
    ],
  ])("%s", (_, base, mine, theirs, expected) => {
    expect({ ...merge(base, mine, theirs).merged }).toEqual(expected as Record<string, unknown>);
  });

  test("S1: merges __proto__ and constructor like any other key", () => {
    const mine = JSON.parse('{"__proto__":{"admin":true},"constructor":1}');
    const { merged } = merge({}, mine, { a: 1 });
    expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"admin":true},"constructor":1}');
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });

  test("does not change its arguments", () => {
    const [base, mine, theirs] = [{ a: 1 }, {}, { a: 1, b: 2 }].map((each) => Object.freeze(each));
    expect({ ...merge(base ?? {}, mine ?? {}, theirs ?? {}).merged }).toEqual({ b: 2 });
  });

  test.each([
    ["that both changed", { a: 0, b: 0 }, { a: 1, b: 1 }, { a: 2, b: 0 }, ["a"]],
    ["that both changed to the same", { a: 0 }, { a: 1 }, { a: 1 }, []],
    ["that I removed and they changed", { a: 0 }, {}, { a: 2 }, ["a"]],
    ["that both added", {}, { a: 1 }, { a: 2 }, ["a"]],
    ["that only they changed", { a: 0 }, { a: 0 }, { a: 2 }, []],
  ])("B19: names the keys that it overwrites: one %s", (_, base, mine, theirs, keys) => {
    expect(merge(base, mine, theirs).overwritten).toEqual(keys);
  });
});
