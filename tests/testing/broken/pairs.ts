import type { SessionBackend, SessionData } from "../../../src/store/backend.ts";
import { LiveObjectBackend, MapBackend } from "../../support/stores/backends.ts";
import type { Broken } from "./broken.ts";
import { DELETES, IDS, KEEPS, latin1, turn, VALUES } from "./broken.ts";

export const BROKEN_PAIRS: readonly Broken[] = [
  {
    fault: "MicroPie's own backend in memory",
    create: (now) => new LiveObjectBackend(now),
    red: [
      "SessionBackend > Data is handed over as a value",
      KEEPS,
      `${DELETES}: a timeout of 0`,
      `${DELETES}: a timeout of 0, for one that was never there`,
    ],
  },
  pair(
    "save() keeps the very object that it was given",
    () => {
      const objects = new Map<string, SessionData>();
      return {
        load: (id) => structuredClone(objects.get(id)),
        save: (id, data, timeout) => objects.set(id, timeout === 0 ? {} : data),
      };
    },
    ["SessionBackend > Data is handed over as a value: what was saved can be changed", KEEPS],
  ),
  pair(
    "load() returns the very object that is kept",
    (good) => {
      const objects = new Map<string, SessionData>();
      return {
        load: (id) => good.load(id) && objects.get(id),
        save(id, data, timeout) {
          objects.set(id, structuredClone(data));
          good.save(id, data, timeout);
        },
      };
    },
    ["SessionBackend > Data is handed over as a value: what was loaded can be changed"],
  ),
  pair(
    "load() makes a session where there is none",
    (good) => ({ load: (id) => good.load(id) ?? { isNew: true } }),
    [
      IDS,
      "SessionBackend.load > `{}`, `null` and `undefined` all mean that there is no such session",
      KEEPS,
      DELETES,
      "LoadSaveStore > it gives every guarantee: every fact of a session is kept",
      "LoadSaveStore > what is done to one session is done one after the other",
      "LoadSaveStore > what was destroyed stays destroyed",
      "LoadSaveStore > forwarding notes are kept, in memory",
    ],
  ),
  pair(
    "load() takes the data away",
    (good) => ({
      load(id) {
        const data = good.load(id);
        good.save(id, {}, 0);
        return data;
      },
    }),
    [
      "SessionBackend > Data is handed over as a value: what was loaded can be changed",
      "SessionBackend.load > The session's data",
    ],
  ),
  pair(
    "a timeout of 0 keeps the session for good",
    (good) => ({ save: (id, data, timeout) => good.save(id, data, timeout || Infinity) }),
    [`${DELETES}: a timeout of 0`, `${DELETES}: a timeout of 0, for one that was never there`],
  ),
  pair(
    "empty data is not stored",
    (good) => ({
      save(id, data, timeout) {
        if (Object.keys(data).length > 0) good.save(id, data, timeout);
      },
    }),
    [
      `${DELETES}: empty data`,
      "LoadSaveStore > what was destroyed stays destroyed",
      "LoadSaveStore > forwarding notes are kept, in memory",
    ],
  ),
  pair(
    "the timeout is not looked at",
    (good) => ({ save: (id, data, timeout) => good.save(id, data, timeout && Infinity) }),
    [KEEPS],
  ),
  pair(
    "the timeout is taken for milliseconds",
    (good) => ({ save: (id, data, timeout) => good.save(id, data, timeout / 1000) }),
    [KEEPS],
  ),
  {
    fault: "the timeout is taken for milliseconds, on a clock of its own",
    create: () =>
      pairOn(new MapBackend(), (good) => ({
        save: (id, data, timeout) => good.save(id, data, timeout / 1000),
      })),
    red: [KEEPS],
    isBrief: true,
  },
  pair(
    "the first timeout holds for good",
    (good) => {
      const timeouts = new Map<string, number>();
      return {
        save(id, data, timeout) {
          const first = timeouts.get(id) ?? timeout;
          timeouts.set(id, first);
          good.save(id, data, timeout && first);
        },
      };
    },
    [KEEPS],
  ),
  pair(
    "save() merges",
    (good) => ({
      save: (id, data, timeout) =>
        good.save(id, Object.keys(data).length === 0 ? {} : { ...good.load(id), ...data }, timeout),
    }),
    ["SessionBackend.save > in place of what was kept before"],
  ),
  pair(
    "save() stores only the first time",
    (good) => ({
      save(id, data, timeout) {
        if (timeout === 0 || Object.keys(data).length === 0 || good.load(id) === undefined)
          good.save(id, data, timeout);
      },
    }),
    [
      KEEPS,
      "SessionBackend.save > in place of what was kept before",
      "LoadSaveStore > what is done to one session is done one after the other",
    ],
  ),
  texts("texts are cut off after 4 KiB", (text) => (text.length > 4096 ? "{}" : text), [
    `${VALUES}: 32 KiB, the most that is stored by default`,
  ]),
  texts("texts are stored as Latin-1", latin1, [
    `${VALUES}: texts`,
    `${VALUES}: keys of any characters`,
    `${VALUES}: 32 KiB, the most that is stored by default`,
  ]),
  texts("characters that do not print are left out", (text) => text.replaceAll(/\\u00../g, ""), [
    `${VALUES}: texts`,
    `${VALUES}: keys of any characters`,
  ]),
  texts("`null` is left out", (text) => without(text, (value) => value === null), [
    `${VALUES}: \`null\`, \`true\` and \`false\``,
    `${VALUES}: the key \`$\`, in which the session's own facts travel`,
  ]),
  texts("what is empty is left out", (text) => without(text, isEmpty), [
    `${VALUES}: lists and dictionaries in each other, empty ones too`,
  ]),
  texts("numbers have seven digits", (text) => changed(text, rounded), [
    `${VALUES}: numbers`,
    "LoadSaveStore > it gives every guarantee: every fact of a session is kept",
  ]),
  keys("`__proto__` is a prototype", (target, key, value) => Reflect.set(target, key, value), [
    `${VALUES}: keys that every object has`,
  ]),
  keys(
    "a dot in a key is a way into the data",
    (target, key, value) => {
      const [first = "", ...rest] = key.split(".");
      target[first] = rest.length > 0 ? { [rest.join(".")]: value } : value;
    },
    [`${VALUES}: keys of any characters`, `${VALUES}: keys that every object has`],
  ),
  keys(
    "keys that begin with `$` are refused",
    (target, key, value) => {
      if (!key.startsWith("$"))
        Object.defineProperty(target, key, { value, enumerable: true, writable: true });
    },
    [
      `${VALUES}: the key \`$\`, in which the session's own facts travel`,
      "LoadSaveStore > it gives every guarantee: every fact of a session is kept",
      "LoadSaveStore > what is done to one session is done one after the other",
      "LoadSaveStore > forwarding notes are kept, in memory",
    ],
  ),
  pair(
    "ids that differ in their case are one",
    (good) => ({
      load: (id) => good.load(id.toLowerCase()),
      save: (id, data, timeout) => good.save(id.toLowerCase(), data, timeout),
    }),
    [IDS],
  ),
  pair(
    "sessions that are saved at once are mixed up",
    (good) => {
      let current = "";
      return {
        async save(id, data, timeout) {
          current = id;
          await turn();
          good.save(current, data, timeout);
        },
      };
    },
    ["SessionBackend > safe inside one process: many sessions at once are kept apart"],
  ),
  pair(
    "all sessions are one",
    (good) => ({
      load: () => good.load("all"),
      save: (_, data, timeout) => good.save("all", data, timeout),
    }),
    [
      IDS,
      "SessionBackend > safe inside one process: many sessions at once are kept apart",
      "SessionBackend.load > The session's data",
      DELETES,
      "LoadSaveStore > forwarding notes are kept, in memory",
    ],
  ),
];

/** A good backend of two methods with others in their place. */
function pair(
  fault: string,
  make: (good: MapBackend) => Partial<SessionBackend>,
  red: readonly string[],
): Broken {
  return { fault, create: (now) => pairOn(new MapBackend(now), make), red };
}

function pairOn(
  good: MapBackend,
  make: (good: MapBackend) => Partial<SessionBackend>,
): SessionBackend {
  return {
    load: (id) => good.load(id),
    save: (id, data, timeout) => good.save(id, data, timeout),
    ...make(good),
  };
}

/** One that changes the JSON text on its way in. */
function texts(fault: string, change: (text: string) => string, red: readonly string[]): Broken {
  return pair(
    fault,
    (good) => ({
      save: (id, data, timeout) =>
        good.save(id, JSON.parse(change(JSON.stringify(data))) as SessionData, timeout),
    }),
    red,
  );
}

/** One that copies data key by key, in a way of its own. */
function keys(
  fault: string,
  put: (target: SessionData, key: string, value: unknown) => void,
  red: readonly string[],
): Broken {
  return pair(
    fault,
    (good) => ({
      load(id) {
        const copy: SessionData = {};
        for (const [key, value] of Object.entries(good.load(id) ?? {})) put(copy, key, value);
        return copy;
      },
    }),
    red,
  );
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
