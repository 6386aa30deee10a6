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
    red: "SessionStore.watchEnds > … delete",
    make: forgetting("delete"),
  },
  "watchEnds() is not told of deleteAll()": {
    red: "SessionStore.watchEnds > Calls listener … deleteAll",
    make: forgetting("deleteAll"),
  },
  "watchEnds() is not told of rotate()": {
    red: "SessionStore.watchEnds > Calls listener … rotate",
    make: forgetting("rotate"),
  },
  "watchEnds() tells the new id of a rotate()": {
    red: "SessionStore.watchEnds > Calls listener … rotate",
    make: telling((_, ids, newId) => (newId === undefined ? ids : [newId])),
  },
  "watchEnds() tells only of what the store ends itself": {
    red: "SessionStore.watchEnds > Calls listener …",
    isShared: true,
    make: (good) => telling((_, ids) => ids)(good),
  },
  "watchEnds() cannot be stopped": {
    red: "SessionStore.watchEnds > Returns a function …",
    make(good) {
      const right = telling((_, ids) => ids)(good);
      return {
        ...right,
        watchEnds: (listener) => (void right.watchEnds?.(listener), () => undefined),
      };
    },
  },
  "watchEnds() stops all when one is stopped": {
    red: "SessionStore.watchEnds > Returns a function …",
    make(good) {
      const right = telling((_, ids) => ids)(good);
      const stops: unknown[] = [];
      const stopAll = (): void => stops.forEach((stop) => (stop as () => void)());
      return {
        ...right,
        watchEnds: (listener) => (stops.push(right.watchEnds?.(listener)), stopAll),
      };
    },
  },
  "foreignWrites() never changes": {
    red: "SessionStore.foreignWrites > …",
    isShared: true,
    foreignWrites: () => () => 0,
  },
  "readTimes() leaves out the first": {
    red: "SessionStore.readTimes > The times of the live sessions among these, by their ids",
    readTimes: (good) => (ids) => good.readTimes(ids.slice(1)),
  },
  "readTimes() does not tell what a session is remembered for": {
    red: "SessionStore.readTimes > The times of the live sessions among these, by their ids",
    readTimes: (good) => async (ids) => {
      const times = await good.readTimes(ids);
      return new Map([...times].map(([id, facts]) => [id, { ...facts, remember: null }]));
    },
  },
  "readTimes() returns all sessions": {
    red: "SessionStore.readTimes > … of none that is not live",
    readTimes: (good) => () => good.readTimes([...good.rows.keys()]),
  },
});
