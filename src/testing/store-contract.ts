import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import type {
  MaybePromise,
  SessionBackend,
  SessionData,
  SessionRecord,
} from "../session/backend.ts";
import { SessionStore } from "../session/backend.ts";

const HOUR = 60 * 60 * 1000;

/** An id as a backend sees it: 43 base64url characters, never the same twice. */
export function randomId(): string {
  return crypto
    .getRandomValues(new Uint8Array(32))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** A live record that nobody has logged into. */
export function recordOf(facts: Partial<SessionRecord> = {}): SessionRecord {
  const now = Date.now();
  return {
    data: '{"visits":1}',
    flash: null,
    version: 1,
    createdAt: now,
    touchedAt: now,
    expiresAt: now + HOUR,
    userId: null,
    authenticatedAt: null,
    remember: null,
    ...facts,
  };
}

/** A record whose time is over: it is absent, whether or not a sweep has been by. */
export function expiredRecord(facts: Partial<SessionRecord> = {}): SessionRecord {
  const now = Date.now();
  return recordOf({ createdAt: now - HOUR, touchedAt: now - HOUR, expiresAt: now - 1, ...facts });
}

/** The second version of a session, which tells who has written it. */
function numbered(index: number): SessionRecord {
  return recordOf({ data: `{"n":${index}}`, version: 2 });
}

/**
 * Tests a backend against what {@link SessionBackend} says, sentence by sentence. `create` makes an
 * empty one for each test.
 */
export function describeBackend(name: string, create: () => MaybePromise<SessionBackend>): void {
  describe(`${name} as a SessionBackend`, () => {
    let backend: SessionBackend;
    beforeEach(async () => {
      backend = await create();
    });
    afterEach(async () => {
      if (backend instanceof SessionStore) await backend.close();
    });

    const load = async (id: string): Promise<SessionData> => (await backend.load(id)) ?? {};

    describe("load", () => {
      test("gives the session's data", async () => {
        const id = randomId();
        const data = {
          text: "naïve 🙂\u0000\u2028",
          number: -1.5e300,
          nothing: null,
          list: [1, [2, { deep: true }]],
          "": "",
        };
        await backend.save(id, data, 60);
        await backend.save(randomId(), { another: "session" }, 60);
        expect(await load(id)).toEqual(data);
      });

      test("gives a value, not the object that was saved", async () => {
        const id = randomId();
        const data = { list: [1] };
        await backend.save(id, data, 60);
        data.list.push(2);
        (await load(id))["list"] = "changed by who loaded it";
        expect(await load(id)).toEqual({ list: [1] });
      });

      test("gives `{}`, `null` or `undefined` when there is no such session", async () => {
        const loaded = await backend.load(randomId());
        expect([{}, null, undefined]).toContainEqual(loaded);
      });

      test("S1: gives hostile keys back as data", async () => {
        const id = randomId();
        const data = JSON.parse('{"__proto__":{"admin":true},"constructor":1,"prototype":2}');
        await backend.save(id, data, 60);
        expect(JSON.stringify(await load(id))).toBe(JSON.stringify(data));
        expect(Object.keys(Object.prototype)).toEqual([]);
      });
    });

    describe("save", () => {
      test("keeps the data in place of what was kept before", async () => {
        const id = randomId();
        await backend.save(id, { first: 1, both: 1 }, 60);
        await backend.save(id, { second: 2, both: 2 }, 60);
        expect(await load(id)).toEqual({ second: 2, both: 2 });
      });

      test.each([
        ["empty data", {}, 60],
        ["a timeout of 0", { visits: 2 }, 0],
      ])("deletes the session with %s", async (_, data, timeout) => {
        const id = randomId();
        const other = randomId();
        await backend.save(id, { visits: 1 }, 60);
        await backend.save(other, { visits: 1 }, 60);
        await backend.save(id, data, timeout);
        expect(await load(id)).toEqual({});
        expect(await load(other)).toEqual({ visits: 1 });
      });

      test.each([
        ["empty data", {}, 60],
        ["a timeout of 0", { visits: 2 }, 0],
      ])("keeps nothing of a new session with %s", async (_, data, timeout) => {
        const id = randomId();
        await backend.save(id, data, timeout);
        expect(await load(id)).toEqual({});
      });
    });
  });
}

/**
 * Tests a store against what {@link SessionStore} and the interfaces around it say, sentence by
 * sentence, those of {@link SessionBackend} included. `create` makes an empty one for each test, on
 * the clock of the system.
 */
export function describeStore(name: string, create: () => MaybePromise<SessionStore>): void {
  describeBackend(name, create);

  describe(`${name} as a SessionStore`, () => {
    let store: SessionStore;
    beforeEach(async () => {
      store = await create();
    });
    afterEach(() => store.close());

    /** What a reader may rely on: an expired record is an absent one. */
    const readLive = async (id: string): Promise<SessionRecord | undefined> => {
      const record = await store.read(id);
      return record === undefined || record.expiresAt <= Date.now() ? undefined : record;
    };

    const stored = async (record: SessionRecord): Promise<string> => {
      const id = randomId();
      expect(await store.create(id, record)).toBe(true);
      return id;
    };

    describe("every write is atomic", () => {
      const AT_ONCE = 20;
      const winners = async (
        attempt: (index: number) => MaybePromise<boolean>,
      ): Promise<number[]> => {
        const results = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => attempt(i)));
        return results.flatMap((won, index) => (won ? [index] : []));
      };
      test("of many that create one id, one succeeds", async () => {
        const id = randomId();
        const won = await winners((index) => store.create(id, numbered(index)));
        expect(won).toHaveLength(1);
        expect(await readLive(id)).toMatchObject({ data: `{"n":${won[0]}}` });
      });

      test("of many that replace one version, one succeeds", async () => {
        const id = await stored(recordOf());
        const won = await winners((index) => store.replace(id, numbered(index), 1));
        expect(won).toHaveLength(1);
        expect(await readLive(id)).toMatchObject({ data: `{"n":${won[0]}}` });
      });

      test("of many that rotate one version, one succeeds", async () => {
        const id = await stored(recordOf());
        const newIds = Array.from({ length: AT_ONCE }, randomId);
        const won = await winners((index) =>
          store.rotate(id, newIds[index] ?? "", numbered(index), 1),
        );
        expect(won).toHaveLength(1);
        const left = await Promise.all([id, ...newIds].map(readLive));
        expect(left.filter((record) => record !== undefined)).toMatchObject([
          { data: `{"n":${won[0]}}`, version: 2 },
        ]);
      });

      test("no touch is lost beside the others", async () => {
        const { expiresAt } = recordOf();
        const id = await stored(recordOf());
        expect(await winners(() => store.touch(id, expiresAt))).toHaveLength(AT_ONCE);
        expect(await readLive(id)).toMatchObject({ version: 1 + AT_ONCE });
      });

      test("of many that replace and rotate one version, one succeeds", async () => {
        const id = await stored(recordOf());
        const newId = randomId();
        const won = await winners((index) =>
          index % 2 === 0
            ? store.replace(id, numbered(index), 1)
            : store.rotate(id, newId, numbered(index), 1),
        );
        expect(won).toHaveLength(1);
        const left = [await readLive(id), await readLive(newId)];
        expect(left.filter((record) => record !== undefined)).toMatchObject([
          { data: `{"n":${won[0]}}`, version: 2 },
        ]);
      });

      test.each([
        ["replace", (id) => store.replace(id, numbered(1), 1)],
        ["touch", (id) => store.touch(id, Date.now() + HOUR)],
      ] as [string, (id: string) => MaybePromise<boolean>][])(
        "a delete is not undone by a %s beside it",
        async (_, write) => {
          for (const deleteFirst of [true, false]) {
            const id = await stored(recordOf());
            const both = [() => store.delete(id), () => write(id)];
            if (!deleteFirst) both.reverse();
            await Promise.all(both.map((each) => each()));
            expect(await readLive(id)).toBeUndefined();
          }
        },
      );
    });

    describe("a record", () => {
      test("is a value: it is never changed", async () => {
        const given = Object.freeze(recordOf());
        const id = await stored(given);
        const found = await readLive(id);
        await store.touch(id, given.expiresAt + 1);
        await store.replace(id, Object.freeze(recordOf({ data: "{}", version: 3 })), 2);
        expect(found).toMatchObject(given);
      });

      test("is absent from the moment that `expiresAt` names", async () => {
        const now = Date.now();
        const id = await stored(recordOf({ userId: randomId(), expiresAt: now }));
        expect(await store.load(id)).toEqual({});
        expect(await store.replace(id, recordOf({ version: 2 }), 1)).toBe(false);
        expect(await store.touch(id, now + HOUR)).toBe(false);
      });
    });

    describe("read", () => {
      test.each([
        ["an anonymous", recordOf()],
        [
          "a signed-in",
          recordOf({
            data: '{"text":"naïve 🙂","quote":"\'\\"\\u0000"}',
            flash: '{"notice":"Saved."}',
            version: 7,
            createdAt: 1_234_567_890_123,
            touchedAt: 1_234_567_890_124,
            userId: "Ann'; --",
            authenticatedAt: 1_234_567_890_125,
            remember: 3_000_000_000,
          }),
        ],
      ])("gives the record as it was stored: %s session", async (_, record) => {
        const id = await stored(record);
        expect(await store.read(id)).toMatchObject(record);
      });

      test("gives a large record whole", async () => {
        const record = recordOf({ data: JSON.stringify({ text: "x".repeat(1024 * 1024) }) });
        expect(await store.read(await stored(record))).toMatchObject(record);
      });

      test("gives `undefined` when there is none", async () => {
        await stored(recordOf());
        expect(await store.read(randomId())).toBeUndefined();
      });

      test("may still give one that has expired, and then says so", async () => {
        const id = await stored(expiredRecord());
        expect((await store.read(id))?.expiresAt ?? 0).toBeLessThan(Date.now());
      });
    });

    describe("create", () => {
      test("inserts", async () => {
        const id = randomId();
        const record = recordOf();
        expect(await store.create(id, record)).toBe(true);
        expect(await readLive(id)).toMatchObject(record);
      });

      test("`false`: a live record has this id, and stays as it was", async () => {
        const record = recordOf({ data: '{"of":"the first"}' });
        const id = await stored(record);
        expect(await store.create(id, recordOf({ data: '{"of":"the second"}' }))).toBe(false);
        expect(await readLive(id)).toMatchObject(record);
      });

      test("takes the id of a record that has expired", async () => {
        const id = await stored(expiredRecord({ userId: randomId() }));
        const record = recordOf();
        expect(await store.create(id, record)).toBe(true);
        expect(await readLive(id)).toMatchObject(record);
      });
    });

    describe("replace", () => {
      test.each([
        ["data", { data: '{"visits":2}', flash: '{"notice":"Hello"}' }],
        ["user", { userId: "Ann", authenticatedAt: Date.now(), remember: 60 }],
      ])("puts the record in the place of the one with this version: new %s", async (_, facts) => {
        const id = await stored(recordOf());
        const record = recordOf({ version: 2, ...facts });
        expect(await store.replace(id, record, 1)).toBe(true);
        expect(await readLive(id)).toMatchObject(record);
      });

      test.each([
        ["is gone", undefined],
        ["has expired", expiredRecord()],
        ["has another version, older", recordOf({ version: 2 })],
        ["has another version, newer", recordOf({ version: 0 })],
      ])("`false`: it %s, and nothing was changed", async (_, there) => {
        const id = there === undefined ? randomId() : await stored(there);
        const before = await readLive(id);
        expect(await store.replace(id, recordOf({ data: '{"visits":2}' }), 1)).toBe(false);
        expect(await readLive(id)).toEqual(before);
      });
    });

    describe("rotate", () => {
      test("puts the record under a new id and removes the old one, as one step", async () => {
        const oldId = await stored(recordOf());
        const newId = randomId();
        const record = recordOf({ version: 2, userId: "Ann", authenticatedAt: Date.now() });
        expect(await store.rotate(oldId, newId, record, 1)).toBe(true);
        expect(await store.read(newId)).toMatchObject(record);
        expect(await store.read(oldId)).toBeUndefined();
      });

      test.each([
        ["the old one is gone", undefined, undefined],
        ["the old one has expired", expiredRecord(), undefined],
        ["the old one has another version", recordOf({ version: 2 }), undefined],
        ["the new id is taken", recordOf(), recordOf({ data: '{"of":"somebody else"}' })],
      ])("`false`: %s; nothing was changed", async (_, old, taken) => {
        const oldId = old === undefined ? randomId() : await stored(old);
        const newId = taken === undefined ? randomId() : await stored(taken);
        const before = [await readLive(oldId), await readLive(newId)];
        expect(await store.rotate(oldId, newId, recordOf({ data: "{}", version: 2 }), 1)).toBe(
          false,
        );
        expect([await readLive(oldId), await readLive(newId)]).toEqual(before);
      });

      test("takes the id of a record that has expired", async () => {
        const oldId = await stored(recordOf());
        const newId = await stored(expiredRecord());
        const record = recordOf({ version: 2 });
        expect(await store.rotate(oldId, newId, record, 1)).toBe(true);
        expect(await readLive(newId)).toMatchObject(record);
      });
    });

    describe("touch", () => {
      test.each([
        ["later", HOUR],
        ["earlier", -HOUR / 2],
      ])(
        "sets `touchedAt` to now, `expiresAt` as given, and raises the version by one: %s",
        async (_, shift) => {
          const record = recordOf({ touchedAt: 0, userId: "Ann" });
          const id = await stored(record);
          const before = Date.now();
          expect(await store.touch(id, record.expiresAt + shift)).toBe(true);
          const { touchedAt = 0, ...touched } = (await readLive(id)) ?? {};
          const { touchedAt: _touchedAt, ...untouched } = record;
          const expiresAt = record.expiresAt + shift;
          expect(touched).toMatchObject({ ...untouched, expiresAt, version: 2 });
          expect(touchedAt).toBeWithin(before, Date.now() + 1);
        },
      );

      test.each([
        ["is gone", undefined],
        ["has expired", expiredRecord()],
      ])("`false`: the record %s", async (_, there) => {
        const id = there === undefined ? randomId() : await stored(there);
        expect(await store.touch(id, Date.now() + HOUR)).toBe(false);
        expect(await readLive(id)).toBeUndefined();
      });
    });

    describe("delete", () => {
      test("removes the record", async () => {
        const id = await stored(recordOf({ userId: "Ann" }));
        const other = await stored(recordOf());
        await store.delete(id);
        expect(await store.read(id)).toBeUndefined();
        expect(await readLive(other)).toBeDefined();
      });

      test("one that does not exist is no error", async () => {
        expect(await store.delete(randomId())).toBeUndefined();
      });
    });

    describe("list", () => {
      test("gives the user's live sessions, oldest first", async () => {
        const userId = randomId();
        const now = Date.now();
        const users = (age: number): SessionRecord =>
          recordOf({ userId, createdAt: now - age, touchedAt: now, expiresAt: now + HOUR });
        const middle = await stored(users(2000));
        const oldest = await stored(users(3000));
        const youngest = await stored(users(1000));
        await stored(expiredRecord({ userId }));
        await stored(recordOf({ userId: randomId() }));
        await stored(recordOf());
        const sessions = await store.list(userId);
        expect(sessions.map(({ handle }) => handle)).toEqual([oldest, middle, youngest]);
        expect(sessions[0]).toEqual({
          handle: oldest,
          userId,
          createdAt: now - 3000,
          touchedAt: now,
          expiresAt: now + HOUR,
          authenticatedAt: null,
        });
      });

      test("follows a session from one id and one user to the next", async () => {
        const [ann, ben] = [randomId(), randomId()];
        const first = await stored(recordOf({ userId: ann }));
        const second = randomId();
        await store.rotate(first, second, recordOf({ userId: ann, version: 2 }), 1);
        expect(await store.list(ann)).toMatchObject([{ handle: second }]);
        await store.replace(second, recordOf({ userId: ben, version: 3 }), 2);
        expect(await store.list(ann)).toEqual([]);
        expect(await store.list(ben)).toMatchObject([{ handle: second }]);
        const third = await stored(recordOf({ userId: ben, createdAt: Date.now() + 1 }));
        const fourth = await stored(recordOf({ userId: ben, createdAt: Date.now() + 2 }));
        await store.delete(third);
        expect(await store.list(ben)).toMatchObject([{ handle: second }, { handle: fourth }]);
        for (const id of [second, fourth]) await store.delete(id);
        expect(await store.list(ben)).toEqual([]);
      });
    });

    describe("deleteAll", () => {
      test("removes the user's sessions, and says how many live ones there were", async () => {
        const userId = randomId();
        const users = [
          await stored(recordOf({ userId })),
          await stored(recordOf({ userId })),
          await stored(expiredRecord({ userId })),
        ];
        const others = [await stored(recordOf({ userId: randomId() })), await stored(recordOf())];
        expect(await store.deleteAll(userId)).toBe(2);
        for (const id of users) expect(await store.read(id)).toBeUndefined();
        for (const id of others) expect(await readLive(id)).toBeDefined();
        expect(await store.deleteAll(userId)).toBe(0);
      });

      test("removes all but `exceptId`", async () => {
        const userId = randomId();
        const kept = await stored(recordOf({ userId }));
        const removed = await stored(recordOf({ userId }));
        expect(await store.deleteAll(userId, kept)).toBe(1);
        expect(await readLive(kept)).toBeDefined();
        expect(await store.read(removed)).toBeUndefined();
      });
    });

    describe("sweep", () => {
      test("removes at most `limit` expired records, and says how many it removed", async () => {
        const ids = await Promise.all([1, 2, 3].map(() => stored(expiredRecord())));
        const countThere = async (): Promise<number> => {
          const found = await Promise.all(ids.map((id) => store.read(id)));
          return found.filter((record) => record !== undefined).length;
        };
        for (let there = await countThere(); there > 0; there = await countThere()) {
          expect(await store.sweep(2)).toBe(Math.min(there, 2));
          expect(await countThere()).toBe(Math.max(there - 2, 0));
        }
        expect(await store.sweep(2)).toBe(0);
      });

      test("removes a record whose end has come closer", async () => {
        const ids = [await stored(recordOf()), await stored(recordOf()), await stored(recordOf())];
        const [touched = "", replaced = ""] = ids;
        await store.touch(touched, Date.now() - 1);
        await store.replace(replaced, expiredRecord({ version: 2 }), 1);
        await store.sweep(500);
        const left = await Promise.all(ids.map((id) => store.read(id)));
        expect(left.map((record) => record !== undefined)).toEqual([false, false, true]);
      });

      test("removes no others", async () => {
        const anonymous = await stored(recordOf());
        const signedIn = await stored(recordOf({ userId: randomId() }));
        const touched = await stored(recordOf({ expiresAt: Date.now() + 1000 }));
        await stored(expiredRecord());
        await store.touch(touched, Date.now() + HOUR);
        await store.sweep(500);
        for (const id of [anonymous, signedIn, touched]) expect(await readLive(id)).toBeDefined();
      });
    });

    describe("close", () => {
      test("finishes what was begun", async () => {
        const begun = store.create(randomId(), recordOf());
        await store.close();
        expect(await begun).toBe(true);
      });

      test("does nothing the second time", async () => {
        await store.close();
        expect(await store.close()).toBeUndefined();
      });
    });

    describe("load", () => {
      test("gives the data of a live session", async () => {
        expect(await store.load(await stored(recordOf()))).toEqual({ visits: 1 });
      });

      test("gives `{}` when there is none", async () => {
        expect(await store.load(randomId())).toEqual({});
        expect(await store.load(await stored(expiredRecord()))).toEqual({});
      });

      test("S2: gives `{}` when what is stored is no dictionary", async () => {
        expect(await store.load(await stored(recordOf({ data: "[1, 2" })))).toEqual({});
      });
    });

    describe("save", () => {
      test.each([
        ["none", undefined],
        ["a live session", recordOf({ userId: "Ann" })],
        ["one that has expired", expiredRecord()],
      ])("keeps the data for `timeout` seconds, whatever was kept before: %s", async (_, there) => {
        const id = there === undefined ? randomId() : await stored(there);
        const before = Date.now();
        await store.save(id, { visits: 2 }, 60);
        expect(await store.load(id)).toEqual({ visits: 2 });
        expect((await store.read(id))?.expiresAt).toBeWithin(before + 60_000, Date.now() + 60_001);
      });

      test("raises the version, and leaves alone whose session it is", async () => {
        const record = recordOf({ userId: "Ann", authenticatedAt: 1, createdAt: 1, version: 4 });
        const id = await stored(record);
        await store.save(id, { visits: 2 }, 60);
        const { userId, authenticatedAt, createdAt } = record;
        expect(await store.read(id)).toMatchObject({
          userId,
          authenticatedAt,
          createdAt,
          version: 5,
        });
      });

      test("loses none of many that save one session at once", async () => {
        const id = randomId();
        await Promise.all([1, 2, 3, 4, 5].map((n) => store.save(id, { n }, 60)));
        expect(await store.read(id)).toMatchObject({ version: 5 });
      });
    });
  });
}
