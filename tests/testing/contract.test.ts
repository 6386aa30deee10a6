import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { LOAD_SAVE_STORE, SESSION_BACKEND } from "../../src/testing/backend-contract.ts";
import { SESSION_STORE } from "../../src/testing/store-contract.ts";
import { docComments, splitSentences } from "./doc-comments.ts";

const STORE = join(import.meta.dir, "../../src/store");

/** What the doc comments say that shows in no call of a backend. */
const SAID_IN_PASSING = new Set([
  "Where sessions are kept: two methods, synchronous or not.",
  "Between processes, two requests that write the same session within the same few milliseconds can still overwrite each other: to prevent that, extend SessionStore.",
  "Makes a store of a two-method backend.",
  "`timeout` is how long, in milliseconds, one call may block others of its session.",
  "Between processes a small window stays open between `load` and `save`; and a `save` that takes effect late overwrites what others have saved since.",
  "A stored session.",
  "Its absolute lifetime counts from here.",
  "Opens nothing: it is a hash of the id.",
  "The built-in backends extend this class, and it is all that Sessions talks to.",
  "Any method may return its result or a promise of it.",
  "The clock: Unix milliseconds.",
  "Reads no session's data.",
  "Reads them one by one by default; override it if the store can read many in one query.",
  "While it stays the same, watched sessions are not read again.",
]);

/** The types whose doc comments are the contract. */
const TYPES = /^(?:Session(?:Data|Backend|Record|Info|Store)|ForwardingNote|LoadSaveStore$)/;

const sources = await Promise.all(
  ["backend.ts", "record.ts", "session-store.ts", "load-save-store.ts"].map((name) =>
    Bun.file(join(STORE, name)).text(),
  ),
);

const docs = sources.flatMap((source) =>
  docComments(source)
    .entries()
    .filter(([name]) => TYPES.test(name))
    .toArray(),
);

const checks = [SESSION_BACKEND, LOAD_SAVE_STORE, SESSION_STORE].flatMap((contract) =>
  Object.entries(contract).map(
    ([subject, sentences]) => [subject, Object.keys(sentences)] as const,
  ),
);

/** The names of the tests of what stands under a name. */
function findTests(subject: string): string[] {
  return checks.filter(([name]) => name === subject).flatMap(([, sentences]) => sentences);
}

/** The beginnings of a test's name that may be words of a doc comment: up to any of its colons. */
function findWords(name: string): string[] {
  const parts = name.split(": ");
  return parts.map((_, index) => parts.slice(0, index + 1).join(": "));
}

describe("testSessionBackend", () => {
  test("reads the doc comments of what it tests", () => {
    expect(docs.length).toBeGreaterThan(30);
    expect(Object.fromEntries(docs)).toMatchObject({
      "ForwardingNote.supersededBy":
        "The id, as the store knows it, that the session was rotated to.",
      LoadSaveStore: expect.stringContaining("Makes a store of a two-method backend."),
      "SessionBackend.load":
        "The session's data. `{}`, `null` and `undefined` all mean that there is no such session.",
      "SessionStore.close":
        "Finishes pending work and releases files and connections. A second call does nothing.",
    });
  });

  test.each(docs)("has a test for every sentence of %s, in its words", (subject, text) => {
    const names = findTests(subject);
    const untested = splitSentences(text)
      .filter(
        (sentence) =>
          !names.some((name) => findWords(name).some((words) => sentence.includes(words))),
      )
      .filter((sentence) => !SAID_IN_PASSING.has(sentence));
    expect(untested).toEqual([]);
  });

  test.each(checks)("has no test of %s that no doc comment announces", (subject, names) => {
    const text = new Map(docs).get(subject) ?? "";
    expect(names.filter((name) => !findWords(name).some((words) => text.includes(words)))).toEqual(
      [],
    );
  });
});
