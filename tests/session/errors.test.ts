import { describe, expect, test } from "bun:test";

import { SessionDataError, SessionStoreError } from "../../src/session/errors.ts";

describe.each([
  ["SessionStoreError", SessionStoreError, 503],
  ["SessionDataError", SessionDataError, 500],
] as const)("%s", (name, Kind, status) => {
  test(`is an Error with its name, status ${status} and cause`, () => {
    const cause = new Error("the cause");
    const error = new Kind("the message", { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, status, message: "the message", cause });
  });
});
