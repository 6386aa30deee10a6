import { describe, expect, test } from "bun:test";

import { Sessions } from "../../src/http/sessions.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";
import { quiet } from "../support/quiet.ts";
import { TappedStore } from "../support/stores/tapped-store.ts";
import type { Page } from "../support/visitor.ts";
import { sessionCookies, Visitor } from "../support/visitor.ts";

async function setUp() {
  const store = new TappedStore();
  const visitor = new Visitor(new Sessions({ backend: store, sweepInterval: 0 }));
  await visitor.visit((session) => (session["a"] = 1));
  return { store, visitor };
}

describe("a handler that fails while the store does", () => {
  test("S7: destroy() that cannot be carried out is a 503 that leaves the cookie alone", async () => {
    using _error = quiet("error");
    const { store, visitor } = await setUp();
    store.break("delete");
    const response = await visitor.visit((session) => session.destroy());
    expect([response.status, sessionCookies(response)]).toEqual([503, []]);
    store.mend();
    expect(await visitor.look()).toEqual({ a: 1 });
  });

  test("S7: where the handler throws too, its error goes on to whoever called", async () => {
    const { store, visitor } = await setUp();
    store.break("delete");
    const visit = visitor.visit((session) => {
      session.destroy();
      throw new RangeError("the handler's");
    });
    await expect(visit).rejects.toThrow("the handler's");
  });

  test("S7: after save() has given out a new id, the 503 carries its cookie", async () => {
    using _error = quiet("error");
    const { store, visitor } = await setUp();
    const page: Page = async (session) => {
      session.regenerate();
      await session.save();
      store.break("replace");
      session["a"] = 2;
    };
    const response = await visitor.visit(page);
    expect([response.status, sessionCookies(response).length]).toEqual([503, 1]);
    store.mend();
    expect(await visitor.look()).toEqual({ a: 1 });
  });
});

describe("Sessions.wrap", () => {
  test("returns synchronously when nothing is asynchronous", () => {
    const sessions = new Sessions({ backend: new TappedStore() });
    const page = sessions.wrap((_request: Request, session) => {
      session["a"] = 1;
      return new Response("");
    });
    const answer: MaybePromise<Response> = page(new Request("http://localhost/"));
    expect(answer).toBeInstanceOf(Response);
  });
});
