import { afterEach, describe, expect, mock, test } from "bun:test";

import { cookieAfterFailure } from "../../src/integrations/after-failure.ts";
import { Sessions } from "../../src/session/manager.ts";
import type { Session } from "../../src/session/session.ts";
import { TappedStore } from "../support/tapped-store.ts";

afterEach(() => {
  mock.restore();
});

/** The cookie that is left to send, after a handler did this and a store failed. */
async function cookieAfter(
  page: (session: Session, store: TappedStore) => unknown,
): Promise<{ cookie: string | undefined; calls: readonly string[] }> {
  const store = new TappedStore();
  const manager = new Sessions({ backend: store, sweepInterval: 0 });
  const first = await manager.open(new Request("http://localhost/"));
  first.session["a"] = 1;
  const [cookie = ""] = ((await manager.settle(first, 200)) ?? "").split(";", 1);
  const open = await manager.open(new Request("http://localhost/", { headers: { cookie } }));
  await page(open.session, store);
  store.calls.length = 0;
  return { cookie: await cookieAfterFailure(manager, open), calls: store.calls };
}

describe("cookieAfterFailure", () => {
  test("gives no cookie where none has changed, and stores nothing", async () => {
    const { cookie, calls } = await cookieAfter((session) => {
      session["a"] = 2;
    });
    expect(cookie).toBeUndefined();
    expect(calls).toEqual([]);
  });

  test("gives the cookie of an id that save() has given out", async () => {
    const { cookie } = await cookieAfter((session) => {
      session.login("ann");
      return session.save();
    });
    expect(cookie).toStartWith("session_id=");
  });

  test.each([
    [
      "at once",
      () => {
        throw new Error("The disk is gone.");
      },
    ],
    ["later", () => Promise.reject(new Error("The disk is gone."))],
  ])("gives none while the store fails %s", async (_, tap) => {
    const { cookie } = await cookieAfter((session, store) => {
      session.destroy();
      store.once("delete", tap);
    });
    expect(cookie).toBeUndefined();
  });
});
