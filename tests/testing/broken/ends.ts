import { EndListeners } from "../../../src/store/end-listeners.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import type { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import { breakStores } from "./faulty-store.ts";

type Make = (good: MapStore) => Partial<SessionStore>;

/** One that tells of ends, with the ids that a change of what it tells makes of those that are right. */
function telling(
  change: (method: "delete" | "deleteAll" | "rotate", ids: string[], newId?: string) => string[],
): Make {
  const ends = new EndListeners();
  return (good) => ({
    delete(id) {
      const successor = good.delete(id);
      ends.tell(change("delete", [id]));
      return successor;
    },
    deleteAll(...args) {
      const ids = good.deleteAll(...args);
      ends.tell(change("deleteAll", ids));
      return ids;
    },
    rotate(oldId, newId, record, old) {
      const isDone = good.rotate(oldId, newId, record, old);
      if (isDone) ends.tell(change("rotate", [oldId], newId));
      return isDone;
    },
    watchEnds: (listener) => ends.add(listener),
  });
}

/** One that does not tell of what the method of this name ends. */
function forgetting(missed: string): Make {
  return telling((by, ids) => (by === missed ? [] : ids));
}

/** Stores with one fault in how the ends of sessions are noticed. */
export const BROKEN_ENDS: readonly Broken[] = breakStores({
  "watchEnds() is not told of delete()": {
    red: "TOLD: delete | UNTOLD",
    make: forgetting("delete"),
  },
  "watchEnds() is not told of deleteAll()": {
    red: "TOLD: deleteAll",
    make: forgetting("deleteAll"),
  },
  "watchEnds() is not told of rotate()": { red: "TOLD: rotate", make: forgetting("rotate") },
  "watchEnds() tells the new id of a rotate()": {
    red: "TOLD: rotate",
    make: telling((_, ids, newId) => (newId === undefined ? ids : [newId])),
  },
  "watchEnds() tells only of what the store ends itself": {
    red: "TOLD",
    isShared: true,
    make: (good) => telling((_, ids) => ids)(good),
  },
  "watchEnds() cannot be stopped": {
    red: "UNTOLD",
    make(good) {
      const right = telling((_, ids) => ids)(good);
      return {
        ...right,
        watchEnds: (listener) => (void right.watchEnds?.(listener), () => undefined),
      };
    },
  },
  "watchEnds() stops all when one is stopped": {
    red: "UNTOLD",
    make(good) {
      const ends = new Set<(ids: readonly string[]) => void>();
      return {
        delete(id) {
          for (const listener of ends) listener([id]);
          return good.delete(id);
        },
        deleteAll(...args) {
          const ids = good.deleteAll(...args);
          for (const listener of ends) listener(ids);
          return ids;
        },
        rotate(oldId, newId, record, old) {
          for (const listener of ends) listener([oldId]);
          return good.rotate(oldId, newId, record, old);
        },
        watchEnds(listener) {
          ends.add(listener);
          return () => ends.clear();
        },
      };
    },
  },
  "foreignWrites() never changes": { red: "WRITTEN", isShared: true, foreignWrites: () => () => 0 },
  "readTimes() leaves out the first": {
    red: "TIMES",
    readTimes: (good) => (ids) => good.readTimes(ids.slice(1)),
  },
  "readTimes() does not tell what a session is remembered for": {
    red: "TIMES",
    readTimes: (good) => async (ids) => {
      const times = await good.readTimes(ids);
      return new Map([...times].map(([id, facts]) => [id, { ...facts, remember: null }]));
    },
  },
  "readTimes() returns all sessions": {
    red: "TIMES | NOT_LIVE",
    readTimes: (good) => () => good.readTimes([...good.rows.keys()]),
  },
  "readTimes() returns what has expired": {
    red: "NOT_LIVE",
    readTimes: (good) => async (ids) => {
      const found = ids.map((id) => [id, good.findRecord(id)] as const);
      return new Map(found.flatMap(([id, record]) => (record === undefined ? [] : [[id, record]])));
    },
  },
});
