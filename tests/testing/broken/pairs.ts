import type { SessionBackend, SessionData } from "../../../src/store/backend.ts";
import { LiveObjectBackend, MapBackend } from "../../support/stores/backends.ts";
import type { Broken } from "./broken.ts";
import { latin1, turn } from "./broken.ts";
import { replaced } from "./faulty-store.ts";

export const BROKEN_PAIRS: readonly Broken[] = breakPairs({
  "MicroPie's own backend in memory": {
    red: "SessionBackend > Data is passed by value",
    create: (now) => new LiveObjectBackend(now),
  },
  "load() makes a session where there is none": {
    red: "SessionBackend.load > {}, null and undefined …",
    load: (good) => (id) => good.load(id) ?? { isNew: true },
  },
  "load() takes the data away": {
    red: "SessionBackend.load > The session's data",
    load: (good) => (id) => {
      const data = good.load(id);
      good.save(id, {}, 0);
      return data;
    },
  },
  "a timeout of 0 keeps the session for good": {
    red: "SessionBackend.save > … a timeout of 0",
    save: (good) => (id, data, timeout) => good.save(id, data, timeout || Infinity),
  },
  "empty data is not stored": {
    red: "SessionBackend.save > … empty data | LoadSaveStore > what was destroyed stays destroyed",
    save: (good) => (id, data, timeout) => {
      if (Object.keys(data).length > 0) good.save(id, data, timeout);
    },
  },
  "the timeout is not looked at": {
    red: "SessionBackend.save > Stores the data for timeout seconds",
    save: (good) => (id, data, timeout) => good.save(id, data, timeout && Infinity),
  },
  "the timeout is taken for milliseconds": {
    red: "SessionBackend.save > Stores the data for timeout seconds",
    save: (good) => (id, data, timeout) => good.save(id, data, timeout / 1000),
  },
  "the timeout is taken for milliseconds, on a clock of its own": {
    red: "SessionBackend.save > Stores the data for timeout seconds",
    create: () =>
      breakPair(new MapBackend(), {
        save: (good) => (id, data, timeout) => good.save(id, data, timeout / 1000),
      }),
  },
  "save() merges": {
    red: "SessionBackend.save > replacing what was stored before",
    save: (good) => (id, data, timeout) =>
      good.save(id, Object.keys(data).length === 0 ? {} : { ...good.load(id), ...data }, timeout),
  },
  "save() stores only the first time": {
    red: "SessionBackend.save > replacing what was stored before",
    save: (good) => (id, data, timeout) => {
      if (timeout === 0 || Object.keys(data).length === 0 || good.load(id) === undefined)
        good.save(id, data, timeout);
    },
  },
  "texts are cut off after 4 KiB": {
    red: "SessionData > … 32 KiB, the most that is stored by default",
    texts: (text) => (text.length > 4096 ? "{}" : text),
  },
  "texts are stored as Latin-1": {
    red: "SessionData > … texts",
    texts: latin1,
  },
  "characters that do not print are left out": {
    red: "SessionData > … texts",
    texts: (text) => text.replaceAll(/\\u00../g, ""),
  },
  "`null` is left out": {
    red: "SessionData > … null, true and false",
    texts: (text) => without(text, (value) => value === null),
  },
  "what is empty is left out": {
    red: "SessionData > … lists and dictionaries in each other, empty ones too",
    texts: (text) => without(text, isEmpty),
  },
  "numbers have seven digits": {
    red: "SessionData > … numbers | LoadSaveStore > … every fact of a session is kept",
    texts: (text) => changed(text, rounded),
  },
  "`__proto__` is a prototype": {
    red: "SessionData > … keys that every object has",
    keys: (target, key, value) => Reflect.set(target, key, value),
  },
  "a dot in a key is a way into the data": {
    red: "SessionData > … keys of any characters",
    keys: (target, key, value) => {
      const [first = "", ...rest] = key.split(".");
      target[first] = rest.length > 0 ? { [rest.join(".")]: value } : value;
    },
  },
  "keys that begin with `$` are refused": {
    red: "SessionData > … in which the session's own facts travel | LoadSaveStore > operations on one session run one after the other | LoadSaveStore > forwarding notes are kept in memory",
    keys: (target, key, value) => {
      if (!key.startsWith("$"))
        Object.defineProperty(target, key, { value, enumerable: true, writable: true });
    },
  },
  "ids that differ in their case are one": {
    red: "SessionBackend > sessionId is the SHA-256 …",
    make: (good) => ({
      load: (id) => good.load(id.toLowerCase()),
      save: (id, data, timeout) => good.save(id.toLowerCase(), data, timeout),
    }),
  },
  "sessions that are saved at once are mixed up": {
    red: "SessionBackend > safe inside one process: …",
    make: (good) => {
      let current = "";
      return {
        async save(id, data, timeout) {
          current = id;
          await turn();
          good.save(current, data, timeout);
        },
      };
    },
  },
  "all sessions are one": {
    red: "SessionBackend > safe inside one process: …",
    make: (good) => ({
      load: () => good.load("all"),
      save: (_, data, timeout) => good.save("all", data, timeout),
    }),
  },
});

/** One fault: single methods, what `make` returns for several, or one of the usual kinds. */
interface PairFault {
  readonly red: Broken["red"];
  /** Makes the whole backend. */
  readonly create?: (now: () => number) => SessionBackend;
  readonly make?: (good: MapBackend) => Partial<SessionBackend>;
  readonly load?: (good: MapBackend) => SessionBackend["load"];
  readonly save?: (good: MapBackend) => SessionBackend["save"];
  /** Changes the JSON text on its way in. */
  readonly texts?: (text: string) => string;
  /** Copies data key by key, in a way of its own. */
  readonly keys?: (target: SessionData, key: string, value: unknown) => void;
}

/** Good backends of two methods, each with one fault, by what is wrong. */
function breakPairs(faults: Readonly<Record<string, PairFault>>): Broken[] {
  return Object.entries(faults).map(([fault, { red, create, ...how }]) => ({
    fault,
    red,
    create: create ?? ((now) => breakPair(new MapBackend(now), how)),
  }));
}

function breakPair(
  good: MapBackend,
  { make, texts, keys, ...methods }: Omit<PairFault, "red">,
): SessionBackend {
  return {
    load(id) {
      const data = good.load(id);
      if (keys === undefined) return data;
      const copy: SessionData = {};
      for (const [key, value] of Object.entries(data ?? {})) keys(copy, key, value);
      return copy;
    },
    save(id, data, timeout) {
      const text = JSON.stringify(data);
      good.save(id, JSON.parse(texts?.(text) ?? text) as SessionData, timeout);
    },
    ...replaced(good, methods),
    ...make?.(good),
  };
}

function without(text: string, isLeftOut: (value: unknown) => boolean): string {
  return changed(text, (value) => (isLeftOut(value) ? undefined : value));
}

function changed(text: string, change: (value: unknown) => unknown): string {
  const copy: unknown = JSON.parse(text, (key, value: unknown) =>
    key === "" ? value : change(value),
  );
  return JSON.stringify(copy);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function rounded(value: unknown): unknown {
  return typeof value === "number" ? Math.fround(value) : value;
}
