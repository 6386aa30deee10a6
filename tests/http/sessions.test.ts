import { describe, expect, test } from "bun:test";

import { createRequest, setUpTapped, setUpVisited } from "../support/stores/site.ts";

describe("Sessions.wrap", () => {
  test("S7: throws the handler's error if both the handler and the store fail", async () => {
    const { store, visitor } = await setUpVisited();
    store.break("delete");
    const visit = visitor.visit((session) => {
      session.destroy();
      throw new RangeError("the handler's");
    });
    await expect(visit).rejects.toThrow("the handler's");
  });

  test("L6: ends the session also if the handler throws synchronously after destroy(), and passes on the error", async () => {
    const { sessions, store, visitor } = await setUpVisited();
    const page = sessions.wrap((_request: Request, session): Response => {
      session.destroy();
      throw new RangeError("the handler's");
    });
    await expect(Promise.resolve(page(createRequest(visitor)))).rejects.toThrow("the handler's");
    expect(store.inner.size).toBe(0);
  });

  test("returns synchronously when nothing is asynchronous", () => {
    const page = setUpTapped().sessions.wrap((_request: Request, session) => {
      session["a"] = 1;
      return new Response("");
    });
    expect(page(createRequest())).toBeInstanceOf(Response);
  });
});
