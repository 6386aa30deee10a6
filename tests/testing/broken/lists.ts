import type { SessionInfo } from "../../../src/store/record.ts";
import type { Broken } from "./broken.ts";
import { breakStores } from "./faulty-store.ts";

/** Stores with one fault in what they tell of a user's sessions. */
export const BROKEN_LISTS: readonly Broken[] = breakStores({
  "list() returns what has expired": {
    red: "MOMENT | CLOCK | SessionStore.list > live sessions: none that has expired | LIMITED",
    list: (good) => (userId, limit) => good.toInfos(userId, good.findIds(userId)).slice(0, limit),
  },
  "list() takes users for one whose names differ in their case": {
    red: "LISTED",
    list: (good) => (userId, limit) => {
      const isTheirs = (id: string): boolean =>
        good.findLive(id)?.userId?.toLowerCase() === userId.toLowerCase();
      return good.toInfos(userId, [...good.rows.keys()].filter(isTheirs)).slice(0, limit);
    },
  },
  "list() returns those first that were touched first": {
    red: "ORDER | AFTER_WRITES",
    listing: (sessions) => sessions.toReversed(),
  },
  "list() goes by when the sessions began": {
    red: "ORDER | AFTER_WRITES",
    listing: (sessions) => sessions.toSorted((one, other) => other.createdAt - one.createdAt),
  },
  "list() goes by when the sessions were touched at first": {
    red: "AFTER_WRITES",
    make: (good) => {
      const times = new Map<string, number>();
      const touchedAt = (id: string): number => times.get(id) ?? 0;
      return {
        create(id, record) {
          times.set(id, record.touchedAt);
          return good.create(id, record);
        },
        list: (userId, limit) =>
          good
            .list(userId, Infinity)
            .toSorted((one, other) => touchedAt(other.handle) - touchedAt(one.handle))
            .slice(0, limit),
      };
    },
  },
  "list() takes no notice of the limit": {
    red: "LIMITED",
    list: (good) => (userId) => good.list(userId, Infinity),
  },
  "list() returns any sessions up to the limit, in order": {
    red: "LIMITED",
    list: (good) => (userId, limit) => {
      const ids = good.findIds(userId).filter((id) => good.findLive(id) !== undefined);
      return good.toInfos(userId, ids.slice(0, limit));
    },
  },
  "list() counts what has expired towards the limit": {
    red: "LIMITED",
    list: (good) => (userId, limit) =>
      good
        .toInfos(userId, good.findIds(userId))
        .slice(0, limit)
        .filter(({ handle }) => good.findLive(handle) !== undefined),
  },
  "list() tells more of a session than is asked": {
    red: "INFO",
    listing: (sessions) => sessions.map((info) => ({ ...info, data: "{}" })),
  },
  "list() does not tell when a user logged in": {
    red: "INFO | SessionInfo > Times are Unix milliseconds",
    listing: (sessions) => sessions.map((info) => ({ ...info, authenticatedAt: null })),
  },
  "list() does not tell what a session is called": {
    red: "INFO",
    listing: (sessions) => sessions.map((info) => ({ ...info, label: null })),
  },
  "list() numbers the sessions": {
    red: `INFO | SessionInfo.handle > Identifies the session for revoke | LISTED | LIMITED | ORDER |
      AFTER_WRITES | LISTED: after a rotate | LISTED: after another user has logged in |
      LISTED: after a delete`,
    listing: (sessions) => sessions.map((info, index) => ({ ...info, handle: String(index) })),
  },
  "list() goes by who logged in first": {
    red: `LISTED: after a rotate | LISTED: after another user has logged in | AFTER_WRITES |
      NOTE: list does not count it`,
    make: (good) => {
      const users = new Map<string, string | null>();
      return {
        create(id, record) {
          users.set(id, record.userId);
          return good.create(id, record);
        },
        list(userId, limit) {
          const isTheirs = (id: string): boolean =>
            users.get(id) === userId && good.findLive(id) !== undefined;
          return good.toInfos(userId, [...users.keys()].filter(isTheirs)).slice(0, limit);
        },
      };
    },
  },
  "list() returns what was deleted": {
    red: "LISTED: after a delete",
    make: (good) => {
      const deleted: SessionInfo[] = [];
      return {
        delete(id) {
          const userId = good.findRecord(id)?.userId ?? "";
          deleted.push(...good.toInfos(userId, [id]));
          return good.delete(id);
        },
        list: (userId, limit) => [
          ...good.list(userId, limit),
          ...deleted.filter((one) => one.userId === userId),
        ],
      };
    },
  },
  "deleteAll() takes no notice of `exceptId`": {
    red: "NEVER_THEIRS | NONE_LEFT",
    deleteAll: (good) => (userId, _, limit) => good.deleteAll(userId, undefined, limit),
  },
  "deleteAll() counts `exceptId` towards the limit": {
    red: "NONE_LEFT",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).slice(0, limit);
      const removed = ids.filter((id) => id !== exceptId);
      for (const id of removed) good.rows.delete(id);
      return removed;
    },
  },
  "deleteAll() takes no notice of the limit": {
    red: "DELETES_ALL",
    deleteAll: (good) => (userId, exceptId) => good.deleteAll(userId, exceptId, Infinity),
  },
  "deleteAll() returns the ids of all that the user has": {
    red: "DELETES_ALL | IDS_REMOVED | NONE_LEFT",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId);
      good.deleteAll(userId, exceptId, limit);
      return ids;
    },
  },
  "deleteAll() returns `exceptId` as well": {
    red: "NEVER_THEIRS | NONE_LEFT",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const removed = good.deleteAll(userId, exceptId, limit);
      return exceptId === undefined ? removed : [...removed, exceptId];
    },
  },
  "deleteAll() returns other ids than it removes": {
    red: "IDS_REMOVED | NONE_LEFT",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId);
      const { length } = good.deleteAll(userId, exceptId, limit);
      return ids.slice(-length || ids.length);
    },
  },
  "deleteAll() leaves what has expired": {
    red: "DELETES_ALL, expired or not",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId && good.isTaken(id));
      for (const id of ids.slice(0, limit)) good.rows.delete(id);
      return ids.slice(0, limit);
    },
  },
  "deleteAll() removes whatever nobody has logged into as well": {
    red: "DELETES_ALL: and nobody else's",
    deleteAll: (good) => (userId, exceptId, limit) => {
      for (const id of good.rows.keys()) if (good.findRecord(id)?.userId === null) good.delete(id);
      return good.deleteAll(userId, exceptId, limit);
    },
  },
});
