import type { SessionData } from "../../../src/store/backend.ts";
import { KeyedQueue } from "../../../src/store/keyed-queue.ts";
import type { SessionRecord } from "../../../src/store/record.ts";
import { isNote, NEW_RECORD } from "../../../src/store/record.ts";
import { MapBackend } from "../../support/stores/backends.ts";
import type { Row } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import { latin1, turn } from "./broken.ts";
import { BROKEN_ENDS } from "./ends.ts";
import { breakStores, nothing, toData, toSecond } from "./faulty-store.ts";
import { BROKEN_LISTS } from "./lists.ts";
import { BROKEN_NOTES } from "./notes.ts";

/** Stores, each with one fault. */
export const BROKEN_STORES: readonly Broken[] = [
  ...breakStores({
    "create() takes over a session that is there": {
      red: "SAVES | ONE_CREATES | NOT_CREATED | NOTE_LEFT",
      create: (good) => (id, record) => good.put(id, record),
    },
    "create() says that the id is taken, and stores all the same": {
      red: "ONE_CREATES | NOT_CREATED | NOTE_LEFT",
      create: (good) => (id, record) => {
        const isFree = good.findLive(id) === undefined;
        return good.put(id, record) && isFree;
      },
    },
    "create() refuses the id of a session that has expired": {
      red: `SessionStore.create > Inserts: under the id of one that has expired |
        STORE_SAVES: it has expired`,
      create: (good) => (id, record) => !good.rows.has(id) && good.put(id, record),
    },
    "create() looks first, and stores later": {
      red: "SAVES | ONE_CREATES | NOT_CREATED: a note | NOTE_LEFT",
      create: (good) => async (id, record) => {
        const isFree = good.findLive(id) === undefined;
        await turn();
        return isFree && good.put(id, record);
      },
    },
    "create() never takes an id that was deleted": {
      red: `SessionStore.create > Inserts: under the id of one that was deleted |
        STORE_SAVES: it was deleted | STORE_SAVES: it was rotated`,
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
      red: `SAVES | ONE_REPLACES | ONE_REPLACES_OR_ROTATES | NOT_REPLACED: it has a later version |
        NOT_REPLACED: it has an earlier version`,
      replace: (good) => (id, record) => good.findLive(id) !== undefined && good.put(id, record),
    },
    "replace() takes an earlier version for the one that was named": {
      red: "NOT_REPLACED: it has an earlier version",
      replace: (good) => (id, record, old) =>
        (good.findLive(id)?.version ?? Infinity) <= old.version && good.put(id, record),
    },
    "replace() brings a deleted session back": {
      red: `ATOMIC: a delete is not undone by a concurrent replace |
        NOT_REPLACED: it was never there | NOT_REPLACED: it was deleted`,
      replace: (good) => (id, record, old) =>
        good.rows.has(id) ? good.replace(id, record, old) : good.put(id, record),
    },
    "replace() revives a session that has expired": {
      red: "MOMENT | CLOCK | NOT_REPLACED: it has expired",
      replace: (good) => (id, record, old) =>
        good.findRecord(id)?.version === old.version && good.put(id, record),
    },
    "replace() says no, and stores all the same": {
      red: `ONE_REPLACES | ONE_REPLACES_OR_ROTATES | NOT_REPLACED: it has a later version |
        NOT_REPLACED: it has an earlier version`,
      replace: (good) => (id, record, old) => {
        const there = good.findLive(id);
        if (there !== undefined) good.put(id, record);
        return there?.version === old.version;
      },
    },
    "replace() looks first, and stores later": {
      red: `SAVES | ONE_REPLACES | ONE_REPLACES_OR_ROTATES |
        ATOMIC: a delete is not undone by a concurrent replace`,
      replace: (good) => async (id, record, old) => {
        const isThere = good.findLive(id)?.version === old.version;
        await turn();
        return isThere && good.put(id, record);
      },
    },
    "replace() leaves whose session it is": {
      red: "LISTED: after another user has logged in | REPLACED: a new user | CHANGED: userId",
      replace: (good) => (id, record, old) =>
        good.replace(id, { ...record, userId: good.findRecord(id)?.userId ?? null }, old),
    },
    "replace() leaves when the session ends": {
      red: `KEEPS | REPLACED: new times | SWEPT: those whose end has come closer too |
        STORE_SAVES: it is there, a user's | CHANGED: expiresAt`,
      replace: (good) => (id, record, old) => {
        const { expiresAt } = good.findRecord(id) ?? record;
        return good.replace(id, { ...record, expiresAt }, old);
      },
    },

    "replace() leaves `data`": {
      red: `IN_PLACE | ONE_REPLACES | ONE_REPLACES_OR_ROTATES |
        SessionStore.read > The record: as it was written last | CHANGED: data |
        REPLACED: new data | STORE_SAVES: it is there, a user's`,
      leaving: "data",
    },
    "replace() leaves `flash`": { red: "CHANGED: flash | REPLACED: new data", leaving: "flash" },
    "replace() leaves `createdAt`": {
      red: "CHANGED: createdAt | REPLACED: new times",
      leaving: "createdAt",
    },
    "replace() leaves `touchedAt`": {
      red: "CHANGED: touchedAt | REPLACED: new times | AFTER_WRITES",
      leaving: "touchedAt",
    },
    "replace() leaves `authenticatedAt`": {
      red: "CHANGED: authenticatedAt | REPLACED: a new user",
      leaving: "authenticatedAt",
    },
    "replace() leaves `remember`": {
      red: "CHANGED: remember | REPLACED: a new user",
      leaving: "remember",
    },
    "replace() leaves `label`": { red: "CHANGED: label | REPLACED: a new user", leaving: "label" },

    "rotate() leaves the old id": {
      red: `NOT_LIVE | ONE_ROTATES | ONE_TAKES | LISTED: after a rotate |
        SessionStore.rotate > removes old from its own |
        ForwardingNote > What rotate leaves under an old id | NOTE_NAMES | NOTE_EXPIRES |
        NOTE_ID | NOT_MISSED | NOTE_DELETED | NO_SUCCESSOR | AFTER_WRITES | NOTE_READ |
        NOTE_LEFT: and no longer | NOTE_SWEPT | NOTE`,
      rotate: (good) => (oldId, newId, record, old) =>
        good.findLive(oldId)?.version === old.version && good.create(newId, record),
    },
    "rotate() is two steps": {
      red: "ONE_ROTATES | NOT_MISSED",
      rotate: (good) => async (oldId, newId, record, old) => {
        const isThere = good.findLive(oldId)?.version === old.version;
        if (!isThere || !good.create(newId, record)) return false;
        await turn();
        return good.leaveNote(oldId, newId);
      },
    },
    "rotate() takes no notice of the version": {
      red: `ONE_REPLACES_OR_ROTATES | NOT_ROTATED: it has a later version |
        NOT_ROTATED: it has an earlier version`,
      rotate: (good) => (oldId, newId, record) =>
        good.rotate(oldId, newId, record, good.findLive(oldId) ?? record),
    },
    "rotate() takes over the id of another session": {
      red: `ONE_TAKES | NOT_ROTATED: the new id is another's |
        NOT_ROTATED: the new id is a note's`,
      rotate: (good) => (oldId, newId, record, old) => {
        if (oldId === newId || good.findLive(oldId)?.version !== old.version) return false;
        return good.leaveNote(oldId, newId) && good.put(newId, record);
      },
    },
    "rotate() to its own id removes the session": {
      red: "NOT_ROTATED: the new id is its own",
      rotate: (good) => (oldId, newId, record, old) => {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId === newId) good.delete(oldId);
        return isRotated;
      },
    },
    "rotate() removes the old session even where the new id is taken": {
      red: `ONE_TAKES | NOT_ROTATED: the new id is another's |
        NOT_ROTATED: the new id is a note's`,
      rotate: (good) => (oldId, newId, record, old) => {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (oldId !== newId && good.findLive(oldId)?.version === old.version) good.delete(oldId);
        return isRotated;
      },
    },
    "rotate() makes a session where there is none": {
      red: "NOT_ROTATED: it was never there | NOT_ROTATED: it was deleted | NOT_MISSED",
      rotate: (good) => (oldId, newId, record, old) =>
        good.rows.has(oldId) ? good.rotate(oldId, newId, record, old) : good.create(newId, record),
    },
    "rotate() revives a session that has expired": {
      red: "NOT_ROTATED: it has expired",
      rotate: (good) => (oldId, newId, record, old) => {
        const isThere = good.findRecord(oldId)?.version === old.version;
        return isThere && good.create(newId, record) && good.leaveNote(oldId, newId);
      },
    },
    "rotate() refuses the id of a session that has expired": {
      red: "SessionStore.rotate > puts the record under a new id: that of one that has expired",
      rotate: (good) => (oldId, newId, record, old) =>
        !good.rows.has(newId) && good.rotate(oldId, newId, record, old),
    },

    "touch() makes a session where there is none": {
      red: `ATOMIC: a delete is not undone by a concurrent touch | NOT_TOUCHED: it was never there |
        NOT_TOUCHED: it was deleted`,
      touch: (good) => (id, expiresAt) => {
        if (good.rows.has(id)) return good.touch(id, expiresAt);
        const now = good.clock(),
          times = { createdAt: now, touchedAt: now, expiresAt };
        return good.put(id, { ...NEW_RECORD, ...times, data: "{}" });
      },
    },
    "touch() leaves the version": {
      red: `SessionRecord.version > Increases by one with every write |
        ATOMIC: no concurrent touch is lost | SessionStore.touch > raises the version by one`,
      touching: ({ version }) => ({ version }),
    },
    "touch() leaves `touchedAt`": {
      red: "SessionStore.touch > sets touchedAt to now | AFTER_WRITES",
      touching: ({ touchedAt }) => ({ touchedAt }),
    },
    "touch() takes the flash messages away": {
      red: "SessionStore.touch > Restarts the idle timeout: and changes nothing else",
      touching: () => ({ flash: null }),
    },
    "touch() never lets a session end later": {
      red: "SessionStore.touch > expiresAt as given: later",
      touch: (good) => (id, expiresAt) =>
        good.touch(id, Math.min(expiresAt, good.read(id)?.expiresAt ?? Infinity)),
    },
    "touch() never lets a session end sooner": {
      red: `SessionStore.touch > expiresAt as given: earlier |
        SWEPT: those whose end has come closer too`,
      touch: (good) => (id, expiresAt) =>
        good.touch(id, Math.max(expiresAt, good.read(id)?.expiresAt ?? 0)),
    },
    "touch() revives a session that has expired": {
      red: "MOMENT | CLOCK | NOT_TOUCHED: it has expired",
      touch: (good) => (id, expiresAt) => {
        const record = good.findRecord(id);
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    },
    "touch() looks first, and stores later": {
      red: `ATOMIC: no concurrent touch is lost |
        ATOMIC: a delete is not undone by a concurrent touch`,
      touch: (good) => async (id, expiresAt) => {
        const record = good.findLive(id);
        await turn();
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
    },

    "delete() fails where there is nothing": {
      red: `DELETES: both, for one that was never there |
        DELETES: empty data, for one that was never there |
        DELETES: a timeout of 0, for one that was never there | NO_ERROR: it was never there |
        NO_ERROR: it was deleted | NO_SUCCESSOR`,
      delete: (good) => (id) => {
        if (!good.rows.has(id)) throw Error("There is no such session.");
        return good.delete(id);
      },
    },
    "delete() fails where a session has expired": {
      red: "NO_ERROR: it has expired | SessionStore.delete > Removes the record, expired or not",
      delete: (good) => (id) => {
        if (good.rows.has(id) && !good.isTaken(id)) throw Error("It has expired.");
        return good.delete(id);
      },
    },
    "delete() only empties the session": {
      red: `NOT_LIVE | ATOMIC: a delete is not undone by a concurrent replace |
        ATOMIC: a delete is not undone by a concurrent touch | LISTED: after a delete |
        SessionStore.create > Inserts: under the id of one that was deleted |
        NOT_REPLACED: it was deleted | NOT_ROTATED: it was deleted | NOT_TOUCHED: it was deleted |
        SessionStore.delete > Removes the record |
        SessionStore.save > Empty data, or a timeout of 0, deletes the session | NOT_MISSED |
        SessionStore.delete > Removes the record, expired or not`,
      delete: (good) => (id) => {
        const record = good.findRecord(id);
        if (record === undefined) return good.delete(id);
        good.put(id, { ...record, data: "{}" });
        return undefined;
      },
    },
    "delete() removes whatever nobody has logged into": {
      red: "DELETES | SessionStore.delete > Removes the record | NOT_MISSED | NOTE_DELETED",
      delete: (good) => (id) => {
        const successor = good.delete(id);
        for (const other of good.rows.keys())
          if (good.findRecord(other)?.userId === null) good.delete(other);
        return successor;
      },
    },

    "sweep() removes live sessions": {
      red: "SessionStore.sweep > and no others | LEFT",
      sweep: (good) => (limit) => {
        const ids = [...good.rows.keys()].slice(0, limit);
        for (const id of ids) good.delete(id);
        return ids.length;
      },
    },
    "sweep() takes no notice of the limit": {
      red: "SWEPT",
      sweep: (good) => (_: number, before?: number) => good.sweep(Infinity, before),
    },
    "sweep() ignores `before`": {
      red: "LEFT",
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
      red: "SWEPT: and all of them in the end | SWEPT: those whose end has come closer too",
      sweep: () => () => 0,
    },
    "sweep() goes by the end that a session had at first": {
      red: "SWEPT: those whose end has come closer too | NOTE_SWEPT",
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
      red: "SessionStore.isSynchronous > a store that says true never returns a promise from read, create, replace, rotate, touch or delete",
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
      make: (good) => {
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
    },
    "close() says that what was begun is done, and drops it": {
      red: "SessionStore.close > Finishes pending work",
      isShared: true,
      make: (good) => {
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
    },

    "a closed store is an empty one": { red: "NEVER", close: (good) => () => good.rows.clear() },

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
      red: `KEEPS | IN_PLACE | SessionRecord.version > Increases by one with every write | SAVES |
        SessionStore.read > The record: as it was written last |
        SessionStore.sweep > Returns how many it removed | STORE_SAVES: it has expired |
        STORE_SAVES: it is there, a user's | NOTE_NAMES | NOTE_LEFT: and no longer |
        STORE_SAVES: it was rotated | NOTE_SWEPT | CHANGED`,
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
      red: `ONE_CREATES | ATOMIC: no concurrent touch is lost |
        SessionStore.read > undefined when there is neither |
        SessionStore.delete > Removes the record | SWEPT: and all of them in the end |
        SWEPT: those whose end has come closer too |
        SessionStore.sweep > Returns how many it removed |
        SessionStore.save > Empty data, or a timeout of 0, deletes the session | NOT_MISSED |
        SessionStore.delete > Removes the record, expired or not | NOTE_DELETED |
        DELETES_ALL, expired or not | ONE_STEP`,
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

    "read() returns an expired session for another minute": {
      red: `NOT_LIVE | KEEPS | MOMENT |
        SessionStore.read > May still return one that has expired: as one that has |
        NOT_TOUCHED: it has expired | SessionStore.load > {} when there is none: it has expired |
        STORE_SAVES: it has expired | NOTE_LEFT: and no longer`,
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

    "load() makes a session where there is none": {
      red: `IDS |
        SessionBackend.load > {}, null and undefined all mean that there is no such session |
        KEEPS | DELETES | MOMENT | SessionStore.load > {} when there is none |
        NOTE: load returns nothing`,
      load: (good) => async (id) => {
        const record = good.findLive(id);
        return record === undefined ? { isNew: true } : toData(record.data);
      },
    },
    "load() and save() keep a table of their own": {
      red: `SAVES | SessionStore.load > The data of a live session | STORE_SAVES |
        SessionStore.save > Empty data, or a timeout of 0, deletes the session`,
      make: (good) => {
        const table = new MapBackend(() => good.clock());
        return {
          load: async (id) => table.load(id) ?? {},
          save: async (id, data, timeout) => table.save(id, data, timeout),
        };
      },
    },
    "load() returns the very object that it keeps": {
      red: "SessionBackend > Data is passed by value: what was loaded can be changed",
      make: (good) => {
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
    },
    "load() returns `undefined` for nothing": {
      red: "SessionStore.load > {} when there is none",
      load: (good) => async (id) => {
        const record = good.findLive(id);
        return (record && toData(record.data)) as SessionData;
      },
    },
    "load() returns what has expired": {
      red: "KEEPS | MOMENT | SessionStore.load > {} when there is none: it has expired",
      load: (good) => async (id) => toData(good.findRecord(id)?.data ?? "{}"),
    },

    "save() merges": {
      red: "IN_PLACE",
      save: (good) => async (id, data, timeout) => {
        const isDeletion = timeout === 0 || Object.keys(data).length === 0;
        await good.save(id, isDeletion ? data : { ...(await good.load(id)), ...data }, timeout);
      },
    },
    "save() leaves the version": {
      red: "SAVES",
      save: (good) => async (id, data, timeout) => {
        const version = good.findLive(id)?.version ?? 1;
        await good.save(id, data, timeout);
        const record = good.findRecord(id);
        if (record !== undefined) good.put(id, { ...record, version });
      },
    },

    "texts are cut off after 4 KiB": {
      red: `VALUES: 32 KiB, the most that is stored by default |
        SessionRecord.data > The session's data, as JSON text: 32 KiB of it`,
      storing: ({ data }) => ({ data: data.slice(0, 4096) }),
    },
    "texts are stored as Latin-1": {
      red: `VALUES: texts | VALUES: keys of any characters |
        VALUES: 32 KiB, the most that is stored by default |
        SessionRecord.data > The session's data, as JSON text: texts of any characters |
        SessionRecord.data > The session's data, as JSON text: 32 KiB of it`,
      storing: ({ data }) => ({ data: latin1(data) }),
    },
    "the data is not stored as text": {
      red: "SessionRecord.data > The session's data, as JSON text: spaces and order as they are",
      storing: ({ data }) => ({ data: JSON.stringify(JSON.parse(data)) }),
    },
    "what is `null` is stored as 0 or as nothing": {
      red: `SessionRecord.flash > null for none: no message |
        SessionRecord.userId > null while nobody has logged in: nobody |
        SessionRecord.authenticatedAt > When the user logged in: never | REMEMBER: none`,
      storing: nothing,
    },
    "users are stored as Latin-1": {
      red: `SessionRecord.userId > Whose session it is: a name of any characters |
        SessionRecord.userId > At most 320 characters: 320 of them`,
      storing: ({ userId }) => ({ userId: userId && latin1(userId) }),
    },
    "users are cut off at a space": {
      red: "SessionRecord.userId > Whose session it is | LISTED",
      storing: ({ userId }) => ({ userId: userId && (userId.split(" ")[0] ?? "") }),
    },
    "users are cut off after 255 characters": {
      red: "SessionRecord.userId > At most 320 characters: 320 of them",
      storing: ({ userId }) => ({
        userId: userId && userId.slice(0, 255),
      }),
    },
    "labels are not stored": {
      red: `LABEL: a device | LABEL: any characters | LONG_LABEL | REPLACED: a new user |
        CHANGED: label | ROTATED_WHOLE`,
      storing: () => ({ label: null }),
    },
    "labels are stored as Latin-1": {
      red: "LABEL: any characters | LONG_LABEL",
      storing: ({ label }) => ({ label: label && latin1(label) }),
    },
    "labels are cut off after 100 characters": {
      red: "LONG_LABEL",
      storing: ({ label }) => ({ label: label && label.slice(0, 100) }),
    },
    "no label is an empty one": {
      red: "LABEL: no name",
      storing: ({ label }) => ({ label: label ?? "" }),
    },
    "flash messages are not stored": {
      red: `SessionRecord.flash > Messages left for the next request, as JSON text by name: a message |
        REPLACED: new data | CHANGED: flash | ROTATED_WHOLE`,
      storing: () => ({ flash: null }),
    },
    "`remember` is not stored": {
      red: `REMEMBER: a week | REMEMBER: a century | REPLACED: a new user | CHANGED: remember |
        ROTATED_WHOLE`,
      storing: () => ({ remember: null }),
    },
    "`remember` is a number of 32 bits": {
      red: "REMEMBER: a century",
      storing: ({ remember }) => ({ remember: remember && remember | 0 }),
    },
    "`authenticatedAt` is not stored": {
      red: `SessionRecord > Times are Unix milliseconds |
        SessionRecord.authenticatedAt > When the user logged in: long ago |
        SessionInfo > Times are Unix milliseconds | REPLACED: a new user |
        CHANGED: authenticatedAt | ROTATED_WHOLE`,
      storing: () => ({ authenticatedAt: null }),
    },
    "`userId` of nobody is empty": {
      red: "SessionRecord.userId > null while nobody has logged in: nobody",
      storing: ({ userId }) => ({ userId: userId ?? "" }),
    },
    "`userId` is cut off at a quote": {
      red: "SessionRecord.userId > Whose session it is: a name that looks like SQL",
      storing: ({ userId }) => ({ userId: userId && (userId.split("'")[0] ?? "") }),
    },
    "`createdAt` is when it was touched last": {
      red: `SessionRecord > Times are Unix milliseconds |
        SessionRecord.createdAt > When the session began: long ago |
        SessionInfo > Times are Unix milliseconds | REPLACED: new times | CHANGED: createdAt |
        CHANGED: touchedAt | ROTATED_WHOLE`,
      storing: ({ touchedAt }) => ({ createdAt: touchedAt }),
    },
    "times are stored in seconds": {
      red: `SessionRecord > Times are Unix milliseconds |
        SessionRecord.createdAt > When the session began: long ago |
        SessionRecord.touchedAt > When the session's idle timeout was last restarted: long ago |
        SessionRecord.expiresAt > When the session expires if nobody uses it again: far away |
        SessionRecord.authenticatedAt > When the user logged in: long ago |
        SessionInfo > Times are Unix milliseconds | REPLACED: a new user | REPLACED: new times |
        CHANGED: authenticatedAt | CHANGED: createdAt | CHANGED: expiresAt | CHANGED: touchedAt |
        ROTATED_WHOLE`,
      storing: ({ createdAt, touchedAt, expiresAt, authenticatedAt }) => ({
        createdAt: toSecond(createdAt),
        touchedAt: toSecond(touchedAt),
        expiresAt: toSecond(expiresAt),
        authenticatedAt: authenticatedAt && toSecond(authenticatedAt),
      }),
    },
    "every write begins with version 1 again": {
      red: `SessionRecord.version > Increases by one with every write | SAVES | ONE_REPLACES |
        ONE_REPLACES_OR_ROTATES | NOT_REPLACED: it has a later version |
        NOT_REPLACED: it has an earlier version |
        SessionStore.rotate > puts the record under a new id |
        SessionStore.rotate > puts the record under a new id: that of one that has expired |
        NOT_ROTATED: it has a later version | NOT_ROTATED: it has an earlier version |
        SessionStore.touch > raises the version by one | ROTATED_WHOLE | CHANGED`,
      storing: () => ({ version: 1 }),
    },
    "ids that differ in their case are one": {
      red: `IDS | SessionInfo > One of a user's sessions, as list returns it |
        SessionInfo.handle > Identifies the session for revoke | LISTED | ORDER |
        LISTED: after a rotate | LISTED: after another user has logged in |
        LISTED: after a delete | NONE_LEFT | NOTE_NAMES | NOTE_ID | ONE_ROTATES | NOT_MISSED |
        NOTE_DELETED | NO_SUCCESSOR | IDS_REMOVED | NEVER_THEIRS | LIMITED | AFTER_WRITES |
        NOTE_READ`,
      make: (good) => ({
        read: (id) => good.read(id.toLowerCase()),
        create: (id, record) => good.create(id.toLowerCase(), record),
        replace: (id, record, old) => good.replace(id.toLowerCase(), record, old),
        rotate: (oldId, newId, record, old) =>
          good.rotate(oldId.toLowerCase(), newId.toLowerCase(), record, old),
        touch: (id, expiresAt) => good.touch(id.toLowerCase(), expiresAt),
        delete: (id) => good.delete(id.toLowerCase()),
      }),
    },
    "what has expired is looked at only when it is stored": {
      red: "CLOCK",
      make: (good) => ({
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
    },
    "writes are atomic inside a process, and not between two": {
      red: `ONE_REPLACES | ONE_REPLACES_OR_ROTATES |
        ATOMIC: a delete is not undone by a concurrent replace`,
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
