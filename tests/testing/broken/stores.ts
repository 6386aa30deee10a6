import type { SessionData } from "../../../src/store/backend.ts";
import { KeyedQueue } from "../../../src/store/keyed-queue.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { isNote, NEW_RECORD } from "../../../src/store/record.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import { MapBackend } from "../../support/stores/backends.ts";
import type { MapStore, Row } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import { latin1, turn } from "./broken.ts";
import { BROKEN_ENDS } from "./ends.ts";
import { breakStores, nothing, toData, toSecond } from "./faulty-store.ts";
import { BROKEN_LISTS } from "./lists.ts";
import { BROKEN_NOTES } from "./notes.ts";

/** What `replace` can leave as it is. */
type Field = keyof SessionRecord;
const CONTENTS: readonly Field[] = ["data", "flash", "userId", "remember", "label"];
const TIMES: readonly Field[] = ["createdAt", "touchedAt", "expiresAt", "authenticatedAt"];

/** Creates later, in a way that depends on whether it has been closed meanwhile. */
function closing(choose: (isClosed: boolean, create: () => boolean) => boolean) {
  return (good: MapStore): Partial<SessionStore> => {
    let isClosed = false;
    return {
      async create(id, record) {
        await turn();
        return choose(isClosed, () => good.create(id, record));
      },
      close() {
        isClosed = true;
      },
    };
  };
}

/** Stores, each with one fault. */
export const BROKEN_STORES: readonly Broken[] = [
  ...breakStores({
    "create() takes over a session that is there": {
      red: "SessionStore.create > false: …",
      create: (good) => (id, record) => good.put(id, record),
    },
    "create() says that the id is taken, and stores all the same": {
      red: "SessionStore.create > false: …",
      create: (good) => (id, record) => {
        const isFree = good.findLive(id) === undefined;
        return good.put(id, record) && isFree;
      },
    },
    "create() refuses the id of a session that has expired": {
      red: "SessionStore.create > Inserts: under the id of one that has expired",
      create: (good) => (id, record) => !good.rows.has(id) && good.put(id, record),
    },
    "create() looks first, and stores later": {
      red: "SessionStore > every write is atomic, … of many that create one id, one succeeds",
      create: (good) => async (id, record) => {
        const isFree = good.findLive(id) === undefined;
        await turn();
        return isFree && good.put(id, record);
      },
    },
    "create() never takes an id that was deleted": {
      red: "SessionStore.create > Inserts: under the id of one that was deleted",
      make: (good) => {
        const deleted = new Set<string>();
        return {
          create: (id, record) => !deleted.has(id) && good.create(id, record),
          delete(id) {
            deleted.add(id);
            return good.delete(id);
          },
        };
      },
    },

    "replace() takes no notice of the version": {
      red: "SessionStore.replace > false: … it has a later version",
      replace: (good) => (id, record) => good.findLive(id) !== undefined && good.put(id, record),
    },
    "replace() takes an earlier version for the one that was named": {
      red: "SessionStore.replace > false: … it has an earlier version",
      replace: (good) => (id, record, old) =>
        (good.findLive(id)?.version ?? Infinity) <= old.version && good.put(id, record),
    },
    "replace() brings a deleted session back": {
      red: "SessionStore.replace > false: … it was deleted",
      replace: (good) => (id, record, old) =>
        good.rows.has(id) ? good.replace(id, record, old) : good.put(id, record),
    },
    "replace() revives a session that has expired": {
      red: "SessionStore.replace > false: … it has expired",
      replace: (good) => (id, record, old) =>
        good.findRecord(id)?.version === old.version && good.put(id, record),
    },
    "replace() says no, and stores all the same": {
      red: "SessionStore.replace > false: … it has a later version",
      replace: (good) => (id, record, old) => {
        const there = good.findLive(id);
        if (there !== undefined) good.put(id, record);
        return there?.version === old.version;
      },
    },
    "replace() looks first, and stores later": {
      red: "SessionStore > every write is atomic, … of many that replace one version, one succeeds",
      replace: (good) => async (id, record, old) => {
        const isThere = good.findLive(id)?.version === old.version;
        await turn();
        return isThere && good.put(id, record);
      },
    },

    ...Object.fromEntries(
      [...CONTENTS, ...TIMES].map((field) => [
        `replace() leaves \`${field}\``,
        { red: `SessionStore.replace > … unlike: ${field}`, leaving: field },
      ]),
    ),

    "rotate() leaves the old id": {
      red: "SessionStore.rotate > removes old from its own",
      rotate: (good) => (oldId, newId, record, old) =>
        good.findLive(oldId)?.version === old.version && good.create(newId, record),
    },
    "rotate() is two steps": {
      red: "SessionStore > every write is atomic, … of many that rotate one version, one succeeds",
      rotate: (good) => async (oldId, newId, record, old) => {
        const isThere = good.findLive(oldId)?.version === old.version;
        if (!isThere || !good.create(newId, record)) return false;
        await turn();
        return good.leaveNote(oldId, newId);
      },
    },
    "rotate() takes no notice of the version": {
      red: "SessionStore.rotate > false: … it has a later version",
      rotate: (good) => (oldId, newId, record) =>
        good.rotate(oldId, newId, record, good.findLive(oldId) ?? record),
    },
    "rotate() takes over the id of another session": {
      red: "SessionStore.rotate > false: … the new id is another's",
      rotate: (good) => (oldId, newId, record, old) => {
        if (oldId === newId || good.findLive(oldId)?.version !== old.version) return false;
        return good.leaveNote(oldId, newId) && good.put(newId, record);
      },
    },
    "rotate() to its own id removes the session": {
      red: "SessionStore.rotate > false: … the new id is its own",
      rotate: (good) => (oldId, newId, record, old) => {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId === newId) good.delete(oldId);
        return isRotated;
      },
    },
    "rotate() removes the old session even where the new id is taken": {
      red: "SessionStore.rotate > false: … the new id is another's",
      rotate: (good) => (oldId, newId, record, old) => {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId !== newId && good.findLive(oldId)?.version === old.version) good.delete(oldId);
        return isRotated;
      },
    },
    "rotate() makes a session where there is none": {
      red: "SessionStore.rotate > false: … it was deleted",
      rotate: (good) => (oldId, newId, record, old) =>
        good.rows.has(oldId) ? good.rotate(oldId, newId, record, old) : good.create(newId, record),
    },
    "rotate() revives a session that has expired": {
      red: "SessionStore.rotate > false: … it has expired",
      rotate: (good) => (oldId, newId, record, old) => {
        const isThere = good.findRecord(oldId)?.version === old.version;
        return isThere && good.create(newId, record) && good.leaveNote(oldId, newId);
      },
    },
    "rotate() refuses the id of a session that has expired": {
      red: "SessionStore.rotate > … that of one that has expired",
      rotate: (good) => (oldId, newId, record, old) =>
        !good.rows.has(newId) && good.rotate(oldId, newId, record, old),
    },

    "touch() makes a session where there is none": {
      red: "SessionStore.touch > false: … it was deleted",
      touch: (good) => (id, expiresAt) => {
        if (good.rows.has(id)) return good.touch(id, expiresAt);
        const now = good.clock(),
          times = { createdAt: now, touchedAt: now, expiresAt };
        return good.put(id, { ...NEW_RECORD, ...times, data: "{}" });
      },
    },
    "touch() leaves the version": {
      red: "SessionStore.touch > raises the version by one",
      touching: ({ version }) => ({ version }),
    },
    "touch() leaves `touchedAt`": {
      red: "SessionStore.touch > sets touchedAt to now",
      touching: ({ touchedAt }) => ({ touchedAt }),
    },
    "touch() takes the flash messages away": {
      red: "SessionStore.touch > … and changes nothing else",
      touching: () => ({ flash: null }),
    },
    "touch() never lets a session end later": {
      red: "SessionStore.touch > expiresAt as given: later",
      touch: (good) => (id, expiresAt) =>
        good.touch(id, Math.min(expiresAt, good.read(id)?.expiresAt ?? Infinity)),
    },
    "touch() never lets a session end sooner": {
      red: "SessionStore.touch > expiresAt as given: earlier",
      touch: (good) => (id, expiresAt) =>
        good.touch(id, Math.max(expiresAt, good.read(id)?.expiresAt ?? 0)),
    },
    "touch() revives a session that has expired": {
      red: "SessionStore.touch > false: … it has expired",
      touch: (good) => (id, expiresAt) => {
        const record = good.findRecord(id);
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    },
    "touch() looks first, and stores later": {
      red: "SessionStore > every write is atomic, … no concurrent touch is lost",
      touch: (good) => async (id, expiresAt) => {
        const record = good.findLive(id);
        await turn();
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    },

    "delete() fails where there is nothing": {
      red: "SessionStore.delete > a missing record is no error: it was deleted",
      delete: (good) => (id) => {
        if (!good.rows.has(id)) throw Error("There is no such session.");
        return good.delete(id);
      },
    },
    "delete() fails where a session has expired": {
      red: "SessionStore.delete > a missing record is no error: it has expired",
      delete: (good) => (id) => {
        if (good.rows.has(id) && !good.isTaken(id)) throw Error("It has expired.");
        return good.delete(id);
      },
    },
    "delete() only empties the session": {
      red: "SessionStore.delete > Removes the record",
      delete: (good) => (id) => {
        const record = good.findRecord(id);
        if (record === undefined) return good.delete(id);
        good.put(id, { ...record, data: "{}" });
        return undefined;
      },
    },
    "delete() removes whatever nobody has logged into": {
      red: "SessionStore.delete > Removes the record",
      delete: (good) => (id) => {
        const successor = good.delete(id);
        for (const other of good.rows.keys())
          if (good.findRecord(other)?.userId === null) good.delete(other);
        return successor;
      },
    },

    "sweep() removes live sessions": {
      red: "SessionStore.sweep > and no others",
      sweep: (good) => (limit) => {
        const ids = [...good.rows.keys()].slice(0, limit);
        for (const id of ids) good.delete(id);
        return ids.length;
      },
    },
    "sweep() takes no notice of the limit": {
      red: "SessionStore.sweep > Removes at most limit expired records and notes",
      sweep: (good) => (_: number, before?: number) => good.sweep(Infinity, before),
    },
    "sweep() ignores `before`": {
      red: "SessionStore.sweep > Leaves those …",
      sweep: (good) => (limit: number) => good.sweep(limit),
    },
    "sweep() always says that it removed as many as it may": {
      red: "SessionStore.sweep > Returns how many it removed",
      sweep: (good) => (limit, before) => {
        good.sweep(limit, before);
        return limit;
      },
    },
    "sweep() does nothing": {
      red: "SessionStore.sweep > … and all of them in the end",
      sweep: () => () => 0,
    },
    "sweep() goes by the end that a session had at first": {
      red: "SessionStore.sweep > … those whose end has come closer too",
      make: (good) => {
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
    },

    "it says that it answers at once, and does not": {
      red: "SessionStore.isSynchronous > …",
      make: (good) => ({
        isSynchronous: true,
        touch: async (id, expiresAt) => good.touch(id, expiresAt),
      }),
    },
    "close() fails the second time": {
      red: "SessionStore.close > A second call does nothing",
      make: () => {
        let isClosed = false;
        return {
          close() {
            if (isClosed) throw Error("The store is closed.");
            isClosed = true;
          },
        };
      },
    },
    "close() drops what was begun": {
      red: "SessionStore.close > Finishes pending work",
      make: closing((isClosed, create) => !isClosed && create()),
    },
    "close() says that what was begun is done, and drops it": {
      red: "SessionStore.close > Finishes pending work",
      isShared: true,
      make: closing((isClosed, create) => isClosed || create()),
    },

    "a closed store is an empty one": {
      red: "SessionStore > A method that cannot do its work …",
      close: (good) => () => good.rows.clear(),
    },

    "read() returns one object for good, and changes it": {
      red: "SessionRecord > A record is a value: it is never changed",
      make: (good) => {
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
    },
    "read() returns what it gave the first time": {
      red: "SessionStore.read > The record: as it was written last",
      make: (good) => {
        const first = new Map<string, Row>();
        return {
          read(id) {
            const record = first.get(id) ?? good.read(id);
            if (record !== undefined) first.set(id, record);
            return record;
          },
        };
      },
    },
    "read() returns an empty session for none, as one that has expired": {
      red: "SessionStore.read > undefined when there is neither",
      read: (good) => (id) =>
        good.read(id) ?? {
          ...NEW_RECORD,
          data: "{}",
          createdAt: 0,
          touchedAt: 0,
          expiresAt: 0,
        },
    },

    "create() returns up the session that was stored before": {
      red: "SessionStore.create > Inserts, and only inserts",
      make: (good) => {
        let last = "";
        return {
          create(id, record) {
            if (id !== last && record.data.includes("new")) good.delete(last);
            last = id;
            return good.create(id, record);
          },
        };
      },
    },

    "read() hides what has expired": {
      red: "SessionStore.read > by another process's clock it may be live: …",
      read: (good) => (id) => (good.isTaken(id) ? good.read(id) : undefined),
    },
    "read() returns an expired session for another minute": {
      red: "SessionStore.read > Returns one that has expired too, until it is removed: …",
      make: (good) => {
        const ends = new Map<string, number>();
        return {
          read(id) {
            const record = good.read(id);
            if (record === undefined || good.isTaken(id)) return record;
            // The same end for whoever reads twice, however long that takes.
            const expiresAt = ends.get(id) ?? good.clock() + 60_000;
            ends.set(id, expiresAt);
            return { ...record, expiresAt };
          },
        };
      },
    },

    "load() and save() keep a table of their own": {
      red: "SessionStore.load > The data of a live session | SessionStore.save > … a timeout of 0",
      make: (good) => {
        const table = new MapBackend(() => good.clock());
        return {
          load: async (id) => table.load(id) ?? {},
          save: async (id, data, timeout) => table.save(id, data, timeout),
        };
      },
    },
    "load() returns `undefined` for nothing": {
      red: "SessionStore.load > {} when there is none",
      load: (good) => async (id) => {
        const record = good.findLive(id);
        return (record && toData(record.data)) as SessionData;
      },
    },
    "load() returns what has expired": {
      red: "SessionStore.load > {} when there is none: it has expired",
      load: (good) => async (id) => toData(good.findRecord(id)?.data ?? "{}"),
    },

    "texts are cut off after 4 KiB": {
      red: "SessionRecord.data > … 32 KiB of it",
      storing: ({ data }) => ({ data: data.slice(0, 4096) }),
    },
    "texts are stored as Latin-1": {
      red: "SessionRecord.data > … texts of any characters",
      storing: ({ data }) => ({ data: latin1(data) }),
    },
    "the data is not stored as text": {
      red: "SessionRecord.data > … spaces and order as they are",
      storing: ({ data }) => ({ data: JSON.stringify(JSON.parse(data)) }),
    },
    "what is `null` is stored as 0 or as nothing": {
      red: "SessionRecord.flash > null for none … | SessionRecord.authenticatedAt > … never",
      storing: nothing,
    },
    "users are stored as Latin-1": {
      red: "SessionRecord.userId > … a name of any characters",
      storing: ({ userId }) => ({ userId: userId && latin1(userId) }),
    },
    "users are cut off at a space": {
      red: "SessionRecord.userId > Whose session it is",
      storing: ({ userId }) => ({ userId: userId && (userId.split(" ")[0] ?? "") }),
    },
    "users are cut off after 255 characters": {
      red: "SessionRecord.userId > At most 320 characters …",
      storing: ({ userId }) => ({
        userId: userId && userId.slice(0, 255),
      }),
    },
    "labels are not stored": {
      red: "SessionRecord.label > … a device",
      storing: () => ({ label: null }),
    },
    "labels are stored as Latin-1": {
      red: "SessionRecord.label > … any characters",
      storing: ({ label }) => ({ label: label && latin1(label) }),
    },
    "labels are cut off after 100 characters": {
      red: "SessionRecord.label > at most 255 characters …",
      storing: ({ label }) => ({ label: label && label.slice(0, 100) }),
    },
    "no label is an empty one": {
      red: "SessionRecord.label > … no name",
      storing: ({ label }) => ({ label: label ?? "" }),
    },
    "flash messages are not stored": {
      red: "SessionRecord.flash > … a message",
      storing: () => ({ flash: null }),
    },
    "`remember` is not stored": {
      red: "SessionRecord.remember > … a week",
      storing: () => ({ remember: null }),
    },
    "`remember` is a number of 32 bits": {
      red: "SessionRecord.remember > … a century",
      storing: ({ remember }) => ({ remember: remember && remember | 0 }),
    },
    "`authenticatedAt` is not stored": {
      red: "SessionRecord.authenticatedAt > … long ago",
      storing: () => ({ authenticatedAt: null }),
    },
    "`userId` is cut off at a quote": {
      red: "SessionRecord.userId > … a name that looks like SQL",
      storing: ({ userId }) => ({ userId: userId && (userId.split("'")[0] ?? "") }),
    },
    "`createdAt` is when it was touched last": {
      red: "SessionRecord.createdAt > …",
      storing: ({ touchedAt }) => ({ createdAt: touchedAt }),
    },
    "times are stored in seconds": {
      red: "SessionRecord > Times are Unix milliseconds | SessionInfo > Times are Unix milliseconds",
      storing: ({ createdAt, touchedAt, expiresAt, authenticatedAt }) => ({
        createdAt: toSecond(createdAt),
        touchedAt: toSecond(touchedAt),
        expiresAt: toSecond(expiresAt),
        authenticatedAt: authenticatedAt && toSecond(authenticatedAt),
      }),
    },
    "every write begins with version 1 again": {
      red: "SessionRecord.version > Increases by one with every write",
      storing: () => ({ version: 1 }),
    },
    "writes are atomic inside a process, and not between two": {
      red: "SessionStore > every write is atomic, … of many that replace one version, one succeeds",
      isShared: true,
      make: (good) => {
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
    },
  }),
  ...BROKEN_LISTS,
  ...BROKEN_ENDS,
  ...BROKEN_NOTES,
];
