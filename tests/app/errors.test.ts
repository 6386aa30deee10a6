import { describe, expect, test } from "bun:test";

import { HttpError } from "bunpie";

describe("HttpError", () => {
  test("has a status, message, cause and headers", () => {
    const cause = new Error("why");
    const error = new HttpError(429, "Slow down.", { cause, headers: { "retry-after": "9" } });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "HttpError",
      status: 429,
      message: "Slow down.",
      cause,
      headers: { "retry-after": "9" },
    });
  });

  test("has no headers by default", () => {
    expect(new HttpError(404, "No such thing").headers).toEqual({});
  });

  test.each([400, 599])("accepts the status %d", (status) => {
    expect(new HttpError(status, "").status).toBe(status);
  });

  test.each([200, 302, 399, 600, 404.5, Number.NaN])("refuses the status %d", (status) => {
    expect(() => new HttpError(status, "")).toThrow(
      new RangeError(`HttpError is for statuses from 400 to 599, not ${status}.`),
    );
  });
});
