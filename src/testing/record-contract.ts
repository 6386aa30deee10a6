import { expect } from "bun:test";

import type { SessionRecord } from "../store/backend.ts";
import type { Check, Contract } from "./contract.ts";
import { eachOf } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import { live, readOne, stored } from "./store-trial.ts";

const LONG_AGO = 1_234_567_890_123;
const FAR_AWAY = 4_234_567_890_123;

/** What a store has to keep of a session. */
export const SESSION_RECORD: Contract<StoreTrial> = {
  SessionRecord: {
    "Times are Unix milliseconds": async (trial) => {
      const times = {
        createdAt: LONG_AGO,
        touchedAt: LONG_AGO + 1,
        expiresAt: FAR_AWAY + 2,
        authenticatedAt: LONG_AGO + 3,
      };
      const { createdAt, touchedAt, expiresAt, authenticatedAt } = await readOne(
        trial,
        await stored(trial, live(trial, { ...times, userId: randomId() })),
      );
      expect(
        { createdAt, touchedAt, expiresAt, authenticatedAt },
        "read() gives other times than were stored.",
      ).toEqual(times);
    },

    "A record is a value: it is never changed": async (trial) => {
      const given = Object.freeze(live(trial));
      const id = await stored(trial, given);
      const found = await readOne(trial, id);
      const before = { ...found };
      await trial.backend.touch(id, given.expiresAt + 1);
      await trial.backend.replace(id, Object.freeze(live(trial, { data: "{}", version: 3 })), 2);
      expect(found, "A later write has changed a record that read() gave.").toEqual(before);
    },
  },

  "SessionRecord.data": keeps("The session's data, as JSON text", "data", {
    "spaces and order as they are": '{"b": 1,"a":[1,2]}',
    "texts of any characters": '{"text":"naïve 🙂 \u2028 \\u0000 \\ud800 \'\\"\\\\"}',
    "32 KiB of it": JSON.stringify({ text: "naïve 🙂 ".repeat(2_729) }),
  }),

  "SessionRecord.flash": {
    ...keeps("Messages left for the next request, as JSON text by name", "flash", {
      "a message": '{"notice":"Saved."}',
    }),
    ...keeps("`null` for none", "flash", { "no message": null }),
  },

  "SessionRecord.version": {
    "Grows by one with every write": async (trial) => {
      const id = await stored(trial);
      const versionOf = async (of: string): Promise<number> => (await readOne(trial, of)).version;
      expect(await versionOf(id), "create() stores another version than it was given.").toBe(1);
      await trial.backend.touch(id, live(trial).expiresAt);
      expect(await versionOf(id), "touch() does not raise the version by one.").toBe(2);
      await trial.backend.replace(id, live(trial, { version: 3 }), 2);
      expect(await versionOf(id), "replace() stores another version than it was given.").toBe(3);
      const newId = trial.newId();
      await trial.backend.rotate(id, newId, live(trial, { version: 4 }), 3);
      expect(await versionOf(newId), "rotate() stores another version than it was given.").toBe(4);
    },

    "Grows by one with every write: with each `save` of many at once": async (trial) => {
      const id = trial.newId();
      await Promise.all([1, 2, 3, 4, 5].map((n) => trial.backend.save(id, { n }, 60)));
      const { version } = await readOne(trial, id);
      expect(version, "At least one save() was lost beside the others.").toBe(5);
    },
  },

  "SessionRecord.createdAt": keeps("When the session began", "createdAt", {
    "long ago": LONG_AGO,
  }),

  "SessionRecord.touchedAt": keeps("When the session's idle timeout last began anew", "touchedAt", {
    "long ago": LONG_AGO,
  }),

  "SessionRecord.expiresAt": {
    ...keeps("When the session ends if nobody uses it again", "expiresAt", {
      "far away": FAR_AWAY,
    }),

    "From that moment on it is absent": async (trial) => {
      const now = trial.clock.now();
      const userId = randomId();
      const id = await stored(trial, live(trial, { userId, expiresAt: now }));
      expect(await trial.load(id), "load() gives it.").toEqual({});
      expect(await trial.backend.list(userId), "list() gives it.").toEqual([]);
      const answers = [
        await trial.backend.replace(id, live(trial, { version: 2 }), 1),
        await trial.backend.touch(id, live(trial).expiresAt),
      ];
      expect(answers, "replace() or touch() takes it for a live one.").toEqual([false, false]);
    },
  },

  "SessionRecord.userId": {
    ...keeps("Whose session it is", "userId", {
      "a name": `Ann ${randomId()}`,
      "a name that looks like SQL": `Ann'; -- ${randomId()}`,
      "a name of any characters": `naïve 🙂:*/%\\ ${randomId()}`,
    }),
    ...keeps("`null` while nobody has logged in", "userId", { nobody: null }),
  },

  "SessionRecord.authenticatedAt": keeps("When the user logged in", "authenticatedAt", {
    "long ago": LONG_AGO,
    never: null,
  }),

  "SessionRecord.remember": keeps(
    "The idle timeout, in seconds, of a session that is to outlive the browser",
    "remember",
    { "a week": 604_800, "a century": 3_155_760_000, none: null },
  ),
};

/** What one field of a record can hold has to come back as it was stored. */
function keeps<Field extends keyof SessionRecord>(
  sentence: string,
  field: Field,
  values: Readonly<Record<string, SessionRecord[Field]>>,
): Record<string, Check<StoreTrial>> {
  return eachOf(sentence, values, async (trial: StoreTrial, value) => {
    const id = await stored(trial, live(trial, { [field]: value }));
    const record = await readOne(trial, id);
    expect(record[field], `read() gives another \`${field}\` than was stored.`).toBe(value);
  });
}
