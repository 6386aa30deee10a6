import type { SessionInfo } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import type { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import { turn } from "./broken.ts";
import { breakStores, toData } from "./faulty-store.ts";

/** Stores with one fault in what they do with forwarding notes. */
export const BROKEN_NOTES: readonly Broken[] = breakStores({
  "rotate() leaves no note": {
    red: "ForwardingNote > What rotate leaves under an old id | SessionStore.rotate > leaves a forwarding note there for 30 seconds",
    rotating: (good, oldId) => good.rows.delete(oldId),
  },
  "a note names the id that it is under": {
    red: "ForwardingNote.supersededBy > …",
    rotating: (good, oldId) => good.leaveNote(oldId, oldId),
  },
  "notes are brought up to date when a session is rotated again": {
    red: "ForwardingNote > it names the session …",
    rotating: (good, oldId, newId) => {
      for (const [id, row] of good.rows)
        if (isNote(row) && row.supersededBy === oldId) good.leaveNote(id, newId);
    },
  },
  "a note expires after a minute": {
    red: "ForwardingNote.expiresAt > … | SessionStore.rotate > … and no longer",
    rotating: (good, oldId, newId) => leaveNote(good, oldId, newId, 60),
  },
  "a note expires after ten seconds": {
    red: "ForwardingNote.expiresAt > …",
    rotating: (good, oldId, newId) => leaveNote(good, oldId, newId, 10),
  },
  "read() returns more of a note than where it leads, and until when": {
    red: "SessionStore.read > the forwarding note …",
    read: (good) => (id) => {
      const row = good.read(id);
      return row !== undefined && isNote(row) ? { ...row, version: -1 } : row;
    },
  },
  "create() takes the place of a note": {
    red: "SessionStore.create > false: … a note",
    create: (good) => (id, record) => good.findLive(id) === undefined && good.put(id, record),
  },
  "create() never takes the place of a note, expired or not": {
    red: "SessionStore.rotate > … and no longer",
    create: (good) => (id, record) => good.findNote(id) === undefined && good.create(id, record),
  },
  "rotate() takes the place of a note": {
    red: "SessionStore.rotate > false: … the new id is a note's",
    rotate: (good) => (oldId, newId, record, old) => {
      if (good.findNote(newId) !== undefined) good.rows.delete(newId);
      return good.rotate(oldId, newId, record, old);
    },
  },

  "load() follows a note": {
    red: "ForwardingNote > A note opens nothing … load returns nothing",
    load: (good) => async (id) => {
      const record = good.findLive(follow(good, id));
      return record === undefined ? {} : toData(record.data);
    },
  },
  "touch() follows a note": {
    red: "ForwardingNote > A note opens nothing … touch refuses it",
    touch: (good) => (id, expiresAt) => good.touch(follow(good, id), expiresAt),
  },
  "touch() prolongs a note": {
    red: "ForwardingNote > A note opens nothing … touch refuses it",
    touch: (good) => (id, expiresAt) => {
      const note = good.findNote(id);
      return note === undefined ? good.touch(id, expiresAt) : good.put(id, { ...note, expiresAt });
    },
  },
  "replace() follows a note": {
    red: "ForwardingNote > A note opens nothing … replace refuses it, whatever the version",
    replace: (good) => (id, record, old) => good.replace(follow(good, id), record, old),
  },
  "replace() takes a note for what it was left for": {
    red: "ForwardingNote > A note opens nothing … replace refuses it, whatever the version",
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
    red: "ForwardingNote > A note opens nothing … rotate refuses it, whatever the version",
    rotate: (good) => (oldId, newId, record, old) =>
      good.rotate(follow(good, oldId), newId, record, old),
  },
  "list() takes a note for the session that it leads to": {
    red: "ForwardingNote > A note opens nothing … list does not count it",
    list: (good) => (userId, limit) => {
      const infos = good.list(userId, Infinity);
      const withNotes = infos.concat(infos.flatMap((info) => findNotes(good, info)));
      return withNotes.slice(0, limit);
    },
  },
  "deleteAll() takes a note for the session that it leads to": {
    red: "ForwardingNote > A note opens nothing … deleteAll does not count it",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
      return [...good.deleteAll(userId, exceptId, limit), ...notes.map(({ handle }) => handle)];
    },
  },
  "deleteAll() removes notes too": {
    red: "ForwardingNote > A note opens nothing … deleteAll does not count it",
    deleteAll: (good) => (userId, exceptId, limit) => {
      const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
      for (const { handle } of notes) good.rows.delete(handle);
      return good.deleteAll(userId, exceptId, limit);
    },
  },

  "rotate() leaves the note a moment later": {
    red: "SessionStore.rotate > Atomically: …",
    rotate: (good) => async (oldId, newId, record, old) => {
      if (!good.rotate(oldId, newId, record, old)) return false;
      good.rows.delete(oldId);
      await turn();
      return good.leaveNote(oldId, newId);
    },
  },
  "rotate() leaves the note a moment too early": {
    red: "SessionStore.rotate > Atomically: …",
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
    red: "SessionStore.delete > It never misses …",
    delete: (good) => async (id) => {
      const successor = good.findNote(id)?.supersededBy;
      await turn();
      good.delete(id);
      return successor;
    },
  },
  "delete() leaves a note": {
    red: "SessionStore.delete > If a forwarding note is there, …",
    delete: (good) => (id) => good.findNote(id)?.supersededBy ?? good.delete(id),
  },
  "delete() does not say where a note leads": {
    red: "SessionStore.delete > If a forwarding note is there, …",
    delete: (good) => (id) => {
      good.delete(id);
      return undefined;
    },
  },
  "delete() returns the id of a record that it removes": {
    red: "SessionStore.delete > otherwise returns undefined",
    delete: (good) => (id) =>
      good.findLive(id) === undefined ? good.delete(id) : (good.delete(id) ?? id),
  },
  "delete() removes what a note leads to as well": {
    red: "SessionStore.delete > If a forwarding note is there, …",
    delete: (good) => (id) => {
      const successor = good.delete(id);
      if (successor !== undefined) good.delete(successor);
      return successor;
    },
  },
  "sweep() leaves notes for good": {
    red: "SessionStore.sweep > … a note like any record",
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
    red: "SessionStore.save > … it was rotated",
    save: (good) => async (id, data, timeout) => {
      if (timeout > 0 && good.findNote(id) !== undefined) throw Error("It was rotated.");
      await good.save(id, data, timeout);
    },
  },
});

/** Where an id leads. */
function follow(good: MapStore, id: string): string {
  return good.findNote(id)?.supersededBy ?? id;
}

function leaveNote(good: MapStore, id: string, supersededBy: string, seconds: number): void {
  good.put(id, { supersededBy, expiresAt: good.clock() + seconds * 1_000 });
}

/** The notes that lead to a session, as if they were sessions. */
function findNotes(good: MapStore, info: SessionInfo): SessionInfo[] {
  return [...good.rows.keys()]
    .filter((id) => good.findNote(id)?.supersededBy === info.handle)
    .map((handle) => Object.assign({}, info, { handle }));
}
