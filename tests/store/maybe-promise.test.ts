import { describe, expect, test } from "bun:test";

import { andThen, isPromise } from "../../src/store/maybe-promise.ts";

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
