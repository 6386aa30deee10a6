import type { SessionInfo } from "../../../src/store/record.ts";
import type { Broken } from "./broken.ts";
import {
  AFTER_WRITES,
  CLOCK,
  DELETES_ALL,
  IDS_REMOVED,
  INFO,
  LIMITED,
  LISTED,
  MOMENT,
  NEVER_THEIRS,
  NONE_LEFT,
  NOTE,
  ORDER,
} from "./broken.ts";
import { listing, store } from "./faulty-store.ts";

/** Stores with one fault in what they tell of a user's sessions. */
export const BROKEN_LISTS: readonly Broken[] = [
  store(
    "list() returns what has expired",
    (good) => ({
      list: (userId, limit) => good.toInfos(userId, good.findIds(userId)).slice(0, limit),
    }),
    [MOMENT, CLOCK, "SessionStore.list > live sessions: none that has expired", LIMITED],
  ),
  store(
    "list() takes users for one whose names differ in their case",
    (good) => ({
      list(userId, limit) {
        const isTheirs = (id: string): boolean =>
          good.findLive(id)?.userId?.toLowerCase() === userId.toLowerCase();
        return good.toInfos(userId, [...good.rows.keys()].filter(isTheirs)).slice(0, limit);
      },
    }),
    [LISTED],
  ),
  listing(
    "list() returns those first that were touched first",
    (sessions) => sessions.toReversed(),
    [ORDER, AFTER_WRITES],
  ),
  listing(
    "list() goes by when the sessions began",
    (sessions) => sessions.toSorted((one, other) => other.createdAt - one.createdAt),
    [ORDER, AFTER_WRITES],
  ),
  store(
    "list() goes by when the sessions were touched at first",
    (good) => {
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
    [AFTER_WRITES],
  ),
  store(
    "list() takes no notice of the limit",
    (good) => ({ list: (userId) => good.list(userId, Infinity) }),
    [LIMITED],
  ),
  store(
    "list() returns any sessions up to the limit, in order",
    (good) => ({
      list(userId, limit) {
        const ids = good.findIds(userId).filter((id) => good.findLive(id) !== undefined);
        return good.toInfos(userId, ids.slice(0, limit));
      },
    }),
    [LIMITED],
  ),
  store(
    "list() counts what has expired towards the limit",
    (good) => ({
      list: (userId, limit) =>
        good
          .toInfos(userId, good.findIds(userId))
          .slice(0, limit)
          .filter(({ handle }) => good.findLive(handle) !== undefined),
    }),
    [LIMITED],
  ),
  listing(
    "list() tells more of a session than is asked",
    (sessions) => sessions.map((info) => ({ ...info, data: "{}" })),
    [INFO],
  ),
  listing(
    "list() does not tell when a user logged in",
    (sessions) => sessions.map((info) => ({ ...info, authenticatedAt: null })),
    [INFO, "SessionInfo > Times are Unix milliseconds"],
  ),
  listing(
    "list() does not tell what a session is called",
    (sessions) => sessions.map((info) => ({ ...info, label: null })),
    [INFO],
  ),
  listing(
    "list() numbers the sessions",
    (sessions) => sessions.map((info, index) => ({ ...info, handle: String(index) })),
    [
      INFO,
      "SessionInfo.handle > Names the session towards `revoke`",
      LISTED,
      LIMITED,
      ORDER,
      AFTER_WRITES,
      `${LISTED}: after a rotate`,
      `${LISTED}: after another user has logged in`,
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
        list(userId, limit) {
          const isTheirs = (id: string): boolean =>
            users.get(id) === userId && good.findLive(id) !== undefined;
          return good.toInfos(userId, [...users.keys()].filter(isTheirs)).slice(0, limit);
        },
      };
    },
    [
      `${LISTED}: after a rotate`,
      `${LISTED}: after another user has logged in`,
      AFTER_WRITES,
      `${NOTE}: \`list\` does not count it`,
    ],
  ),
  store(
    "list() returns what was deleted",
    (good) => {
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
    [`${LISTED}: after a delete`],
  ),
  store(
    "deleteAll() takes no notice of `exceptId`",
    (good) => ({ deleteAll: (userId, _, limit) => good.deleteAll(userId, undefined, limit) }),
    [NEVER_THEIRS, NONE_LEFT],
  ),
  store(
    "deleteAll() counts `exceptId` towards the limit",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const ids = good.findIds(userId).slice(0, limit);
        const removed = ids.filter((id) => id !== exceptId);
        for (const id of removed) good.rows.delete(id);
        return removed;
      },
    }),
    [NONE_LEFT],
  ),
  store(
    "deleteAll() takes no notice of the limit",
    (good) => ({ deleteAll: (userId, exceptId) => good.deleteAll(userId, exceptId, Infinity) }),
    [DELETES_ALL],
  ),
  store(
    "deleteAll() returns the ids of all that the user has",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const ids = good.findIds(userId).filter((id) => id !== exceptId);
        good.deleteAll(userId, exceptId, limit);
        return ids;
      },
    }),
    [DELETES_ALL, IDS_REMOVED, NONE_LEFT],
  ),
  store(
    "deleteAll() returns `exceptId` as well",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const removed = good.deleteAll(userId, exceptId, limit);
        return exceptId === undefined ? removed : [...removed, exceptId];
      },
    }),
    [NEVER_THEIRS, NONE_LEFT],
  ),
  store(
    "deleteAll() returns other ids than it removes",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const ids = good.findIds(userId).filter((id) => id !== exceptId);
        const { length } = good.deleteAll(userId, exceptId, limit);
        return ids.slice(-length || ids.length);
      },
    }),
    [IDS_REMOVED, NONE_LEFT],
  ),
  store(
    "deleteAll() leaves what has expired",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const ids = good.findIds(userId).filter((id) => id !== exceptId && good.isTaken(id));
        for (const id of ids.slice(0, limit)) good.rows.delete(id);
        return ids.slice(0, limit);
      },
    }),
    [`${DELETES_ALL}, expired or not`],
  ),
  store(
    "deleteAll() removes whatever nobody has logged into as well",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        for (const id of good.rows.keys())
          if (good.findRecord(id)?.userId === null) good.delete(id);
        return good.deleteAll(userId, exceptId, limit);
      },
    }),
    [`${DELETES_ALL}: and nobody else's`],
  ),
];
