import { describe, expect, mock, test } from "bun:test";

import { andThen, isPromise, orUndo } from "../../src/store/maybe-promise.ts";

describe("isPromise", () => {
  test.each([
    ["a promise", Promise.resolve(), true],
    // oxlint-disable-next-line unicorn/no-thenable -- this is what is being told apart
    ["any object with a then method", { then: () => undefined }, true],
    ["undefined", undefined, false],
    ["null", null, false],
    ["a string", "then", false],
    // oxlint-disable-next-line unicorn/no-thenable
    ["an object whose then is no function", { then: 1 }, false],
  ])("tells %s", (_, value, expected) => {
    expect(isPromise<unknown>(value)).toBe(expected);
  });
});

describe("andThen", () => {
  test("goes on at once, without a promise, when the value is there", () => {
    expect(andThen(20, (value) => value + 1)).toBe(21);
  });

  test("goes on later when the value is promised", async () => {
    const later = andThen(Promise.resolve(20), (value) => value + 1);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(21);
  });
});

function fail(): never {
  throw new Error("no");
}

describe("orUndo", () => {
  test("gives what the call gives, at once or later, and undoes nothing", async () => {
    const undo = mock();
    expect(orUndo(() => 21, undo)).toBe(21);
    expect(await orUndo(() => Promise.resolve(21), undo)).toBe(21);
    expect(undo).not.toHaveBeenCalled();
  });

  test("undoes what failed at once, or later, and fails alike", async () => {
    const undo = mock();
    expect(() => orUndo(fail, undo)).toThrow("no");
    expect(undo).toHaveBeenCalledTimes(1);
    await expect(orUndo(() => Promise.reject(new Error("no")), undo)).rejects.toThrow("no");
    expect(undo).toHaveBeenCalledTimes(2);
  });
});
