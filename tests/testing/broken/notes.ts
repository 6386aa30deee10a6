import type { SessionInfo } from "../../../src/store/record.ts";
import { isNote } from "../../../src/store/record.ts";
import type { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";
import {
  AFTER_WRITES,
  ATOMIC,
  LISTED,
  NO_SUCCESSOR,
  NOT_CREATED,
  NOT_MISSED,
  NOT_ROTATED,
  NOTE,
  NOTE_DELETED,
  NOTE_EXPIRES,
  NOTE_ID,
  NOTE_LEFT,
  NOTE_NAMES,
  NOTE_READ,
  NOTE_SWEPT,
  ONE_STEP,
  STORE_SAVES,
  turn,
} from "./broken.ts";
import { store, toData } from "./faulty-store.ts";

/** Stores with one fault in what they do with forwarding notes. */
export const BROKEN_NOTES: readonly Broken[] = [
  rotating("rotate() leaves no note", (good, oldId) => good.rows.delete(oldId), [
    `${ATOMIC}: of many that rotate one version, one succeeds`,
    "ForwardingNote > What `rotate` leaves under an old id",
    NOTE_NAMES,
    NOTE,
    NOTE_ID,
    NOTE_EXPIRES,
    NOTE_READ,
    `${NOT_CREATED}: a note`,
    `${NOT_ROTATED}: the new id is a note's`,
    NOTE_LEFT,
    `${NOTE_LEFT}: and no longer`,
    ONE_STEP,
    NOTE_DELETED,
    NO_SUCCESSOR,
    NOT_MISSED,
    NOTE_SWEPT,
    "SessionStore.sweep > and no others",
  ]),
  rotating("a note names the id that it is under", (good, oldId) => good.leaveNote(oldId, oldId), [
    `${ATOMIC}: of many that rotate one version, one succeeds`,
    NOTE_NAMES,
    NOTE_ID,
    NOTE_READ,
    NOTE_DELETED,
    NO_SUCCESSOR,
    NOT_MISSED,
  ]),
  rotating(
    "notes are brought up to date when a session is rotated again",
    (good, oldId, newId) => {
      for (const [id, row] of good.rows)
        if (isNote(row) && row.supersededBy === oldId) good.leaveNote(id, newId);
    },
    [NOTE_NAMES],
  ),
  rotating(
    "a note expires after a minute",
    (good, oldId, newId) => leaveNote(good, oldId, newId, 60),
    [NOTE_EXPIRES, `${NOTE_LEFT}: and no longer`],
  ),
  rotating(
    "a note expires after ten seconds",
    (good, oldId, newId) => leaveNote(good, oldId, newId, 10),
    [NOTE_EXPIRES, NOTE_LEFT],
  ),
  store(
    "read() returns more of a note than where it leads, and until when",
    (good) => ({
      read(id) {
        const row = good.read(id);
        return row !== undefined && isNote(row) ? { ...row, version: -1 } : row;
      },
    }),
    [NOTE_READ],
  ),
  store(
    "create() takes the place of a note",
    (good) => ({
      create: (id, record) => good.findLive(id) === undefined && good.put(id, record),
    }),
    [`${NOT_CREATED}: a note`, NOTE_LEFT],
  ),
  store(
    "create() never takes the place of a note, expired or not",
    (good) => ({
      create: (id, record) => good.findNote(id) === undefined && good.create(id, record),
    }),
    [`${NOTE_LEFT}: and no longer`],
  ),
  store(
    "rotate() takes the place of a note",
    (good) => ({
      rotate(oldId, newId, record, old) {
        if (good.findNote(newId) !== undefined) good.rows.delete(newId);
        return good.rotate(oldId, newId, record, old);
      },
    }),
    [`${NOT_ROTATED}: the new id is a note's`],
  ),

  store(
    "load() follows a note",
    (good) => ({
      async load(id) {
        const record = good.findLive(good.findNote(id)?.supersededBy ?? id);
        return record === undefined ? {} : toData(record.data);
      },
    }),
    [`${NOTE}: \`load\` returns nothing`],
  ),
  store(
    "touch() follows a note",
    (good) => ({
      touch: (id, expiresAt) => good.touch(good.findNote(id)?.supersededBy ?? id, expiresAt),
    }),
    [`${NOTE}: \`touch\` refuses it`],
  ),
  store(
    "touch() prolongs a note",
    (good) => ({
      touch(id, expiresAt) {
        const note = good.findNote(id);
        return note === undefined
          ? good.touch(id, expiresAt)
          : good.put(id, { ...note, expiresAt });
      },
    }),
    [`${NOTE}: \`touch\` refuses it`],
  ),
  store(
    "replace() follows a note",
    (good) => ({
      replace: (id, record, old) =>
        good.replace(good.findNote(id)?.supersededBy ?? id, record, old),
    }),
    [`${NOTE}: \`replace\` refuses it, whatever the version`],
  ),
  store(
    "replace() takes a note for what it was left for",
    (good) => {
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
    [`${NOTE}: \`replace\` refuses it, whatever the version`],
  ),
  store(
    "rotate() follows a note",
    (good) => ({
      rotate: (oldId, newId, record, old) =>
        good.rotate(good.findNote(oldId)?.supersededBy ?? oldId, newId, record, old),
    }),
    [`${NOTE}: \`rotate\` refuses it, whatever the version`],
  ),
  store(
    "list() takes a note for the session that it leads to",
    (good) => ({
      list(userId, limit) {
        const infos = good.list(userId, Infinity);
        const withNotes = infos.concat(infos.flatMap((info) => findNotes(good, info)));
        return withNotes.slice(0, limit);
      },
    }),
    [`${LISTED}: after a rotate`, AFTER_WRITES, `${NOTE}: \`list\` does not count it`],
  ),
  store(
    "deleteAll() takes a note for the session that it leads to",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
        return [...good.deleteAll(userId, exceptId, limit), ...notes.map(({ handle }) => handle)];
      },
    }),
    [`${NOTE}: \`deleteAll\` does not count it`],
  ),
  store(
    "deleteAll() removes notes too",
    (good) => ({
      deleteAll(userId, exceptId, limit) {
        const notes = good.list(userId, Infinity).flatMap((info) => findNotes(good, info));
        for (const { handle } of notes) good.rows.delete(handle);
        return good.deleteAll(userId, exceptId, limit);
      },
    }),
    [`${NOTE}: \`deleteAll\` does not count it`],
  ),

  store(
    "rotate() leaves the note a moment later",
    (good) => ({
      async rotate(oldId, newId, record, old) {
        if (!good.rotate(oldId, newId, record, old)) return false;
        good.rows.delete(oldId);
        await turn();
        return good.leaveNote(oldId, newId);
      },
    }),
    [ONE_STEP, NOT_MISSED],
  ),
  store(
    "rotate() leaves the note a moment too early",
    (good) => {
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
    [ONE_STEP],
  ),
  store(
    "delete() looks first, and removes later",
    (good) => ({
      async delete(id) {
        const successor = good.findNote(id)?.supersededBy;
        await turn();
        good.delete(id);
        return successor;
      },
    }),
    [NOT_MISSED],
  ),
  store(
    "delete() leaves a note",
    (good) => ({
      delete: (id) => good.findNote(id)?.supersededBy ?? good.delete(id),
    }),
    [NOTE_DELETED, NO_SUCCESSOR, NOT_MISSED, `${STORE_SAVES}: it was rotated`],
  ),
  store(
    "delete() does not say where a note leads",
    (good) => ({
      delete(id) {
        good.delete(id);
        return undefined;
      },
    }),
    [NOTE_DELETED, NO_SUCCESSOR, NOT_MISSED],
  ),
  store(
    "delete() returns the id of a record that it removes",
    (good) => ({
      delete: (id) => (good.findLive(id) === undefined ? good.delete(id) : (good.delete(id) ?? id)),
    }),
    [NO_SUCCESSOR, NOT_MISSED],
  ),
  store(
    "delete() removes what a note leads to as well",
    (good) => ({
      delete(id) {
        const successor = good.delete(id);
        if (successor !== undefined) good.delete(successor);
        return successor;
      },
    }),
    [NOTE_DELETED, NOT_MISSED],
  ),
  store(
    "sweep() leaves notes for good",
    (good) => ({
      sweep(limit, before) {
        const ids = good.findExpired(before).filter((id) => good.findNote(id) === undefined);
        for (const id of ids.slice(0, limit)) good.rows.delete(id);
        return Math.min(ids.length, limit);
      },
    }),
    [NOTE_SWEPT],
  ),
  store(
    "sweep() removes notes that have not expired",
    (good) => ({
      sweep(limit, before) {
        const swept = good.sweep(limit, before);
        const notes = [...good.rows.keys()].filter((id) => good.findNote(id) !== undefined);
        for (const id of notes) good.rows.delete(id);
        return swept;
      },
    }),
    ["SessionStore.sweep > and no others"],
  ),
  store(
    "save() takes a note for an error",
    (good) => ({
      async save(id, data, timeout) {
        if (timeout > 0 && good.findNote(id) !== undefined) throw Error("It was rotated.");
        await good.save(id, data, timeout);
      },
    }),
    [`${STORE_SAVES}: it was rotated`],
  ),
];

/** One that rotates well, and then does something to what it has left. */
function rotating(
  fault: string,
  change: (good: MapStore, oldId: string, newId: string) => unknown,
  red: readonly string[],
): Broken {
  return store(
    fault,
    (good) => ({
      rotate(oldId, newId, record, old) {
        const isRotated = good.rotate(oldId, newId, record, old);
        if (isRotated) change(good, oldId, newId);
        return isRotated;
      },
    }),
    red,
  );
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
