import { describe, expect, spyOn, test } from "bun:test";

import { App } from "../../../src/app/app.ts";
import { InMemorySessionBackend } from "../../../src/backends/memory/backend.ts";
import { TestClient } from "../../../src/testing/client.ts";
import { expiredRecord, recordOf } from "../../../src/testing/records.ts";
import { testSessionBackend } from "../../../src/testing/session-backend.ts";
import { FakeClock } from "../../support/clock.ts";

testSessionBackend("InMemorySessionBackend", (now) => new InMemorySessionBackend({ now }));

const signedIn = recordOf({ userId: "Ann" });

/** Which of the ids are still there. */
function heldBy(store: InMemorySessionBackend, ...ids: string[]): string[] {
  return ids.filter((id) => store.read(id) !== undefined);
}

describe("InMemorySessionBackend", () => {
  test.each([0, -1, 1.5, Number.NaN, Infinity])("refuses a `maxSessions` of %p", (maxSessions) => {
    expect(() => new InMemorySessionBackend({ maxSessions })).toThrow(
      `\`maxSessions\` is ${maxSessions}; it has to be a whole number above 0. Leave it out for 100000.`,
    );
  });

  test("holds 100,000 sessions when not told otherwise", () => {
    const store = new InMemorySessionBackend();
    const record = recordOf();
    for (let index = 0; index < 100_100; index++) store.create(String(index), record);
    expect(store.size).toBe(100_000);
    expect(heldBy(store, "99", "100")).toEqual(["100"]);
  });

  describe("when it is full", () => {
    test("gives up an expired session first, even one that expired a millisecond ago", () => {
      const clock = new FakeClock();
      const store = new InMemorySessionBackend({ maxSessions: 3, now: clock.now });
      const until = (ms: number) => recordOf({ expiresAt: clock.now() + ms });
      store.create("used longest ago", until(9000));
      store.create("ends first", until(1001));
      store.create("used last", until(9000));
      clock.advance(1001);
      store.create("new", until(9000));
      expect(store.size).toBe(3);
      expect(heldBy(store, "used longest ago", "ends first", "used last", "new")).toEqual([
        "used longest ago",
        "used last",
        "new",
      ]);
    });

    test("gives up an expired session of a user before a live anonymous one", () => {
      const store = new InMemorySessionBackend({ maxSessions: 2 });
      store.create("anonymous", recordOf());
      store.create("expired", expiredRecord({ userId: "Ann" }));
      store.create("new", recordOf());
      expect(heldBy(store, "anonymous", "expired", "new")).toEqual(["anonymous", "new"]);
      expect(store.list("Ann")).toEqual([]);
    });

    test.each([
      ["read", (store: InMemorySessionBackend) => store.read("first")],
      ["replaced", (store: InMemorySessionBackend) => store.replace("first", recordOf(), 1)],
      ["touched", (store: InMemorySessionBackend) => store.touch("first", Date.now() + 60_000)],
    ])("gives up the anonymous session that was used longest ago, not one just %s", (_, use) => {
      const store = new InMemorySessionBackend({ maxSessions: 3 });
      store.create("signed in", signedIn);
      store.create("first", recordOf());
      store.create("second", recordOf());
      use(store);
      store.create("third", recordOf());
      expect(heldBy(store, "signed in", "first", "second", "third")).toEqual([
        "signed in",
        "first",
        "third",
      ]);
    });

    test("gives up none that somebody has logged into, and says what to do", () => {
      const store = new InMemorySessionBackend({ maxSessions: 2 });
      store.create("one", signedIn);
      store.create("before the login", recordOf());
      store.rotate("before the login", "two", recordOf({ userId: "Ben", version: 2 }), 1);
      expect(() => store.create("new", recordOf())).toThrow(
        "All 2 sessions in memory are signed in, and none of them is given up. Raise `maxSessions`, " +
          "or use a backend on disk such as SqliteSessionBackend.",
      );
      expect(heldBy(store, "one", "two", "new")).toEqual(["one", "two"]);
    });

    test("still changes, rotates and removes what it holds", () => {
      const store = new InMemorySessionBackend({ maxSessions: 1 });
      store.create("old", signedIn);
      expect(store.replace("old", { ...signedIn, version: 2 }, 1)).toBe(true);
      expect(store.rotate("old", "new", { ...signedIn, version: 3 }, 2)).toBe(true);
      store.delete("new");
      expect(store.create("another", recordOf())).toBe(true);
    });

    test("answers a new session with 503 through an App, and everything else as before", async () => {
      class Site extends App<{ visits: number }> {
        index(): string {
          const { session } = this.request;
          session.visits = (session.visits ?? 0) + 1;
          return String(session.visits);
        }
        login(): string {
          this.request.session.login("Ann");
          return "Hello";
        }
        about(): string {
          return "About us";
        }
      }
      const log = spyOn(console, "error").mockImplementation(() => undefined);
      const app = new Site({ sessionBackend: new InMemorySessionBackend({ maxSessions: 1 }) });
      const [ann, visitor] = [new TestClient(app), new TestClient(app)];
      await ann.send("/login");
      const refused = await visitor.send("/");
      expect(refused.status).toBe(503);
      expect(refused.headers.getSetCookie()).toEqual([]);
      expect(await visitor.text("/about")).toBe("About us");
      expect(await ann.text("/")).toBe("1");
      expect(log).toHaveBeenCalledTimes(1);
      log.mockRestore();
    });
  });

  describe("sweep", () => {
    test("looks only at what has expired, however many sessions there are", () => {
      const store = new InMemorySessionBackend();
      let looks = 0;
      const watched = (expiresAt: number) => ({
        ...recordOf(),
        get expiresAt() {
          looks++;
          return expiresAt;
        },
      });
      for (let index = 0; index < 10_000; index++) {
        store.create(`live ${index}`, watched(Date.now() + 60_000));
      }
      for (let index = 0; index < 10; index++) store.create(`expired ${index}`, watched(0));
      looks = 0;
      expect(store.sweep(500)).toBe(10);
      expect(looks).toBeLessThan(100);
      expect(store.size).toBe(10_000);
    });

    test("frees what it removes for new sessions", () => {
      const store = new InMemorySessionBackend({ maxSessions: 2 });
      store.create("expired", expiredRecord());
      store.create("live", recordOf());
      store.sweep(500);
      expect(store.size).toBe(1);
      store.create("new", recordOf());
      expect(heldBy(store, "live", "new")).toEqual(["live", "new"]);
    });
  });

  test("stays readable after it was closed, so that a last request can end in peace", () => {
    const store = new InMemorySessionBackend();
    store.create("id", recordOf());
    store.close();
    expect(heldBy(store, "id")).toEqual(["id"]);
  });
});
