import type { SessionInfo } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import type { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import { turn } from "./broken.ts";
import { breakStores, toData } from "./faulty-store.ts";

/** Stores with one fault in what they do with forwarding notes. */
export const BROKEN_NOTES: readonly Broken[] = breakStores({
  "rotate() leaves no note": {
    red: `ONE_ROTATES | ForwardingNote > What rotate leaves under an old id | NOTE_NAMES | NOTE |
      NOTE_ID | NOTE_EXPIRES | NOTE_READ | NOT_CREATED: a note |
      NOT_ROTATED: the new id is a note's | NOTE_LEFT | NOTE_LEFT: and no longer | ONE_STEP |
      NOTE_DELETED | NO_SUCCESSOR | NOT_MISSED | NOTE_SWEPT | SessionStore.sweep > and no others`,
    rotating: (good, oldId) => good.rows.delete(oldId),
  },
  "a note names the id that it is under": {
    red: `ONE_ROTATES | NOTE_NAMES | NOTE_ID | NOTE_READ | NOTE_DELETED | NO_SUCCESSOR |
      NOT_MISSED`,
    rotating: (good, oldId) => good.leaveNote(oldId, oldId),
  },
  "notes are brought up to date when a session is rotated again": {
    red: "NOTE_NAMES",
    rotating: (good, oldId, newId) => {
      for (const [id, row] of good.rows)
        if (isNote(row) && row.supersededBy === oldId) good.leaveNote(id, newId);
    },
  },
  "a note expires after a minute": {
    red: "NOTE_EXPIRES | NOTE_LEFT: and no longer",
    rotating: (good, oldId, newId) => leaveNote(good, oldId, newId, 60),
  },
  "a note expires after ten seconds": {
    red: "NOTE_EXPIRES | NOTE_LEFT",
    rotating: (good, oldId, newId) => leaveNote(good, oldId, newId, 10),
  },
  "read() returns more of a note than where it leads, and until when": {
    red: "NOTE_READ",
    read: (good) => (id) => {
      const row = good.read(id);
      return row !== undefined && isNote(row) ? { ...row, version: -1 } : row;
    },
  },
  "create() takes the place of a note": {
    red: "NOT_CREATED: a note | NOTE_LEFT",
    create: (good) => (id, record) => good.findLive(id) === undefined && good.put(id, record),
  },
  "create() never takes the place of a note, expired or not": {
    red: "NOTE_LEFT: and no longer",
    create: (good) => (id, record) => good.findNote(id) === undefined && good.create(id, record),
  },
  "rotate() takes the place of a note": {
    red: "NOT_ROTATED: the new id is a note's",
    rotate: (good) => (oldId, newId, record, old) => {
      if (good.findNote(newId) !== undefined) good.rows.delete(newId);
      return good.rotate(oldId, newId, record, old);
    },
  },

  "load() follows a note": {
    red: "NOTE: load returns nothing",
    load: (good) => async (id) => {
      const record = good.findLive(good.findNote(id)?.supersededBy ?? id);
      return record === undefined ? {} : toData(record.data);
    },
  },
  "touch() follows a note": {
    red: "NOTE: touch refuses it",
    touch: (good) => (id, expiresAt) =>
      good.touch(good.findNote(id)?.supersededBy ?? id, expiresAt),
  },
  "touch() prolongs a note": {
    red: "NOTE: touch refuses it",
    touch: (good) => (id, expiresAt) => {
      const note = good.findNote(id);
      return note === undefined ? good.touch(id, expiresAt) : good.put(id, { ...note, expiresAt });
    },
  },
  "replace() follows a note": {
    red: "NOTE: replace refuses it, whatever the version",
    replace: (good) => (id, record, old) =>
      good.replace(good.findNote(id)?.supersededBy ?? id, record, old),
  },
  "replace() takes a note for what it was left for": {
    red: "NOTE: replace refuses it, whatever the version",
    make: (good) => {
      const rotated = new Map<string, number>();
      return {
        rotate(oldId, newId, record, old) {
          const isRotated = good.rotate(oldId, newId, record, old);
          if (isRotated) rotated.set(oldId, old.version);
          return isRotated;
        },
        replace: (id, record, old) =>
          good.findNote(id) !== undefined && rotated.get(id) === old.version
            ? good.put(id, record)
            : good.replace(id, record, old),
      };
    },
  },
  "rotate() follows a note": {
    red: "NOTE: rotate refuses it, whatever the version",
    rotate: (good) => (oldId, newId, record, old) =>
      good.rotate(good.findNote(oldId)?.supersededBy ?? oldId, newId, record, old),
  },
  "list() takes a note for the session that it leads to": {
    red: "LISTED: after a rotate | AFTER_WRITES | NOTE: list does not count it",
    list: (good) => (userId, limit) => {
      const infos = good.list(userId, Infinity);
      const withNotes = infos.concat(infos.flatMap((info) => findNotes(good, info)));
      return withNotes.slice(0, limit);
    },
  },
  "deleteAll() takes a note for the session that it leads to": {
    red: "NOTE: deleteAll does not count it",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
      return [...good.deleteAll(userId, exceptId, limit), ...notes.map(({ handle }) => handle)];
    },
  },
  "deleteAll() removes notes too": {
    red: "NOTE: deleteAll does not count it",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
      for (const { handle } of notes) good.rows.delete(handle);
      return good.deleteAll(userId, exceptId, limit);
    },
  },

  "rotate() leaves the note a moment later": {
    red: "ONE_STEP | NOT_MISSED",
    rotate: (good) => async (oldId, newId, record, old) => {
      if (!good.rotate(oldId, newId, record, old)) return false;
      good.rows.delete(oldId);
      await turn();
      return good.leaveNote(oldId, newId);
    },
  },
  "rotate() leaves the note a moment too early": {
    red: "ONE_STEP",
    make: (good) => {
      const reserved = new Set<string>();
      return {
        async rotate(oldId, newId, record, old) {
          if (reserved.has(newId) || !good.rotate(oldId, newId, record, old)) return false;
          good.rows.delete(newId);
          reserved.add(newId);
          await turn();
          reserved.delete(newId);
          return good.put(newId, record);
        },
      };
    },
  },
  "delete() looks first, and removes later": {
    red: "NOT_MISSED",
    delete: (good) => async (id) => {
      const successor = good.findNote(id)?.supersededBy;
      await turn();
      good.delete(id);
      return successor;
    },
  },
  "delete() leaves a note": {
    red: "NOTE_DELETED | NO_SUCCESSOR | NOT_MISSED | STORE_SAVES: it was rotated",
    delete: (good) => (id) => good.findNote(id)?.supersededBy ?? good.delete(id),
  },
  "delete() does not say where a note leads": {
    red: "NOTE_DELETED | NO_SUCCESSOR | NOT_MISSED",
    delete: (good) => (id) => {
      good.delete(id);
      return undefined;
    },
  },
  "delete() returns the id of a record that it removes": {
    red: "NO_SUCCESSOR | NOT_MISSED",
    delete: (good) => (id) =>
      good.findLive(id) === undefined ? good.delete(id) : (good.delete(id) ?? id),
  },
  "delete() removes what a note leads to as well": {
    red: "NOTE_DELETED | NOT_MISSED",
    delete: (good) => (id) => {
      const successor = good.delete(id);
      if (successor !== undefined) good.delete(successor);
      return successor;
    },
  },
  "sweep() leaves notes for good": {
    red: "NOTE_SWEPT",
    sweep: (good) => (limit, before) => {
      const ids = good.findExpired(before).filter((id) => good.findNote(id) === undefined);
      for (const id of ids.slice(0, limit)) good.rows.delete(id);
      return Math.min(ids.length, limit);
    },
  },
  "sweep() removes notes that have not expired": {
    red: "SessionStore.sweep > and no others",
    sweep: (good) => (limit, before) => {
      const swept = good.sweep(limit, before);
      const notes = [...good.rows.keys()].filter((id) => good.findNote(id) !== undefined);
      for (const id of notes) good.rows.delete(id);
      return swept;
    },
  },
  "save() takes a note for an error": {
    red: "STORE_SAVES: it was rotated",
    save: (good) => async (id, data, timeout) => {
      if (timeout > 0 && good.findNote(id) !== undefined) throw Error("It was rotated.");
      await good.save(id, data, timeout);
    },
  },
});

function leaveNote(good: MapStore, id: string, supersededBy: string, seconds: number): void {
  good.put(id, { supersededBy, expiresAt: good.clock() + seconds * 1_000 });
}

/** The notes that lead to a session, as if they were sessions. */
function findNotes(good: MapStore, info: SessionInfo): SessionInfo[] {
  return [...good.rows.keys()]
    .filter((id) => good.findNote(id)?.supersededBy === info.handle)
    .map((handle) => Object.assign({}, info, { handle }));
}
