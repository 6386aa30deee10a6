import type { SessionData } from "../../../src/store/backend.ts";
import { KeyedQueue } from "../../../src/store/keyed-queue.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { isNote, NEW_RECORD } from "../../../src/store/record.ts";
import { MapBackend } from "../../support/stores/backends.ts";
import type { Row } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import {
  AFTER_WRITES,
  ATOMIC,
  CHANGED,
  CLOCK,
  DELETES,
  DELETES_ALL,
  IDS,
  IDS_REMOVED,
  KEEPS,
  LABEL,
  latin1,
  LEFT,
  LIMITED,
  LISTED,
  LONG_LABEL,
  MOMENT,
  NEVER,
  NEVER_THEIRS,
  NO_ERROR,
  NO_SUCCESSOR,
  NONE_LEFT,
  NOT_CREATED,
  NOT_MISSED,
  NOT_REPLACED,
  NOT_ROTATED,
  NOT_TOUCHED,
  NOTE,
  NOTE_DELETED,
  NOTE_EXPIRES,
  NOTE_ID,
  NOTE_LEFT,
  NOTE_NAMES,
  NOTE_READ,
  NOTE_SWEPT,
  ONE_STEP,
  ORDER,
  REMEMBER,
  REPLACED,
  ROTATED_WHOLE,
  SAVES,
  STORE_SAVES,
  SWEPT,
  turn,
  VALUES,
} from "./broken.ts";
import { nothing, sharing, store, storing, toData, toSecond, touching } from "./faulty-store.ts";
import { BROKEN_LISTS } from "./lists.ts";
import { BROKEN_NOTES } from "./notes.ts";

/** Stores, each with one fault. */
export const BROKEN_STORES: readonly Broken[] = [
  store(
    "create() takes over a session that is there",
    (good) => ({ create: (id, record) => good.put(id, record) }),
    [SAVES, `${ATOMIC}: of many that create one id, one succeeds`, NOT_CREATED, NOTE_LEFT],
  ),
  store(
    "create() says that the id is taken, and stores all the same",
    (good) => ({
      create(id, record) {
        const isFree = good.findLive(id) === undefined;
        return good.put(id, record) && isFree;
      },
    }),
    [`${ATOMIC}: of many that create one id, one succeeds`, NOT_CREATED, NOTE_LEFT],
  ),
  store(
    "create() refuses the id of a session that has expired",
    (good) => ({ create: (id, record) => !good.rows.has(id) && good.put(id, record) }),
    [
      "SessionStore.create > Inserts: under the id of one that has expired",
      `${STORE_SAVES}: it has expired`,
    ],
  ),
  store(
    "create() looks first, and stores later",
    (good) => ({
      async create(id, record) {
        const isFree = good.findLive(id) === undefined;
        await turn();
        return isFree && good.put(id, record);
      },
    }),
    [
      SAVES,
      `${ATOMIC}: of many that create one id, one succeeds`,
      `${NOT_CREATED}: a note`,
      NOTE_LEFT,
    ],
  ),
  store(
    "create() never takes an id that was deleted",
    (good) => {
      const deleted = new Set<string>();
      return {
        create: (id, record) => !deleted.has(id) && good.create(id, record),
        delete(id) {
          deleted.add(id);
          return good.delete(id);
        },
      };
    },
    [
      "SessionStore.create > Inserts: under the id of one that was deleted",
      `${STORE_SAVES}: it was deleted`,
      `${STORE_SAVES}: it was rotated`,
    ],
  ),

  store(
    "replace() takes no notice of the version",
    (good) => ({
      replace: (id, record) => good.findLive(id) !== undefined && good.put(id, record),
    }),
    [
      SAVES,
      `${ATOMIC}: of many that replace one version, one succeeds`,
      `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
      `${NOT_REPLACED}: it has a later version`,
      `${NOT_REPLACED}: it has an earlier version`,
    ],
  ),
  store(
    "replace() takes an earlier version for the one that was named",
    (good) => ({
      replace: (id, record, old) =>
        (good.findLive(id)?.version ?? Infinity) <= old.version && good.put(id, record),
    }),
    [`${NOT_REPLACED}: it has an earlier version`],
  ),
  store(
    "replace() brings a deleted session back",
    (good) => ({
      replace: (id, record, old) =>
        good.rows.has(id) ? good.replace(id, record, old) : good.put(id, record),
    }),
    [
      `${ATOMIC}: a delete is not undone by a replace beside it`,
      `${NOT_REPLACED}: it was never there`,
      `${NOT_REPLACED}: it was deleted`,
    ],
  ),
  store(
    "replace() revives a session that has expired",
    (good) => ({
      replace: (id, record, old) =>
        good.findRecord(id)?.version === old.version && good.put(id, record),
    }),
    [MOMENT, CLOCK, `${NOT_REPLACED}: it has expired`],
  ),
  store(
    "replace() says no, and stores all the same",
    (good) => ({
      replace(id, record, old) {
        const there = good.findLive(id);
        if (there !== undefined) good.put(id, record);
        return there?.version === old.version;
      },
    }),
    [
      `${ATOMIC}: of many that replace one version, one succeeds`,
      `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
      `${NOT_REPLACED}: it has a later version`,
      `${NOT_REPLACED}: it has an earlier version`,
    ],
  ),
  store(
    "replace() looks first, and stores later",
    (good) => ({
      async replace(id, record, old) {
        const isThere = good.findLive(id)?.version === old.version;
        await turn();
        return isThere && good.put(id, record);
      },
    }),
    [
      SAVES,
      `${ATOMIC}: of many that replace one version, one succeeds`,
      `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
      `${ATOMIC}: a delete is not undone by a replace beside it`,
    ],
  ),
  store(
    "replace() leaves whose session it is",
    (good) => ({
      replace: (id, record, old) =>
        good.replace(id, { ...record, userId: good.findRecord(id)?.userId ?? null }, old),
    }),
    [
      `${LISTED}: after another user has logged in`,
      `${REPLACED}: a new user`,
      `${CHANGED}: \`userId\``,
    ],
  ),
  store(
    "replace() leaves when the session ends",
    (good) => ({
      replace(id, record, old) {
        const { expiresAt } = good.findRecord(id) ?? record;
        return good.replace(id, { ...record, expiresAt }, old);
      },
    }),
    [
      KEEPS,
      `${REPLACED}: new times`,
      `${SWEPT}: those whose end has come closer too`,
      `${STORE_SAVES}: it is there, a user's`,
      `${CHANGED}: \`expiresAt\``,
    ],
  ),

  leaving("data", [
    "SessionBackend.save > in place of what was kept before",
    `${ATOMIC}: of many that replace one version, one succeeds`,
    `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
    "SessionStore.read > The record: as it was written last",
    `${CHANGED}: \`data\``,
    `${REPLACED}: new data`,
    `${STORE_SAVES}: it is there, a user's`,
  ]),
  leaving("flash", [`${CHANGED}: \`flash\``, `${REPLACED}: new data`]),
  leaving("createdAt", [`${CHANGED}: \`createdAt\``, `${REPLACED}: new times`]),
  leaving("touchedAt", [`${CHANGED}: \`touchedAt\``, `${REPLACED}: new times`, AFTER_WRITES]),
  leaving("authenticatedAt", [`${CHANGED}: \`authenticatedAt\``, `${REPLACED}: a new user`]),
  leaving("remember", [`${CHANGED}: \`remember\``, `${REPLACED}: a new user`]),
  leaving("label", [`${CHANGED}: \`label\``, `${REPLACED}: a new user`]),

  store(
    "rotate() leaves the old id",
    (good) => ({
      rotate: (oldId, newId, record, old) =>
        good.findLive(oldId)?.version === old.version && good.create(newId, record),
    }),
    [
      `${ATOMIC}: of many that rotate one version, one succeeds`,
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${LISTED}: after a rotate`,
      "SessionStore.rotate > removes `old` from its own",
      "ForwardingNote > What `rotate` leaves under an old id",
      NOTE_NAMES,
      NOTE_EXPIRES,
      NOTE_ID,
      NOT_MISSED,
      NOTE_DELETED,
      NO_SUCCESSOR,
      AFTER_WRITES,
      NOTE_READ,
      `${NOTE_LEFT}: and no longer`,
      NOTE_SWEPT,
      NOTE,
    ],
  ),
  store(
    "rotate() is two steps",
    (good) => ({
      async rotate(oldId, newId, record, old) {
        const isThere = good.findLive(oldId)?.version === old.version;
        if (!isThere || !good.create(newId, record)) return false;
        await turn();
        return good.leaveNote(oldId, newId);
      },
    }),
    [`${ATOMIC}: of many that rotate one version, one succeeds`, NOT_MISSED],
  ),
  store(
    "rotate() takes no notice of the version",
    (good) => ({
      rotate: (oldId, newId, record) =>
        good.rotate(oldId, newId, record, good.findLive(oldId) ?? record),
    }),
    [
      `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
      `${NOT_ROTATED}: it has a later version`,
      `${NOT_ROTATED}: it has an earlier version`,
    ],
  ),
  store(
    "rotate() takes over the id of another session",
    (good) => ({
      rotate(oldId, newId, record, old) {
        if (oldId === newId || good.findLive(oldId)?.version !== old.version) return false;
        return good.leaveNote(oldId, newId) && good.put(newId, record);
      },
    }),
    [
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${NOT_ROTATED}: the new id is another's`,
      `${NOT_ROTATED}: the new id is a note's`,
    ],
  ),
  store(
    "rotate() to its own id removes the session",
    (good) => ({
      rotate(oldId, newId, record, old) {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId === newId) good.delete(oldId);
        return isRotated;
      },
    }),
    [`${NOT_ROTATED}: the new id is its own`],
  ),
  store(
    "rotate() removes the old session even where the new id is taken",
    (good) => ({
      rotate(oldId, newId, record, old) {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId !== newId && good.findLive(oldId)?.version === old.version) good.delete(oldId);
        return isRotated;
      },
    }),
    [
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${NOT_ROTATED}: the new id is another's`,
      `${NOT_ROTATED}: the new id is a note's`,
    ],
  ),
  store(
    "rotate() makes a session where there is none",
    (good) => ({
      rotate: (oldId, newId, record, old) =>
        good.rows.has(oldId) ? good.rotate(oldId, newId, record, old) : good.create(newId, record),
    }),
    [`${NOT_ROTATED}: it was never there`, `${NOT_ROTATED}: it was deleted`, NOT_MISSED],
  ),
  store(
    "rotate() revives a session that has expired",
    (good) => ({
      rotate(oldId, newId, record, old) {
        const isThere = good.findRecord(oldId)?.version === old.version;
        return isThere && good.create(newId, record) && good.leaveNote(oldId, newId);
      },
    }),
    [`${NOT_ROTATED}: it has expired`],
  ),
  store(
    "rotate() refuses the id of a session that has expired",
    (good) => ({
      rotate: (oldId, newId, record, old) =>
        !good.rows.has(newId) && good.rotate(oldId, newId, record, old),
    }),
    ["SessionStore.rotate > Puts the record under a new id: that of one that has expired"],
  ),

  store(
    "touch() makes a session where there is none",
    (good) => ({
      touch(id, expiresAt) {
        if (good.rows.has(id)) return good.touch(id, expiresAt);
        const now = good.clock(),
          times = { createdAt: now, touchedAt: now, expiresAt };
        return good.put(id, { ...NEW_RECORD, ...times, data: "{}" });
      },
    }),
    [
      `${ATOMIC}: a delete is not undone by a touch beside it`,
      `${NOT_TOUCHED}: it was never there`,
      `${NOT_TOUCHED}: it was deleted`,
    ],
  ),
  touching("touch() leaves the version", ({ version }) => ({ version }), [
    "SessionRecord.version > Grows by one with every write",
    `${ATOMIC}: no touch is lost beside others`,
    "SessionStore.touch > raises the version by one",
  ]),
  touching("touch() leaves `touchedAt`", ({ touchedAt }) => ({ touchedAt }), [
    "SessionStore.touch > sets `touchedAt` to now",
    AFTER_WRITES,
  ]),
  touching("touch() takes the flash messages away", () => ({ flash: null }), [
    "SessionStore.touch > Restarts the idle timeout: and changes nothing else",
  ]),
  store(
    "touch() never lets a session end later",
    (good) => ({
      touch: (id, expiresAt) =>
        good.touch(id, Math.min(expiresAt, good.read(id)?.expiresAt ?? Infinity)),
    }),
    ["SessionStore.touch > `expiresAt` as given: later"],
  ),
  store(
    "touch() never lets a session end sooner",
    (good) => ({
      touch: (id, expiresAt) => good.touch(id, Math.max(expiresAt, good.read(id)?.expiresAt ?? 0)),
    }),
    [
      "SessionStore.touch > `expiresAt` as given: earlier",
      `${SWEPT}: those whose end has come closer too`,
    ],
  ),
  store(
    "touch() revives a session that has expired",
    (good) => ({
      touch(id, expiresAt) {
        const record = good.findRecord(id);
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    }),
    [MOMENT, CLOCK, `${NOT_TOUCHED}: it has expired`],
  ),
  store(
    "touch() looks first, and stores later",
    (good) => ({
      async touch(id, expiresAt) {
        const record = good.findLive(id);
        await turn();
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    }),
    [
      `${ATOMIC}: no touch is lost beside others`,
      `${ATOMIC}: a delete is not undone by a touch beside it`,
    ],
  ),

  store(
    "delete() fails where there is nothing",
    (good) => ({
      delete(id) {
        if (!good.rows.has(id)) throw Error("There is no such session.");
        return good.delete(id);
      },
    }),
    [
      `${DELETES}: both, for one that was never there`,
      `${DELETES}: empty data, for one that was never there`,
      `${DELETES}: a timeout of 0, for one that was never there`,
      `${NO_ERROR}: it was never there`,
      `${NO_ERROR}: it was deleted`,
      NO_SUCCESSOR,
    ],
  ),
  store(
    "delete() fails where a session has expired",
    (good) => ({
      delete(id) {
        if (good.rows.has(id) && !good.isTaken(id)) throw Error("It has expired.");
        return good.delete(id);
      },
    }),
    [`${NO_ERROR}: it has expired`, "SessionStore.delete > Removes the record, expired or not"],
  ),
  store(
    "delete() only empties the session",
    (good) => ({
      delete(id) {
        const record = good.findRecord(id);
        if (record === undefined) return good.delete(id);
        good.put(id, { ...record, data: "{}" });
        return undefined;
      },
    }),
    [
      `${ATOMIC}: a delete is not undone by a replace beside it`,
      `${ATOMIC}: a delete is not undone by a touch beside it`,
      `${LISTED}: after a delete`,
      "SessionStore.create > Inserts: under the id of one that was deleted",
      `${NOT_REPLACED}: it was deleted`,
      `${NOT_ROTATED}: it was deleted`,
      `${NOT_TOUCHED}: it was deleted`,
      "SessionStore.delete > Removes the record",
      "SessionStore.save > Empty data, or a timeout of 0, deletes the session",
      NOT_MISSED,
      "SessionStore.delete > Removes the record, expired or not",
    ],
  ),
  store(
    "delete() removes whatever nobody has logged into",
    (good) => ({
      delete(id) {
        const successor = good.delete(id);
        for (const other of good.rows.keys())
          if (good.findRecord(other)?.userId === null) good.delete(other);
        return successor;
      },
    }),
    [DELETES, "SessionStore.delete > Removes the record", NOT_MISSED, NOTE_DELETED],
  ),

  store(
    "sweep() removes live sessions",
    (good) => ({
      sweep(limit) {
        const ids = [...good.rows.keys()].slice(0, limit);
        for (const id of ids) good.delete(id);
        return ids.length;
      },
    }),
    ["SessionStore.sweep > and no others", LEFT],
  ),
  store(
    "sweep() takes no notice of the limit",
    (good) => ({ sweep: (_: number, before?: number) => good.sweep(Infinity, before) }),
    [SWEPT],
  ),
  store("sweep() ignores `before`", (good) => ({ sweep: (limit: number) => good.sweep(limit) }), [
    LEFT,
  ]),
  store(
    "sweep() always says that it removed as many as it may",
    (good) => ({
      sweep(limit, before) {
        good.sweep(limit, before);
        return limit;
      },
    }),
    ["SessionStore.sweep > Returns how many it removed"],
  ),
  store("sweep() does nothing", () => ({ sweep: () => 0 }), [
    `${SWEPT}: and all of them in the end`,
    `${SWEPT}: those whose end has come closer too`,
  ]),
  store(
    "sweep() goes by the end that a session had at first",
    (good) => {
      const ends = new Map<string, number>();
      return {
        create(id, record) {
          ends.set(id, record.expiresAt);
          return good.create(id, record);
        },
        sweep(limit, before) {
          const isOver = (id: string): boolean => (ends.get(id) ?? 0) <= good.clock();
          const ids = good.findExpired(before).filter(isOver).slice(0, limit);
          for (const id of ids) good.delete(id);
          return ids.length;
        },
      };
    },
    [`${SWEPT}: those whose end has come closer too`, NOTE_SWEPT],
  ),

  store(
    "it says that it answers at once, and does not",
    (good) => ({
      isSynchronous: true,
      touch: async (id, expiresAt) => good.touch(id, expiresAt),
    }),
    [
      "SessionStore.isSynchronous > a store that says `true` never returns a promise from `read`, `create`, `replace`, `rotate`, `touch` or `delete`",
    ],
  ),
  store(
    "close() fails the second time",
    () => {
      let isClosed = false;
      return {
        close() {
          if (isClosed) throw Error("The store is closed.");
          isClosed = true;
        },
      };
    },
    ["SessionStore.close > A second call does nothing"],
  ),
  store(
    "close() drops what was begun",
    (good) => {
      let isClosed = false;
      return {
        async create(id, record) {
          await turn();
          return !isClosed && good.create(id, record);
        },
        close() {
          isClosed = true;
        },
      };
    },
    ["SessionStore.close > Finishes what was begun"],
  ),
  sharing(
    "close() says that what was begun is done, and drops it",
    (good) => {
      let isClosed = false;
      return {
        async create(id, record) {
          await turn();
          return isClosed || good.create(id, record);
        },
        close() {
          isClosed = true;
        },
      };
    },
    ["SessionStore.close > Finishes what was begun"],
  ),

  store("a closed store is an empty one", (good) => ({ close: () => good.rows.clear() }), [NEVER]),

  store(
    "read() returns one object for good, and changes it",
    (good) => {
      const objects = new Map<string, SessionRecord>();
      const read = (id: string): Row | undefined => {
        const record = good.read(id);
        if (record === undefined || isNote(record)) return record;
        const object = Object.assign(objects.get(id) ?? {}, record);
        objects.set(id, object);
        return object;
      };
      return {
        read,
        touch: (id, expiresAt) => good.touch(id, expiresAt) && read(id) !== undefined,
      };
    },
    ["SessionRecord > A record is a value: it is never changed"],
  ),
  store(
    "read() returns what it gave the first time",
    (good) => {
      const first = new Map<string, Row>();
      return {
        read(id) {
          const record = first.get(id) ?? good.read(id);
          if (record !== undefined) first.set(id, record);
          return record;
        },
      };
    },
    [
      KEEPS,
      "SessionBackend.save > in place of what was kept before",
      "SessionRecord.version > Grows by one with every write",
      SAVES,
      "SessionStore.read > The record: as it was written last",
      "SessionStore.sweep > Returns how many it removed",
      `${STORE_SAVES}: it has expired`,
      `${STORE_SAVES}: it is there, a user's`,
      NOTE_NAMES,
      `${NOTE_LEFT}: and no longer`,
      `${STORE_SAVES}: it was rotated`,
      NOTE_SWEPT,
      CHANGED,
    ],
  ),
  store(
    "read() returns an empty session for none, as one that has expired",
    (good) => ({
      read: (id) =>
        good.read(id) ?? {
          ...NEW_RECORD,
          data: "{}",
          createdAt: 0,
          touchedAt: 0,
          expiresAt: 0,
        },
    }),
    [
      `${ATOMIC}: of many that create one id, one succeeds`,
      `${ATOMIC}: no touch is lost beside others`,
      "SessionStore.read > `undefined` when there is neither",
      "SessionStore.delete > Removes the record",
      `${SWEPT}: and all of them in the end`,
      `${SWEPT}: those whose end has come closer too`,
      "SessionStore.sweep > Returns how many it removed",
      "SessionStore.save > Empty data, or a timeout of 0, deletes the session",
      NOT_MISSED,
      "SessionStore.delete > Removes the record, expired or not",
      NOTE_DELETED,
      `${DELETES_ALL}, expired or not`,
      ONE_STEP,
    ],
  ),

  store(
    "create() returns up the session that was stored before",
    (good) => {
      let last = "";
      return {
        create(id, record) {
          if (id !== last && record.data.includes("new")) good.delete(last);
          last = id;
          return good.create(id, record);
        },
      };
    },
    ["SessionStore.create > Inserts, and only inserts"],
  ),

  store(
    "read() returns an expired session for another minute",
    (good) => ({
      read(id) {
        const record = good.read(id);
        if (record === undefined || good.isTaken(id)) return record;
        return { ...record, expiresAt: good.clock() + 60_000 };
      },
    }),
    [
      KEEPS,
      MOMENT,
      "SessionStore.read > May still return one that has expired: as one that has",
      `${NOT_TOUCHED}: it has expired`,
      "SessionStore.load > `{}` when there is none: it has expired",
      `${STORE_SAVES}: it has expired`,
      `${NOTE_LEFT}: and no longer`,
    ],
  ),

  store(
    "load() makes a session where there is none",
    (good) => ({
      async load(id) {
        const record = good.findLive(id);
        return record === undefined ? { isNew: true } : toData(record.data);
      },
    }),
    [
      IDS,
      "SessionBackend.load > `{}`, `null` and `undefined` all mean that there is no such session",
      KEEPS,
      DELETES,
      MOMENT,
      "SessionStore.load > `{}` when there is none",
      `${NOTE}: \`load\` returns nothing`,
    ],
  ),
  store(
    "load() and save() keep a table of their own",
    (good) => {
      const table = new MapBackend(() => good.clock());
      return {
        load: async (id) => table.load(id) ?? {},
        save: async (id, data, timeout) => table.save(id, data, timeout),
      };
    },
    [
      SAVES,
      "SessionStore.load > The data of a live session",
      STORE_SAVES,
      "SessionStore.save > Empty data, or a timeout of 0, deletes the session",
    ],
  ),
  store(
    "load() returns the very object that it keeps",
    (good) => {
      const objects = new Map<string, SessionData>();
      return {
        async load(id) {
          const text = good.findLive(id)?.data ?? "{}";
          const object = objects.get(text) ?? toData(text);
          objects.set(text, object);
          return object;
        },
      };
    },
    ["SessionBackend > Data is handed over as a value: what was loaded can be changed"],
  ),
  store(
    "load() returns `undefined` for nothing",
    (good) => ({
      async load(id) {
        const record = good.findLive(id);
        return (record && toData(record.data)) as SessionData;
      },
    }),
    ["SessionStore.load > `{}` when there is none"],
  ),
  store(
    "load() returns what has expired",
    (good) => ({ load: async (id) => toData(good.findRecord(id)?.data ?? "{}") }),
    [KEEPS, MOMENT, "SessionStore.load > `{}` when there is none: it has expired"],
  ),

  store(
    "save() merges",
    (good) => ({
      async save(id, data, timeout) {
        const isDeletion = timeout === 0 || Object.keys(data).length === 0;
        await good.save(id, isDeletion ? data : { ...(await good.load(id)), ...data }, timeout);
      },
    }),
    ["SessionBackend.save > in place of what was kept before"],
  ),
  store(
    "save() leaves the version",
    (good) => ({
      async save(id, data, timeout) {
        const version = good.findLive(id)?.version ?? 1;
        await good.save(id, data, timeout);
        const record = good.findRecord(id);
        if (record !== undefined) good.put(id, { ...record, version });
      },
    }),
    [SAVES],
  ),

  storing("texts are cut off after 4 KiB", ({ data }) => ({ data: data.slice(0, 4096) }), [
    `${VALUES}: 32 KiB, the most that is stored by default`,
    "SessionRecord.data > The session's data, as JSON text: 32 KiB of it",
  ]),
  storing("texts are stored as Latin-1", ({ data }) => ({ data: latin1(data) }), [
    `${VALUES}: texts`,
    `${VALUES}: keys of any characters`,
    `${VALUES}: 32 KiB, the most that is stored by default`,
    "SessionRecord.data > The session's data, as JSON text: texts of any characters",
    "SessionRecord.data > The session's data, as JSON text: 32 KiB of it",
  ]),
  storing(
    "the data is not stored as text",
    ({ data }) => ({ data: JSON.stringify(JSON.parse(data)) }),
    ["SessionRecord.data > The session's data, as JSON text: spaces and order as they are"],
  ),
  storing("what is `null` is stored as 0 or as nothing", nothing, [
    "SessionRecord.flash > `null` for none: no message",
    "SessionRecord.userId > `null` while nobody has logged in: nobody",
    "SessionRecord.authenticatedAt > When the user logged in: never",
    `${REMEMBER}: none`,
  ]),
  storing("users are stored as Latin-1", ({ userId }) => ({ userId: userId && latin1(userId) }), [
    "SessionRecord.userId > Whose session it is: a name of any characters",
    "SessionRecord.userId > At most 320 characters: 320 of them",
  ]),
  storing(
    "users are cut off at a space",
    ({ userId }) => ({ userId: userId && (userId.split(" ")[0] ?? "") }),
    ["SessionRecord.userId > Whose session it is", LISTED],
  ),
  storing(
    "users are cut off after 255 characters",
    ({ userId }) => ({
      userId: userId && userId.slice(0, 255),
    }),
    ["SessionRecord.userId > At most 320 characters: 320 of them"],
  ),
  storing("labels are not stored", () => ({ label: null }), [
    `${LABEL}: a device`,
    `${LABEL}: any characters`,
    LONG_LABEL,
    `${REPLACED}: a new user`,
    `${CHANGED}: \`label\``,
    ROTATED_WHOLE,
  ]),
  storing("labels are stored as Latin-1", ({ label }) => ({ label: label && latin1(label) }), [
    `${LABEL}: any characters`,
    LONG_LABEL,
  ]),
  storing(
    "labels are cut off after 100 characters",
    ({ label }) => ({ label: label && label.slice(0, 100) }),
    [LONG_LABEL],
  ),
  storing("no label is an empty one", ({ label }) => ({ label: label ?? "" }), [
    `${LABEL}: no name`,
  ]),
  storing("flash messages are not stored", () => ({ flash: null }), [
    "SessionRecord.flash > Messages left for the next request, as JSON text by name: a message",
    `${REPLACED}: new data`,
    `${CHANGED}: \`flash\``,
    ROTATED_WHOLE,
  ]),
  storing("`remember` is not stored", () => ({ remember: null }), [
    `${REMEMBER}: a week`,
    `${REMEMBER}: a century`,
    `${REPLACED}: a new user`,
    `${CHANGED}: \`remember\``,
    ROTATED_WHOLE,
  ]),
  storing(
    "`remember` is a number of 32 bits",
    ({ remember }) => ({ remember: remember && remember | 0 }),
    [`${REMEMBER}: a century`],
  ),
  storing("`authenticatedAt` is not stored", () => ({ authenticatedAt: null }), [
    "SessionRecord > Times are Unix milliseconds",
    "SessionRecord.authenticatedAt > When the user logged in: long ago",
    "SessionInfo > Times are Unix milliseconds",
    `${REPLACED}: a new user`,
    `${CHANGED}: \`authenticatedAt\``,
    ROTATED_WHOLE,
  ]),
  storing("`userId` of nobody is empty", ({ userId }) => ({ userId: userId ?? "" }), [
    "SessionRecord.userId > `null` while nobody has logged in: nobody",
  ]),
  storing(
    "`userId` is cut off at a quote",
    ({ userId }) => ({ userId: userId && (userId.split("'")[0] ?? "") }),
    ["SessionRecord.userId > Whose session it is: a name that looks like SQL"],
  ),
  storing(
    "`createdAt` is when it was touched last",
    ({ touchedAt }) => ({ createdAt: touchedAt }),
    [
      "SessionRecord > Times are Unix milliseconds",
      "SessionRecord.createdAt > When the session began: long ago",
      "SessionInfo > Times are Unix milliseconds",
      `${REPLACED}: new times`,
      `${CHANGED}: \`createdAt\``,
      `${CHANGED}: \`touchedAt\``,
      ROTATED_WHOLE,
    ],
  ),
  storing(
    "times are stored in seconds",
    ({ createdAt, touchedAt, expiresAt, authenticatedAt }) => ({
      createdAt: toSecond(createdAt),
      touchedAt: toSecond(touchedAt),
      expiresAt: toSecond(expiresAt),
      authenticatedAt: authenticatedAt && toSecond(authenticatedAt),
    }),
    [
      "SessionRecord > Times are Unix milliseconds",
      "SessionRecord.createdAt > When the session began: long ago",
      "SessionRecord.touchedAt > When the session's idle timeout was last restarted: long ago",
      "SessionRecord.expiresAt > When the session expires if nobody uses it again: far away",
      "SessionRecord.authenticatedAt > When the user logged in: long ago",
      "SessionInfo > Times are Unix milliseconds",
      `${REPLACED}: a new user`,
      `${REPLACED}: new times`,
      `${CHANGED}: \`authenticatedAt\``,
      `${CHANGED}: \`createdAt\``,
      `${CHANGED}: \`expiresAt\``,
      `${CHANGED}: \`touchedAt\``,
      ROTATED_WHOLE,
    ],
  ),
  storing("every write begins with version 1 again", () => ({ version: 1 }), [
    "SessionRecord.version > Grows by one with every write",
    SAVES,
    `${ATOMIC}: of many that replace one version, one succeeds`,
    `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
    `${NOT_REPLACED}: it has a later version`,
    `${NOT_REPLACED}: it has an earlier version`,
    "SessionStore.rotate > Puts the record under a new id",
    "SessionStore.rotate > Puts the record under a new id: that of one that has expired",
    `${NOT_ROTATED}: it has a later version`,
    `${NOT_ROTATED}: it has an earlier version`,
    "SessionStore.touch > raises the version by one",
    ROTATED_WHOLE,
    CHANGED,
  ]),
  store(
    "ids that differ in their case are one",
    (good) => ({
      read: (id) => good.read(id.toLowerCase()),
      create: (id, record) => good.create(id.toLowerCase(), record),
      replace: (id, record, old) => good.replace(id.toLowerCase(), record, old),
      rotate: (oldId, newId, record, old) =>
        good.rotate(oldId.toLowerCase(), newId.toLowerCase(), record, old),
      touch: (id, expiresAt) => good.touch(id.toLowerCase(), expiresAt),
      delete: (id) => good.delete(id.toLowerCase()),
    }),
    [
      IDS,
      "SessionInfo > One of a user's sessions, as `list` returns it",
      "SessionInfo.handle > Names the session towards `revoke`",
      LISTED,
      ORDER,
      `${LISTED}: after a rotate`,
      `${LISTED}: after another user has logged in`,
      `${LISTED}: after a delete`,
      NONE_LEFT,
      NOTE_NAMES,
      NOTE_ID,
      `${ATOMIC}: of many that rotate one version, one succeeds`,
      NOT_MISSED,
      NOTE_DELETED,
      NO_SUCCESSOR,
      IDS_REMOVED,
      NEVER_THEIRS,
      LIMITED,
      AFTER_WRITES,
      NOTE_READ,
    ],
  ),
  store(
    "what has expired is looked at only when it is stored",
    (good) => ({
      create: (id, record) =>
        record.expiresAt <= good.clock() || (!good.rows.has(id) && good.put(id, record)),
      replace: (id, record, old) =>
        good.findRecord(id)?.version === old.version && good.put(id, record),
      touch(id, expiresAt) {
        const record = good.findRecord(id);
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
      list: (userId, limit) => good.toInfos(userId, good.findIds(userId)).slice(0, limit),
    }),
    [CLOCK],
  ),
  sharing(
    "writes are atomic inside a process, and not between two",
    (good) => {
      const queue = new KeyedQueue();
      return {
        replace: (id, record, old) =>
          queue.run(id, async () => {
            const isThere = good.findLive(id)?.version === old.version;
            await turn();
            return isThere && good.put(id, record);
          }),
      };
    },
    [
      `${ATOMIC}: of many that replace one version, one succeeds`,
      `${ATOMIC}: of many that replace and rotate one version, one succeeds`,
      `${ATOMIC}: a delete is not undone by a replace beside it`,
    ],
  ),

  ...BROKEN_LISTS,
  ...BROKEN_NOTES,
];

/** One whose replace() leaves one field as it is. */
function leaving(field: keyof SessionRecord, red: readonly string[]): Broken {
  return store(
    `replace() leaves \`${field}\``,
    (good) => ({
      replace(id, record, old) {
        const there = good.findRecord(id) ?? record;
        return good.replace(id, { ...record, [field]: there[field] }, old);
      },
    }),
    red,
  );
}
