import { describe, expect, test } from "bun:test";

import { SessionDataError } from "../../src/session/errors.ts";
import { SessionStoreError } from "../../src/store/errors.ts";

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

describe("SessionStoreError", () => {
  // Elysia and Hono each ask an error for its response under one of these names.
  test.each(["toResponse", "getResponse"] as const)(
    "tells a visitor that sessions are unavailable, and nothing about the cause: %s",
    async (name) => {
      const error = new SessionStoreError("It failed.", { cause: new Error("The disk is gone.") });
      const response = error[name]();
      expect(response.status).toBe(503);
      expect(response.headers.get("content-type")).toBe("text/plain;charset=utf-8");
      expect(response.headers.get("vary")).toBe("Cookie");
      expect(await response.text()).toBe("Sessions are unavailable. Please try again.");
    },
  );
});
