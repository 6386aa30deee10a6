import { describe, expect, test } from "bun:test";

import { requestOf, setUpTapped, setUpVisited } from "../support/stores/site.ts";

describe("Sessions.wrap", () => {
  test("S7: where the handler and the store fail, the handler's error goes on to whoever called", async () => {
    const { store, visitor } = await setUpVisited();
    store.break("delete");
    const visit = visitor.visit((session) => {
      session.destroy();
      throw new RangeError("the handler's");
    });
    await expect(visit).rejects.toThrow("the handler's");
  });

  test("L6: a handler that throws synchronously has ended the session too, and its error goes on", async () => {
    const { sessions, store, visitor } = await setUpVisited();
    const page = sessions.wrap((_request: Request, session): Response => {
      session.destroy();
      throw new RangeError("the handler's");
    });
    await expect(Promise.resolve(page(requestOf(visitor)))).rejects.toThrow("the handler's");
    expect(store.inner.size).toBe(0);
  });

  test("returns synchronously when nothing is asynchronous", () => {
    const page = setUpTapped().sessions.wrap((_request: Request, session) => {
      session["a"] = 1;
      return new Response("");
    });
    expect(page(requestOf())).toBeInstanceOf(Response);
  });
});
