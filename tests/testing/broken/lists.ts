import type { Broken } from "./broken.ts";
import { breakStores } from "./faulty-store.ts";

/** Stores with one fault in what they tell of a user's sessions. */
export const BROKEN_LISTS: readonly Broken[] = breakStores({
  "list() returns what has expired": {
    red: "SessionStore.list > … none that has expired",
    list: (good) => (userId, limit) => good.toInfos(userId, good.findIds(userId)).slice(0, limit),
  },
  "list() takes users for one whose names differ in their case": {
    red: "SessionStore.list > The user's live sessions",
    list: (good) => (userId, limit) => {
      const isTheirs = (id: string): boolean =>
        good.findLive(id)?.userId?.toLowerCase() === userId.toLowerCase();
      return good.toInfos(userId, [...good.rows.keys()].filter(isTheirs)).slice(0, limit);
    },
  },
  "list() returns those first that were touched first": {
    red: "SessionStore.list > the most recently touched first",
    listing: (sessions) => sessions.toReversed(),
  },
  "list() goes by when the sessions began": {
    red: "SessionStore.list > the most recently touched first",
    listing: (sessions) => sessions.toSorted((one, other) => other.createdAt - one.createdAt),
  },
  "list() takes no notice of the limit": {
    red: "SessionStore.list > at most limit of them",
    list: (good) => (userId) => good.list(userId, Infinity),
  },
  "list() returns any sessions up to the limit, in order": {
    red: "SessionStore.list > at most limit of them",
    list: (good) => (userId, limit) => {
      const ids = good.findIds(userId).filter((id) => good.findLive(id) !== undefined);
      return good.toInfos(userId, ids.slice(0, limit));
    },
  },
  "list() counts what has expired towards the limit": {
    red: "SessionStore.list > at most limit of them",
    list: (good) => (userId, limit) =>
      good
        .toInfos(userId, good.findIds(userId))
        .slice(0, limit)
        .filter(({ handle }) => good.findLive(handle) !== undefined),
  },
  "list() tells more of a session than is asked": {
    red: "SessionInfo > One of a user's sessions …",
    listing: (sessions) => sessions.map((info) => ({ ...info, data: "{}" })),
  },
  "list() does not tell when a user logged in": {
    red: "SessionInfo > One of a user's sessions …",
    listing: (sessions) => sessions.map((info) => ({ ...info, authenticatedAt: null })),
  },
  "list() does not tell what a session is called": {
    red: "SessionInfo > One of a user's sessions …",
    listing: (sessions) => sessions.map((info) => ({ ...info, label: null })),
  },
  "list() numbers the sessions": {
    red: "SessionInfo.handle > …",
    listing: (sessions) => sessions.map((info, index) => ({ ...info, handle: String(index) })),
  },
  "deleteAll() takes no notice of `exceptId`": {
    red: "SessionStore.deleteAll > never exceptId",
    deleteAll: (good) => (userId, _, limit) => good.deleteAll(userId, undefined, limit),
  },
  "deleteAll() counts `exceptId` towards the limit": {
    red: "SessionStore.deleteAll > none only if none was left",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).slice(0, limit);
      const removed = ids.filter((id) => id !== exceptId);
      for (const id of removed) good.rows.delete(id);
      return removed;
    },
  },
  "deleteAll() takes no notice of the limit": {
    red: "SessionStore.deleteAll > Removes at most limit of the user's sessions",
    deleteAll: (good) => (userId, exceptId) => good.deleteAll(userId, exceptId, Infinity),
  },
  "deleteAll() returns the ids of all that the user has": {
    red: "SessionStore.deleteAll > Returns the ids …",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId);
      good.deleteAll(userId, exceptId, limit);
      return ids;
    },
  },
  "deleteAll() returns `exceptId` as well": {
    red: "SessionStore.deleteAll > never exceptId",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const removed = good.deleteAll(userId, exceptId, limit);
      return exceptId === undefined ? removed : [...removed, exceptId];
    },
  },
  "deleteAll() returns other ids than it removes": {
    red: "SessionStore.deleteAll > Returns the ids …",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId);
      const { length } = good.deleteAll(userId, exceptId, limit);
      return ids.slice(-length || ids.length);
    },
  },
  "deleteAll() leaves what has expired": {
    red: "SessionStore.deleteAll > … expired or not",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const ids = good.findIds(userId).filter((id) => id !== exceptId && good.isTaken(id));
      for (const id of ids.slice(0, limit)) good.rows.delete(id);
      return ids.slice(0, limit);
    },
  },
  "deleteAll() removes whatever nobody has logged into as well": {
    red: "SessionStore.deleteAll > … and nobody else's",
    deleteAll: (good) => (userId, exceptId, limit) => {
      for (const id of good.rows.keys()) if (good.findRecord(id)?.userId === null) good.delete(id);
      return good.deleteAll(userId, exceptId, limit);
    },
  },
});
