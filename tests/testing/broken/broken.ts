import type { SessionBackend } from "../../../src/store/backend.ts";

/** A backend with one fault, and the tests that have to tell of it. */
export interface Broken {
  /** What is wrong with it. */
  readonly fault: string;
  readonly create: (now: () => number) => SessionBackend;
  /**
   * The tests that fail, and no others: what a sentence is written on, and the sentence. One that is
   * no test's name stands for all those that it is the beginning of.
   */
  readonly red: readonly string[];
  /** On a busy machine other tests fail too: its sessions are gone before they have looked. */
  readonly isBrief?: boolean;
}

/** What tells most often, without the backticks. */
const NAMES: Readonly<Record<string, string>> = {
  ATOMIC: "SessionStore > every write is atomic, across all processes that share it",
  NEVER:
    "SessionStore > A method that cannot do its work throws or rejects; it never answers as if there were no session",
  CLOCK: "SessionStore > Takes the clock that decides what has expired",
  MOMENT: "SessionRecord.expiresAt > From that moment on it is absent",
  NEVER_THEIRS: "SessionStore.deleteAll > never exceptId",
  IDS_REMOVED: "SessionStore.deleteAll > Returns the ids of the sessions that it removed",
  NOT_CREATED:
    "SessionStore.create > false: a live record or note has this id, and stays as it was",
  REPLACED: "SessionStore.replace > Replaces old",
  NOT_REPLACED:
    "SessionStore.replace > false: old is gone, has expired or has another version, and nothing was changed",
  CHANGED: "SessionStore.replace > A store need not write fields that equal those of old: unlike",
  NOTE: "ForwardingNote > A note opens nothing and is not a session",
  NOTE_LEFT: "SessionStore.rotate > leaves a forwarding note there for 30 seconds",
  ONE_STEP:
    "SessionStore.rotate > Atomically: a concurrent read finds the record, or the note and where it leads",
  NOTE_NAMES: "ForwardingNote > it names the session that has taken its place",
  NOTE_ID:
    "ForwardingNote.supersededBy > The id, as the store knows it, that the session was rotated to",
  NOTE_EXPIRES:
    "ForwardingNote.expiresAt > When the note expires, in Unix milliseconds: NOTE_LIFETIME after the rotation",
  NOTE_READ: "SessionStore.read > the forwarding note that rotate has left in its place",
  NO_SUCCESSOR: "SessionStore.delete > otherwise returns undefined",
  LABEL: "SessionRecord.label > What the app calls the session in a user's list",
  LONG_LABEL: "SessionRecord.label > at most 255 characters: 255 of them",
  NOTE_DELETED:
    "SessionStore.delete > If a forwarding note is there, removes it and returns the id that it names",
  NOT_MISSED:
    "SessionStore.delete > It never misses a session that a rotate moves at the same time",
  NO_ERROR: "SessionStore.delete > a missing record is no error",
  INFO: "SessionInfo > One of a user's sessions, as list returns it",
  LIMITED: "SessionStore.list > at most limit of them",
  ORDER: "SessionStore.list > the most recently touched first",
  DELETES_ALL: "SessionStore.deleteAll > Removes at most limit of the user's sessions",
  NONE_LEFT: "SessionStore.deleteAll > none only if none was left",
  NOT_ROTATED:
    "SessionStore.rotate > false: old is gone, has expired or has another version, or the new id is taken, and nothing was changed",
  NOT_TOUCHED: "SessionStore.touch > false: the record is gone or has expired",
  LISTED: "SessionStore.list > The user's live sessions",
  LEFT: "SessionStore.sweep > Leaves those that expired after before",
  SWEPT: "SessionStore.sweep > Removes at most limit expired records and notes",
  STORE_SAVES:
    "SessionStore.save > Stores the data for timeout seconds, whatever was stored before",
  SAVES:
    "SessionRecord.version > Increases by one with every write: with each save of many at once",
  VALUES: "SessionData > values that survive a JSON round trip",
  IDS: "SessionBackend > sessionId is the SHA-256 of the id in the cookie: two that differ in the case of a letter are two",
  KEEPS: "SessionBackend.save > Stores the data for timeout seconds",
  DELETES: "SessionBackend.save > Empty data, or a timeout of 0, deletes the session",
  REMEMBER:
    "SessionRecord.remember > The idle timeout, in seconds, of a session that is to outlive the browser",
  ROTATED_WHOLE:
    "SessionStore.rotate > puts the record under a new id: with every fact that has changed",
  AFTER_WRITES: "ORDER: after a touch, a replace and a rotate",
  NOTE_SWEPT: "SWEPT: a note like any record",
  ONE_CREATES: "ATOMIC: of many that create one id, one succeeds",
  ONE_REPLACES: "ATOMIC: of many that replace one version, one succeeds",
  ONE_REPLACES_OR_ROTATES: "ATOMIC: of many that replace and rotate one version, one succeeds",
  ONE_ROTATES: "ATOMIC: of many that rotate one version, one succeeds",
  ONE_TAKES: "ATOMIC: of many that rotate to one id, one succeeds",
  IN_PLACE: "SessionBackend.save > replacing what was stored before",
  TIMES: "SessionStore.readTimes > The times of the live sessions among these, by their ids",
  NOT_LIVE: "TIMES: of none that is not live",
  TOLD: "SessionStore.watchEnds > Calls listener with the ids of sessions that delete, deleteAll and rotate have ended, in this store and in every other that shares them",
  UNTOLD: "SessionStore.watchEnds > Returns a function that stops the calls",
  WRITTEN:
    "SessionStore.foreignWrites > A number that changes when another store that shares the sessions has written",
};

/** The names in a text, which have a `|` between them. One of {@link NAMES} may be its beginning. */
export function toNames(text: string): string[] {
  return text.split("|").map((name) => toName(name.trim().replaceAll(/\s+/g, " ")));
}

function toName(name: string): string {
  const [, key, rest = ""] = /^([A-Z_]+)((?:[:,].*)?)$/.exec(name) ?? [];
  if (key === undefined) return name;
  const beginning = NAMES[key];
  if (beginning === undefined) throw new Error(`There is no name ${key}.`);
  return toName(beginning) + rest;
}

export function latin1(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
