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
  ])("recognizes %s", (_, value, expected) => {
    expect(isPromise<unknown>(value)).toBe(expected);
  });
});

describe("andThen", () => {
  test("continues synchronously if the value is there", () => {
    expect(andThen(20, (value) => value + 1)).toBe(21);
  });

  test("continues later if the value is a promise", async () => {
    const later = andThen(Promise.resolve(20), (value) => value + 1);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(21);
  });
});

function fail(): never {
  throw new Error("no");
}

describe("orUndo", () => {
  test("returns what the call returns, now or later, and undoes nothing", async () => {
    const undo = mock();
    expect(orUndo(() => 21, undo)).toBe(21);
    expect(await orUndo(() => Promise.resolve(21), undo)).toBe(21);
    expect(undo).not.toHaveBeenCalled();
  });

  test("undoes what failed, now or later, and fails the same way", async () => {
    const undo = mock();
    expect(() => orUndo(fail, undo)).toThrow("no");
    expect(undo).toHaveBeenCalledTimes(1);
    await expect(orUndo(() => Promise.reject(new Error("no")), undo)).rejects.toThrow("no");
    expect(undo).toHaveBeenCalledTimes(2);
  });
});
