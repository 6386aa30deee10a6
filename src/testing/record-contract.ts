import { expect } from "bun:test";

import type { SessionRecord } from "../store/record.ts";
import type { Check, Contract } from "./contract.ts";
import { checkEach } from "./contract.ts";
import { randomId } from "./records.ts";
import type { StoreTrial } from "./store-trial.ts";
import { listIds, makeLive, readOne, storeRecord } from "./store-trial.ts";

const LONG_AGO = 1_234_567_890_123;
const FAR_AWAY = 4_234_567_890_123;

/** The contract for the fields of a record. */
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
        await storeRecord(trial, makeLive(trial, { ...times, userId: randomId() })),
      );
      expect(
        { createdAt, touchedAt, expiresAt, authenticatedAt },
        "read() does not return the stored times.",
      ).toEqual(times);
    },

    "A record is a value: it is never changed": async (trial) => {
      const given = Object.freeze(makeLive(trial));
      const id = await storeRecord(trial, given);
      const found = await readOne(trial, id);
      const before = { ...found };
      await trial.backend.touch(id, given.expiresAt + 1);
      const touched = Object.freeze(await readOne(trial, id));
      await trial.backend.replace(
        id,
        Object.freeze({ ...touched, data: "{}", version: 3 }),
        touched,
      );
      expect(found, "A later write has changed a record that read() returned.").toEqual(before);
    },
  },

  "SessionRecord.data": checkKept("The session's data, as JSON text", "data", {
    "spaces and order as they are": '{"b": 1,"a":[1,2]}',
    "texts of any characters": '{"text":"naïve 🙂 \u2028 \\u0000 \\ud800 \'\\"\\\\"}',
    "32 KiB of it": JSON.stringify({ text: "naïve 🙂 ".repeat(2_729) }),
  }),

  "SessionRecord.flash": {
    ...checkKept("Messages left for the next request, as JSON text by name", "flash", {
      "a message": '{"notice":"Saved."}',
    }),
    ...checkKept("`null` for none", "flash", { "no message": null }),
  },

  "SessionRecord.version": {
    "Increases by one with every write": async (trial) => {
      const [id, newId] = [await storeRecord(trial), trial.newId()];
      const created = await readOne(trial, id);
      expect(created.version, "create() does not store the given version.").toBe(1);
      await trial.backend.touch(id, makeLive(trial).expiresAt);
      const touched = await readOne(trial, id);
      expect(touched.version, "touch() does not raise the version by one.").toBe(2);
      await trial.backend.replace(id, { ...touched, version: 3 }, touched);
      const replaced = await readOne(trial, id);
      expect(replaced.version, "replace() does not store the given version.").toBe(3);
      await trial.backend.rotate(id, newId, { ...replaced, version: 4 }, replaced);
      const rotated = await readOne(trial, newId);
      expect(rotated.version, "rotate() does not store the given version.").toBe(4);
    },

    "Increases by one with every write: with each `save` of many at once": async (trial) => {
      const id = trial.newId();
      await Promise.all([1, 2, 3, 4, 5].map((n) => trial.backend.save(id, { n }, 60)));
      const { version } = await readOne(trial, id);
      expect(version, "At least one of the concurrent save() calls was lost.").toBe(5);
    },
  },

  "SessionRecord.createdAt": checkKept("When the session began", "createdAt", {
    "long ago": LONG_AGO,
  }),

  "SessionRecord.touchedAt": checkKept(
    "When the session's idle timeout was last restarted",
    "touchedAt",
    { "long ago": LONG_AGO },
  ),

  "SessionRecord.expiresAt": {
    ...checkKept("When the session expires if nobody uses it again", "expiresAt", {
      "far away": FAR_AWAY,
    }),

    "From that moment on it is absent": async (trial) => {
      const now = trial.clock.now();
      const userId = randomId();
      const old = makeLive(trial, { userId, expiresAt: now });
      const id = await storeRecord(trial, old);
      expect(await trial.load(id), "load() returns the data of an expired session.").toEqual({});
      expect(await listIds(trial, userId), "list() returns an expired session.").toEqual([]);
      const answers = [
        await trial.backend.replace(id, makeLive(trial, { version: 2 }), old),
        await trial.backend.touch(id, makeLive(trial).expiresAt),
      ];
      expect(answers, "replace() or touch() treats an expired session as live.").toEqual([
        false,
        false,
      ]);
    },
  },

  "SessionRecord.userId": {
    ...checkKept("Whose session it is", "userId", {
      "a name": `Ann ${randomId()}`,
      "a name that looks like SQL": `Ann'; -- ${randomId()}`,
      "a name of any characters": `naïve 🙂:*/%\\ ${randomId()}`,
    }),
    ...checkKept("`null` while nobody has logged in", "userId", { nobody: null }),
    ...checkKept("At most 320 characters", "userId", {
      "320 of them": randomId().padEnd(320, "naïve漢"),
    }),
  },

  "SessionRecord.authenticatedAt": checkKept("When the user logged in", "authenticatedAt", {
    "long ago": LONG_AGO,
    never: null,
  }),

  "SessionRecord.remember": checkKept(
    "The idle timeout, in seconds, of a session that is to outlive the browser",
    "remember",
    { "a week": 604_800, "a century": 3_155_760_000, none: null },
  ),

  "SessionRecord.label": {
    ...checkKept("What the app calls the session in a user's list", "label", {
      "a device": "Firefox on Linux",
      "any characters": 'Ann\'s naïve 🙂 "phone"; -- %\\',
      "no name": null,
    }),
    ...checkKept("at most 255 characters", "label", {
      "255 of them": "naïve 漢 ".repeat(32).slice(0, 255),
    }),
  },
};

/** Checks that a field's values come back as they were stored. */
function checkKept<Field extends keyof SessionRecord>(
  sentence: string,
  field: Field,
  values: Readonly<Record<string, SessionRecord[Field]>>,
): Record<string, Check<StoreTrial>> {
  return checkEach(sentence, values, async (trial: StoreTrial, value) => {
    const id = await storeRecord(trial, makeLive(trial, { [field]: value }));
    const record = await readOne(trial, id);
    expect(record[field], `read() does not return the stored \`${field}\`.`).toBe(value);
  });
}
