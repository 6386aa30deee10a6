import { expect } from "bun:test";

import type { SessionData } from "../store/backend.ts";
import { LoadSaveStore } from "../store/load-save-store.ts";
import type { Contract } from "./contract.ts";
import { checkEach } from "./contract.ts";
import { makeRecord } from "./records.ts";
import type { Trial } from "./trial.ts";
import { becomesTrue } from "./until.ts";

/** JSON values, by what makes them difficult. */
const VALUES: Record<string, SessionData> = {
  texts: {
    texts: ["", "naïve 🙂", "\u0000\u001f\u2028\ufeff", "'\"\\`${}", "\ud800", " a\r\n\tb "],
  },
  numbers: { numbers: [0, -1.5e300, 5e-324, 0.1, Number.MAX_SAFE_INTEGER] },
  "`null`, `true` and `false`": { nothing: null, yes: true, no: false, list: [null, true, false] },
  "lists and dictionaries in each other, empty ones too": {
    list: [1, [2, { deep: [{}] }], [], {}],
    dictionary: { list: [], deep: { deeper: { deepest: 1 } }, empty: {} },
  },
  "keys of any characters": { "": 1, " ": 2, "a.b": 3, "0": 4, "naïve 🙂": 5, "a\u0000b": 6 },
  "the key `$`, in which the session's own facts travel": { $: { flash: null, version: 1 }, a: 1 },
  "keys that every object has": JSON.parse(
    '{"__proto__":{"admin":true},"constructor":1,"prototype":2,"toString":3}',
  ) as SessionData,
  "32 KiB, the most that is stored by default": { text: "naïve 🙂 ".repeat(2_729) },
};

/** The data stored before, if any, and the arguments of the `save` that deletes it. */
const DELETIONS: Record<
  string,
  [before: SessionData | undefined, data: SessionData, timeout: number]
> = {
  "empty data": [{ visits: 1 }, {}, 60],
  "a timeout of 0": [{ visits: 1 }, { visits: 2 }, 0],
  "both, for one that was never there": [undefined, {}, 0],
  "empty data, for one that was never there": [undefined, {}, 60],
  "a timeout of 0, for one that was never there": [undefined, { visits: 1 }, 0],
};

const NOT_SAVED =
  "load() does not return the saved data. Does save() wait until it is stored, and does each use the same id?";

/** The contract of every backend. */
export const SESSION_BACKEND: Contract<Trial> = {
  SessionData: checkEach("values that survive a JSON round trip", VALUES, async (trial, data) => {
    const id = trial.newId();
    await trial.backend.save(id, data, 60);
    const loaded = await trial.load(id);
    // Not toEqual, which ignores a key `__proto__`.
    expect(toText(loaded), NOT_SAVED).toBe(toText(data));
    expect(
      Object.hasOwn(Object.prototype, "admin"),
      "load() has changed the prototype of all objects.",
    ).toBe(false);
  }),

  SessionBackend: {
    "`sessionId` is the SHA-256 of the id in the cookie: two that differ in the case of a letter are two":
      async (trial) => {
        const id = trial.newId(`aZ${trial.newId().slice(2)}`);
        const similar = trial.newId(`Az${id.slice(2)}`);
        await trial.backend.save(id, { of: "the first" }, 60);
        expect(await trial.load(similar), "load() treats two ids as one.").toEqual({});
        await trial.backend.save(similar, { of: "the second" }, 60);
        expect(await trial.load(id), "save() treats two ids as one.").toEqual({ of: "the first" });
      },

    "safe inside one process: many sessions at once are kept apart": async (trial) => {
      const ids = Array.from({ length: 20 }, () => trial.newId());
      await Promise.all(ids.map(async (id) => trial.backend.save(id, { of: id }, 60)));
      const loaded = await Promise.all(ids.map((id) => trial.load(id)));
      expect(loaded, "load() returns the data of another session.").toEqual(
        ids.map((id) => ({ of: id })),
      );
    },

    "Data is passed by value: what was saved can be changed": async (trial) => {
      const id = trial.newId();
      const data = { list: [1] };
      await trial.backend.save(id, data, 60);
      data.list.push(2);
      const kept = await trial.load(id);
      expect(kept, "Changing an object after save() changes the stored data.").toEqual({
        list: [1],
      });
    },

    "Data is passed by value: what was loaded can be changed": async (trial) => {
      const id = trial.newId();
      await trial.backend.save(id, { list: [1] }, 60);
      const loaded = await trial.load(id);
      loaded["another"] = true;
      (loaded["list"] as number[] | undefined)?.push(2);
      const kept = await trial.load(id);
      expect(kept, "Changing an object after load() changes the stored data.").toEqual({
        list: [1],
      });
    },
  },

  "SessionBackend.load": {
    "The session's data": async (trial) => {
      const [id, other] = [trial.newId(), trial.newId()];
      await trial.backend.save(id, { visits: 1 }, 60);
      await trial.backend.save(other, { another: "session" }, 60);
      expect(await trial.load(id), NOT_SAVED).toEqual({ visits: 1 });
      expect(await trial.load(id), "load() returns the data only once.").toEqual({ visits: 1 });
    },

    "`{}`, `null` and `undefined` all mean that there is no such session": async (trial) => {
      const loaded = await trial.backend.load(trial.newId());
      expect(
        [{}, null, undefined],
        "load() returns data for a session that was never saved.",
      ).toContainEqual(loaded);
    },
  },

  "SessionBackend.save": {
    "Stores the data for `timeout` seconds": async (trial) => {
      const id = trial.newId();
      const isGone = async (): Promise<boolean> => Object.keys(await trial.load(id)).length === 0;
      await trial.backend.save(id, { visits: 1 }, 60);
      await trial.backend.save(id, { visits: 2 }, 600);
      trial.clock.move(590_000);
      expect(await isGone(), "The data is gone long before its 600 seconds have passed.").toBe(
        false,
      );
      trial.clock.move(11_000);
      if (await isGone()) return;
      // The backend ignores the given clock.
      trial.clock.move(-601_000);
      const other = trial.newId();
      await trial.backend.save(other, { visits: 3 }, 60);
      await trial.backend.save(id, { visits: 4 }, 1);
      expect(
        await becomesTrue(2_500, isGone),
        "The data is still stored long after its one second has passed.",
      ).toBe(true);
      // Longer than 60 milliseconds, for a backend that mistakes the unit.
      await Bun.sleep(100);
      const kept = await trial.load(other);
      expect(kept, "The data is gone long before its 60 seconds have passed.").toEqual({
        visits: 3,
      });
    },

    "replacing what was stored before": async (trial) => {
      const id = trial.newId();
      await trial.backend.save(id, { first: 1, both: 1 }, 60);
      await trial.backend.save(id, { second: 2, both: 2 }, 60);
      expect(
        await trial.load(id),
        "save() merges the data, or does nothing the second time.",
      ).toEqual({
        second: 2,
        both: 2,
      });
    },

    ...checkEach(
      "Empty data, or a timeout of 0, deletes the session",
      DELETIONS,
      async (trial: Trial, [before, data, timeout]) => {
        const [id, other] = [trial.newId(), trial.newId()];
        await trial.backend.save(other, { another: "session" }, 60);
        if (before !== undefined) await trial.backend.save(id, before, 60);
        await trial.backend.save(id, data, timeout);
        expect(await trial.load(id), "load() still returns data.").toEqual({});
        expect(await trial.load(other), "save() also deleted another session.").toEqual({
          another: "session",
        });
      },
    ),
  },
};

/** The contract of {@link LoadSaveStore}, which wraps a two-method backend, inside one process. */
export const LOAD_SAVE_STORE: Contract<Trial> = {
  LoadSaveStore: {
    "Inside this process every guarantee holds: every fact of a session is kept": async (trial) => {
      const store = makeStore(trial);
      const id = trial.newId();
      const record = makeRecord(
        {
          flash: '{"notice":"Saved."}',
          version: 7,
          userId: "Ann",
          authenticatedAt: 1_234_567_890_123,
          remember: 86_400,
          label: "Ann's phone",
        },
        trial.clock.now(),
      );
      await store.create(id, record);
      expect(await store.read(id), "The facts under the key `$` come back changed.").toEqual(
        record,
      );
    },

    "also between several stores of one backend object": async (trial) => {
      const stores = [makeStore(trial), makeStore(trial)];
      const id = trial.newId();
      const old = makeRecord({}, trial.clock.now());
      await stores[0]?.create(id, old);
      const record = { ...old, version: 2 };
      const won = await Promise.all(stores.map((store) => store.replace(id, record, old)));
      expect(
        won.filter((one) => one),
        "Of two replace() calls for one version, not exactly one succeeded.",
      ).toHaveLength(1);
    },

    "operations on one session run one after the other": async (trial) => {
      const store = makeStore(trial);
      const id = trial.newId();
      const old = makeRecord({}, trial.clock.now());
      await store.create(id, old);
      const record = { ...old, version: 2 };
      const won = await Promise.all(
        Array.from({ length: 20 }, () => store.replace(id, record, old)),
      );
      expect(
        won.filter((one) => one),
        "Of 20 replace() calls for one version, not exactly one succeeded.",
      ).toHaveLength(1);
    },

    "what was destroyed stays destroyed": async (trial) => {
      const store = makeStore(trial);
      const id = trial.newId();
      const old = makeRecord({}, trial.clock.now());
      await store.create(id, old);
      await Promise.all([
        store.delete(id),
        store.replace(id, { ...old, version: 2 }, old),
        store.touch(id, old.expiresAt),
      ]);
      expect(
        await trial.load(id),
        "The session was not deleted, or a concurrent write restored it.",
      ).toEqual({});
    },

    "forwarding notes are kept in memory": async (trial) => {
      const store = makeStore(trial);
      const [oldId, newId] = [trial.newId(), trial.newId()];
      const old = makeRecord({}, trial.clock.now());
      await store.create(oldId, old);
      await store.rotate(oldId, newId, { ...old, version: 2 }, old);
      expect(
        [await store.read(oldId), await trial.load(oldId)],
        "There is no note under the old id, or the backend still has the session there.",
      ).toEqual([{ supersededBy: newId, expiresAt: expect.any(Number) }, {}]);
    },
  },
};

function makeStore(trial: Trial): LoadSaveStore {
  return new LoadSaveStore(trial.backend, trial.clock.now);
}

/** JSON text with sorted keys, because some databases reorder them. */
function toText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1))
      : part,
  );
}
