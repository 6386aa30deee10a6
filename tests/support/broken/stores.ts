import type {
  SessionData,
  SessionInfo,
  SessionRecord,
  SessionStore,
} from "../../../src/store/backend.ts";
import { NEW_RECORD } from "../../../src/store/backend.ts";
import { KeyedQueue } from "../../../src/store/keyed-queue.ts";
import { MapBackend } from "../backends.ts";
import { MapStore } from "../map-store.ts";
import type { Broken } from "./broken.ts";
import {
  ATOMIC,
  CLOCK,
  DELETES,
  IDS,
  KEEPS,
  latin1,
  LISTED,
  MOMENT,
  NEVER,
  NOT_CREATED,
  NOT_REPLACED,
  NOT_ROTATED,
  NOT_TOUCHED,
  REMEMBER,
  REPLACED,
  SAVES,
  STORE_SAVES,
  SWEPT,
  turn,
  VALUES,
} from "./broken.ts";

export const BROKEN_STORES: readonly Broken[] = [
  store(
    "create() takes over a session that is there",
    (good) => ({ create: (id, record) => good.put(id, record) }),
    [SAVES, `${ATOMIC}: of many that create one id, one succeeds`, NOT_CREATED],
  ),
  store(
    "create() says that the id is taken, and stores all the same",
    (good) => ({
      create(id, record) {
        const isFree = good.live(id) === undefined;
        return good.put(id, record) && isFree;
      },
    }),
    [`${ATOMIC}: of many that create one id, one succeeds`, NOT_CREATED],
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
        const isFree = good.live(id) === undefined;
        await turn();
        return isFree && good.put(id, record);
      },
    }),
    [SAVES, `${ATOMIC}: of many that create one id, one succeeds`],
  ),
  store(
    "create() never takes an id that was deleted",
    (good) => {
      const deleted = new Set<string>();
      return {
        create: (id, record) => !deleted.has(id) && good.create(id, record),
        delete(id) {
          deleted.add(id);
          good.delete(id);
        },
      };
    },
    [
      "SessionStore.create > Inserts: under the id of one that was deleted",
      `${STORE_SAVES}: it was deleted`,
    ],
  ),

  store(
    "replace() takes no notice of the version",
    (good) => ({ replace: (id, record) => good.live(id) !== undefined && good.put(id, record) }),
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
      replace: (id, record, version) =>
        (good.live(id)?.version ?? Infinity) <= version && good.put(id, record),
    }),
    [`${NOT_REPLACED}: it has an earlier version`],
  ),
  store(
    "replace() brings a deleted session back",
    (good) => ({
      replace: (id, record, version) =>
        good.rows.has(id) ? good.replace(id, record, version) : good.put(id, record),
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
      replace: (id, record, version) => good.read(id)?.version === version && good.put(id, record),
    }),
    [MOMENT, CLOCK, `${NOT_REPLACED}: it has expired`],
  ),
  store(
    "replace() says no, and stores all the same",
    (good) => ({
      replace(id, record, version) {
        const there = good.live(id);
        if (there !== undefined) good.put(id, record);
        return there?.version === version;
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
      async replace(id, record, version) {
        const isThere = good.live(id)?.version === version;
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
      replace: (id, record, version) =>
        good.replace(id, { ...record, userId: good.read(id)?.userId ?? null }, version),
    }),
    [`${LISTED}: after somebody else has logged in`, `${REPLACED}: a new user`],
  ),
  store(
    "replace() leaves when the session ends",
    (good) => ({
      replace(id, record, version) {
        const { expiresAt } = good.read(id) ?? record;
        return good.replace(id, { ...record, expiresAt }, version);
      },
    }),
    [
      KEEPS,
      `${REPLACED}: new times`,
      `${SWEPT}: those whose end has come closer too`,
      `${STORE_SAVES}: it is there, a user's`,
    ],
  ),

  store(
    "rotate() leaves the old id",
    (good) => ({
      rotate: (oldId, newId, record, version) =>
        good.live(oldId)?.version === version && good.create(newId, record),
    }),
    [
      `${ATOMIC}: of many that rotate one version, one succeeds`,
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${LISTED}: after a rotate`,
      "SessionStore.rotate > removes the old one",
    ],
  ),
  store(
    "rotate() is two steps",
    (good) => ({
      async rotate(oldId, newId, record, version) {
        if (good.live(oldId)?.version !== version || !good.create(newId, record)) return false;
        await turn();
        good.delete(oldId);
        return true;
      },
    }),
    [`${ATOMIC}: of many that rotate one version, one succeeds`],
  ),
  store(
    "rotate() takes no notice of the version",
    (good) => ({
      rotate: (oldId, newId, record) =>
        good.rotate(oldId, newId, record, good.live(oldId)?.version ?? 0),
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
      rotate(oldId, newId, record, version) {
        if (oldId === newId || good.live(oldId)?.version !== version) return false;
        good.delete(oldId);
        return good.put(newId, record);
      },
    }),
    [
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${NOT_ROTATED}: the new id is another's`,
    ],
  ),
  store(
    "rotate() to its own id removes the session",
    (good) => ({
      rotate(oldId, newId, record, version) {
        const isRotated = good.rotate(oldId, newId, record, version);
        if (oldId === newId) good.delete(oldId);
        return isRotated;
      },
    }),
    [`${NOT_ROTATED}: the new id is its own`],
  ),
  store(
    "rotate() removes the old session even where the new id is taken",
    (good) => ({
      rotate(oldId, newId, record, version) {
        const isRotated = good.rotate(oldId, newId, record, version);
        if (oldId !== newId && good.live(oldId)?.version === version) good.delete(oldId);
        return isRotated;
      },
    }),
    [
      `${ATOMIC}: of many that rotate to one id, one succeeds`,
      `${NOT_ROTATED}: the new id is another's`,
    ],
  ),
  store(
    "rotate() makes a session where there is none",
    (good) => ({
      rotate: (oldId, newId, record, version) =>
        good.rows.has(oldId)
          ? good.rotate(oldId, newId, record, version)
          : good.create(newId, record),
    }),
    [
      `${ATOMIC}: of many that rotate one version, one succeeds`,
      `${NOT_ROTATED}: it was never there`,
      `${NOT_ROTATED}: it was deleted`,
    ],
  ),
  store(
    "rotate() revives a session that has expired",
    (good) => ({
      rotate(oldId, newId, record, version) {
        if (good.read(oldId)?.version !== version || !good.create(newId, record)) return false;
        good.delete(oldId);
        return true;
      },
    }),
    [`${NOT_ROTATED}: it has expired`],
  ),
  store(
    "rotate() refuses the id of a session that has expired",
    (good) => ({
      rotate: (oldId, newId, record, version) =>
        !good.rows.has(newId) && good.rotate(oldId, newId, record, version),
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
  ]),
  touching("touch() takes the flash messages away", () => ({ flash: null }), [
    "SessionStore.touch > Begins the idle timeout anew: and changes nothing else",
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
        const record = good.read(id);
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
        const record = good.live(id);
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
        if (!good.rows.delete(id)) throw Error("There is no such session.");
      },
    }),
    [
      `${DELETES}: both, for one that was never there`,
      `${DELETES}: empty data, for one that was never there`,
      `${DELETES}: a timeout of 0, for one that was never there`,
      "SessionStore.delete > One that does not exist is no error: it was never there",
      "SessionStore.delete > One that does not exist is no error: it was deleted",
    ],
  ),
  store(
    "delete() fails where a session has expired",
    (good) => ({
      delete(id) {
        if (good.rows.has(id) && good.live(id) === undefined) throw Error("It has expired.");
        good.delete(id);
      },
    }),
    ["SessionStore.delete > One that does not exist is no error: it has expired"],
  ),
  store(
    "delete() only empties the session",
    (good) => ({
      delete(id) {
        const record = good.read(id);
        if (record !== undefined) good.put(id, { ...record, data: "{}" });
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
    ],
  ),
  store(
    "delete() removes whatever nobody has logged into",
    (good) => ({
      delete(id) {
        good.delete(id);
        for (const [other, { userId }] of good.rows) if (userId === null) good.delete(other);
      },
    }),
    [DELETES, "SessionStore.delete > Removes the record"],
  ),

  store(
    "list() gives what has expired",
    (good) => ({
      list: (userId) => good.listOf(userId, good.idsOf(userId)),
    }),
    [MOMENT, CLOCK, "SessionStore.list > live sessions: none that has expired"],
  ),
  store(
    "list() takes users for one whose names differ in their case",
    (good) => ({
      list(userId) {
        const isTheirs = (id: string): boolean =>
          good.live(id)?.userId?.toLowerCase() === userId.toLowerCase();
        return good.listOf(userId, [...good.rows.keys()].filter(isTheirs));
      },
    }),
    [LISTED],
  ),
  listing("list() gives the youngest first", (sessions) => sessions.toReversed(), [
    "SessionStore.list > oldest first",
  ]),
  listing(
    "list() tells more of a session than is asked",
    (sessions) => sessions.map((info) => ({ ...info, data: "{}" })),
    ["SessionInfo > One of a user's sessions, as `list` gives it"],
  ),
  listing(
    "list() does not tell when a user logged in",
    (sessions) => sessions.map((info) => ({ ...info, authenticatedAt: null })),
    [
      "SessionInfo > One of a user's sessions, as `list` gives it",
      "SessionInfo > Times are Unix milliseconds",
    ],
  ),
  listing(
    "list() numbers the sessions",
    (sessions) => sessions.map((info, index) => ({ ...info, handle: String(index) })),
    [
      "SessionInfo > One of a user's sessions, as `list` gives it",
      "SessionInfo.handle > Names the session towards `revoke`",
      LISTED,
      "SessionStore.list > oldest first",
      `${LISTED}: after a rotate`,
      `${LISTED}: after somebody else has logged in`,
      `${LISTED}: after a delete`,
    ],
  ),
  store(
    "list() goes by who logged in first",
    (good) => {
      const users = new Map<string, string | null>();
      return {
        create(id, record) {
          users.set(id, record.userId);
          return good.create(id, record);
        },
        list: (userId) =>
          good.listOf(
            userId,
            [...users.keys()].filter(
              (id) => users.get(id) === userId && good.live(id) !== undefined,
            ),
          ),
      };
    },
    [`${LISTED}: after a rotate`, `${LISTED}: after somebody else has logged in`],
  ),
  store(
    "list() gives what was deleted",
    (good) => {
      const deleted: SessionInfo[] = [];
      return {
        delete(id) {
          const userId = good.read(id)?.userId ?? "";
          deleted.push(...good.listOf(userId, [id]));
          good.delete(id);
        },
        list: (userId) => [...good.list(userId), ...deleted.filter((one) => one.userId === userId)],
      };
    },
    [`${LISTED}: after a delete`],
  ),
  store(
    "deleteAll() takes no notice of `exceptId`",
    (good) => ({ deleteAll: (userId) => good.deleteAll(userId) }),
    [
      "SessionStore.deleteAll > all but `exceptId`",
      "SessionStore.deleteAll > How many live ones there were",
    ],
  ),
  store(
    "deleteAll() counts what has expired",
    (good) => ({
      deleteAll(userId, exceptId) {
        const count = good.idsOf(userId).filter((id) => id !== exceptId).length;
        good.deleteAll(userId, exceptId);
        return count;
      },
    }),
    ["SessionStore.deleteAll > How many live ones there were"],
  ),
  store(
    "deleteAll() counts `exceptId`",
    (good) => ({
      deleteAll(userId, exceptId) {
        const { length } = good.list(userId);
        good.deleteAll(userId, exceptId);
        return length;
      },
    }),
    ["SessionStore.deleteAll > How many live ones there were"],
  ),
  store(
    "deleteAll() leaves what has expired",
    (good) => ({
      deleteAll(userId, exceptId) {
        const theirs = good.list(userId).filter(({ handle }) => handle !== exceptId);
        for (const { handle } of theirs) good.delete(handle);
        return theirs.length;
      },
    }),
    ["SessionStore.deleteAll > Removes the user's sessions"],
  ),
  store(
    "deleteAll() removes whatever nobody has logged into as well",
    (good) => ({
      deleteAll(userId, exceptId) {
        for (const [id, record] of good.rows) if (record.userId === null) good.delete(id);
        return good.deleteAll(userId, exceptId);
      },
    }),
    ["SessionStore.deleteAll > Removes the user's sessions: and nobody else's"],
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
    ["SessionStore.sweep > and no others"],
  ),
  store("sweep() takes no notice of the limit", (good) => ({ sweep: () => good.sweep(Infinity) }), [
    SWEPT,
  ]),
  store(
    "sweep() always says that it removed as many as it may",
    (good) => ({
      sweep(limit) {
        good.sweep(limit);
        return limit;
      },
    }),
    ["SessionStore.sweep > How many it removed"],
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
        sweep(limit) {
          const isOver = (id: string): boolean => (ends.get(id) ?? 0) <= good.clock();
          const ids = good.expiredIds().filter(isOver).slice(0, limit);
          for (const id of ids) good.delete(id);
          return ids.length;
        },
      };
    },
    [`${SWEPT}: those whose end has come closer too`],
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
    "read() gives one object for good, and changes it",
    (good) => {
      const objects = new Map<string, SessionRecord>();
      const read = (id: string): SessionRecord | undefined => {
        const record = good.read(id);
        if (record === undefined) return undefined;
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
    "read() gives what it gave the first time",
    (good) => {
      const first = new Map<string, SessionRecord>();
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
      "SessionStore.sweep > How many it removed",
      `${STORE_SAVES}: it has expired`,
      `${STORE_SAVES}: it is there, a user's`,
    ],
  ),
  store(
    "read() gives an empty session for none, as one that has expired",
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
      "SessionStore.deleteAll > Removes the user's sessions",
      "SessionStore.deleteAll > all but `exceptId`",
      "SessionStore.read > `undefined` when there is none",
      "SessionStore.rotate > removes the old one",
      "SessionStore.delete > Removes the record",
      `${SWEPT}: and all of them in the end`,
      `${SWEPT}: those whose end has come closer too`,
      "SessionStore.sweep > How many it removed",
      "SessionStore.save > Empty data, or a timeout of 0, deletes the session",
    ],
  ),

  store(
    "create() gives up the session that was stored before",
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
    "read() gives an expired session another minute",
    (good) => ({
      read(id) {
        const record = good.read(id);
        if (record === undefined || good.live(id) !== undefined) return record;
        return { ...record, expiresAt: good.clock() + 60_000 };
      },
    }),
    [
      KEEPS,
      MOMENT,
      "SessionStore.read > May still give one that has expired: as one that has",
      `${NOT_TOUCHED}: it has expired`,
      "SessionStore.load > `{}` when there is none: it has expired",
      `${STORE_SAVES}: it has expired`,
    ],
  ),

  store(
    "load() makes a session where there is none",
    (good) => ({
      async load(id) {
        const record = good.live(id);
        return record === undefined ? { isNew: true } : dataIn(record.data);
      },
    }),
    [
      IDS,
      "SessionBackend.load > `{}`, `null` and `undefined` all mean that there is no such session",
      KEEPS,
      DELETES,
      MOMENT,
      "SessionStore.load > `{}` when there is none",
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
    "load() gives the very object that it keeps",
    (good) => {
      const objects = new Map<string, SessionData>();
      return {
        async load(id) {
          const text = good.live(id)?.data ?? "{}";
          const object = objects.get(text) ?? dataIn(text);
          objects.set(text, object);
          return object;
        },
      };
    },
    ["SessionBackend > Data is handed over as a value: what was loaded can be changed"],
  ),
  store(
    "load() gives `undefined` for nothing",
    (good) => ({
      async load(id) {
        const record = good.live(id);
        return (record && dataIn(record.data)) as SessionData;
      },
    }),
    ["SessionStore.load > `{}` when there is none"],
  ),
  store(
    "load() gives what has expired",
    (good) => ({ load: async (id) => dataIn(good.read(id)?.data ?? "{}") }),
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
        const version = good.live(id)?.version ?? 1;
        await good.save(id, data, timeout);
        const record = good.read(id);
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
  ]),
  storing(
    "users are cut off at a space",
    ({ userId }) => ({ userId: userId && (userId.split(" ")[0] ?? "") }),
    ["SessionRecord.userId > Whose session it is", LISTED],
  ),
  storing("flash messages are not stored", () => ({ flash: null }), [
    "SessionRecord.flash > Messages left for the next request, as JSON text by name: a message",
    `${REPLACED}: new data`,
  ]),
  storing("`remember` is not stored", () => ({ remember: null }), [
    `${REMEMBER}: a week`,
    `${REMEMBER}: a century`,
    `${REPLACED}: a new user`,
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
  ]),
  storing("`userId` of nobody is empty", ({ userId }) => ({ userId: userId ?? "" }), [
    "SessionRecord.userId > `null` while nobody has logged in: nobody",
  ]),
  storing(
    "`userId` is cut off at a quote",
    ({ userId }) => ({ userId: userId && (userId.split("'")[0] ?? "") }),
    ["SessionRecord.userId > Whose session it is: a name that looks like SQL"],
  ),
  storing("`createdAt` is when it was written last", () => ({ createdAt: Date.now() }), [
    "SessionRecord > Times are Unix milliseconds",
    "SessionRecord.createdAt > When the session began: long ago",
    "SessionInfo > Times are Unix milliseconds",
    "SessionStore.list > oldest first",
    `${REPLACED}: new times`,
  ]),
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
      "SessionRecord.touchedAt > When the session's idle timeout last began anew: long ago",
      "SessionRecord.expiresAt > When the session ends if nobody uses it again: far away",
      "SessionRecord.authenticatedAt > When the user logged in: long ago",
      "SessionInfo > Times are Unix milliseconds",
      "SessionStore.list > oldest first",
      `${REPLACED}: a new user`,
      `${REPLACED}: new times`,
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
  ]),
  store(
    "ids that differ in their case are one",
    (good) => ({
      read: (id) => good.read(id.toLowerCase()),
      create: (id, record) => good.create(id.toLowerCase(), record),
      replace: (id, record, version) => good.replace(id.toLowerCase(), record, version),
      rotate: (oldId, newId, record, version) =>
        good.rotate(oldId.toLowerCase(), newId.toLowerCase(), record, version),
      touch: (id, expiresAt) => good.touch(id.toLowerCase(), expiresAt),
      delete: (id) => good.delete(id.toLowerCase()),
    }),
    [
      IDS,
      "SessionInfo > One of a user's sessions, as `list` gives it",
      "SessionInfo.handle > Names the session towards `revoke`",
      LISTED,
      "SessionStore.list > oldest first",
      `${LISTED}: after a rotate`,
      `${LISTED}: after somebody else has logged in`,
      `${LISTED}: after a delete`,
      "SessionStore.deleteAll > all but `exceptId`",
      "SessionStore.deleteAll > How many live ones there were",
    ],
  ),
  store(
    "what has expired is looked at only when it is stored",
    (good) => ({
      create: (id, record) =>
        record.expiresAt <= good.clock() || (!good.rows.has(id) && good.put(id, record)),
      replace: (id, record, version) => good.read(id)?.version === version && good.put(id, record),
      touch(id, expiresAt) {
        const record = good.read(id);
        if (record === undefined) return false;
        const version = record.version + 1;
        return good.put(id, { ...record, touchedAt: good.clock(), expiresAt, version });
      },
      list: (userId) => good.listOf(userId, good.idsOf(userId)),
    }),
    [CLOCK],
  ),
  sharing(
    "writes are atomic inside a process, and not between two",
    (good) => {
      const queue = new KeyedQueue();
      return {
        replace: (id, record, version) =>
          queue.run(id, async () => {
            const isThere = good.live(id)?.version === version;
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
];

/** A good store with some methods in place of its own. */
function store(
  fault: string,
  make: (good: MapStore) => Partial<SessionStore>,
  red: readonly string[],
): Broken {
  return { fault, create: (now) => faulty(new MapStore(now), make), red };
}

/** The same on records that all that are made share, as processes share a database. */
function sharing(
  fault: string,
  make: (good: MapStore) => Partial<SessionStore>,
  red: readonly string[],
): Broken {
  const rows = new Map<string, SessionRecord>();
  return { fault, create: (now) => faulty(new MapStore(now, rows), make), red };
}

function faulty(good: MapStore, make: (good: MapStore) => Partial<SessionStore>): SessionStore {
  return Object.assign(Object.create(good) as SessionStore, make(good));
}

/** One that changes records on their way in. */
function storing(
  fault: string,
  change: (record: SessionRecord) => Partial<SessionRecord>,
  red: readonly string[],
): Broken {
  const changed = (record: SessionRecord): SessionRecord => ({ ...record, ...change(record) });
  return store(
    fault,
    (good) => ({
      create: (id, record) => good.create(id, changed(record)),
      replace: (id, record, version) => good.replace(id, changed(record), version),
      rotate: (oldId, newId, record, version) =>
        good.rotate(oldId, newId, changed(record), version),
    }),
    red,
  );
}

/** One that touches records in a way of its own. */
function touching(
  fault: string,
  change: (record: SessionRecord) => Partial<SessionRecord>,
  red: readonly string[],
): Broken {
  return store(
    fault,
    (good) => ({
      touch(id, expiresAt) {
        const record = good.live(id);
        if (record === undefined) return false;
        const touched = { touchedAt: good.clock(), expiresAt, version: record.version + 1 };
        return good.put(id, { ...record, ...touched, ...change(record) });
      },
    }),
    red,
  );
}

/** One that changes lists on their way out. */
function listing(
  fault: string,
  change: (sessions: readonly SessionInfo[]) => readonly SessionInfo[],
  red: readonly string[],
): Broken {
  return store(fault, (good) => ({ list: (userId) => change(good.list(userId)) }), red);
}

function nothing(record: SessionRecord): Partial<SessionRecord> {
  const { flash, userId, authenticatedAt, remember } = record;
  return {
    flash: flash ?? "",
    userId: userId ?? "",
    authenticatedAt: authenticatedAt ?? 0,
    remember: remember ?? 0,
  };
}

function dataIn(text: string): SessionData {
  return JSON.parse(text) as SessionData;
}

function toSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
