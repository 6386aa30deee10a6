import type { SessionData } from "../../../src/store/backend.ts";
import type { SessionInfo, SessionRecord } from "../../../src/store/record.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import type { Row } from "../../support/stores/map-store.ts";
import { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";

type Methods = Pick<
  SessionStore,
  | ("read" | "create" | "replace" | "rotate" | "touch" | "delete" | "list" | "deleteAll" | "sweep")
  | ("close" | "load" | "save" | "foreignWrites" | "readTimes")
>;

/** What replaces a method of a good store. */
type Replacements = { readonly [Name in keyof Methods]?: (good: MapStore) => Methods[Name] };

/** One fault: single methods, what `make` returns for several, or one of the usual kinds. */
export interface StoreFault extends Replacements {
  readonly red: Broken["red"];
  readonly make?: (good: MapStore) => Partial<SessionStore>;
  /** All that are made share their records, as processes share a database. */
  readonly isShared?: true;
  /** Changes records on their way in. */
  readonly storing?: (record: SessionRecord) => Partial<SessionRecord>;
  /** Touches records in a way of its own. */
  readonly touching?: (record: SessionRecord) => Partial<SessionRecord>;
  /** Changes lists on their way out. */
  readonly listing?: (sessions: readonly SessionInfo[]) => readonly SessionInfo[];
  /** Rotates well, and then does something to what it has left. */
  readonly rotating?: (good: MapStore, oldId: string, newId: string) => unknown;
  /** Leaves one field as it is when it replaces a record. */
  readonly leaving?: keyof SessionRecord;
}

/** Good stores, each with one fault, by what is wrong. */
export function breakStores(faults: Readonly<Record<string, StoreFault>>): Broken[] {
  return Object.entries(faults).map(([fault, { red, isShared, ...how }]) => {
    const rows = isShared && new Map<string, Row>();
    return { fault, red, create: (now) => breakStore(new MapStore(now, rows), how) };
  });
}

function breakStore(
  good: MapStore,
  { make, storing, touching, listing, rotating, leaving, ...methods }: Omit<StoreFault, "red">,
): SessionStore {
  const changed = (record: SessionRecord): SessionRecord => ({ ...record, ...storing?.(record) });
  const writes: Partial<SessionStore> = {
    create: (id, record) => good.create(id, changed(record)),
    replace(id, record, old) {
      const there = good.findRecord(id) ?? record;
      const kept = leaving && { [leaving]: there[leaving] };
      return good.replace(id, { ...changed(record), ...kept }, old);
    },
    rotate(oldId, newId, record, old) {
      const isRotated = good.rotate(oldId, newId, changed(record), old);
      if (isRotated) rotating?.(good, oldId, newId);
      return isRotated;
    },
    touch(id, expiresAt) {
      const record = good.findLive(id);
      if (record === undefined) return false;
      const touched = { touchedAt: good.clock(), expiresAt, version: record.version + 1 };
      return good.put(id, { ...record, ...touched, ...touching?.(record) });
    },
    list(...args) {
      const sessions = good.list(...args);
      return listing?.(sessions) ?? sessions;
    },
  };
  // Not a synchronous one: most are not any more.
  const broken = Object.assign(Object.create(good) as SessionStore, { isSynchronous: false });
  return Object.assign(broken, writes, replaced(good, methods), make?.(good));
}

/** The methods that are made for what is good. */
export function replaced<Good>(good: Good, methods: object): object {
  const made = Object.entries(methods).map(([name, create]) => [
    name,
    (create as (good: Good) => unknown)(good),
  ]);
  return Object.fromEntries(made) as object;
}

export function nothing(record: SessionRecord): Partial<SessionRecord> {
  const { flash, userId, authenticatedAt, remember } = record;
  return {
    flash: flash ?? "",
    userId: userId ?? "",
    authenticatedAt: authenticatedAt ?? 0,
    remember: remember ?? 0,
  };
}

export function toData(text: string): SessionData {
  return JSON.parse(text) as SessionData;
}

export function toSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}
