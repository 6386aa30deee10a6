import type { SessionData } from "../../../src/store/backend.ts";
import type { SessionInfo, SessionRecord } from "../../../src/store/record.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import type { Row } from "../../support/stores/map-store.ts";
import { MapStore } from "../../support/stores/map-store.ts";
import type { Broken } from "./broken.ts";

/** A good store with some methods in place of its own. */
export function store(
  fault: string,
  make: (good: MapStore) => Partial<SessionStore>,
  red: readonly string[],
): Broken {
  return { fault, create: (now) => faulty(new MapStore(now), make), red };
}

/** The same on records that all that are made share, as processes share a database. */
export function sharing(
  fault: string,
  make: (good: MapStore) => Partial<SessionStore>,
  red: readonly string[],
): Broken {
  const rows = new Map<string, Row>();
  return { fault, create: (now) => faulty(new MapStore(now, rows), make), red };
}

function faulty(good: MapStore, make: (good: MapStore) => Partial<SessionStore>): SessionStore {
  // Not a synchronous one: most are not any more.
  return Object.assign(Object.create(good) as SessionStore, { isSynchronous: false }, make(good));
}

/** One that changes records on their way in. */
export function storing(
  fault: string,
  change: (record: SessionRecord) => Partial<SessionRecord>,
  red: readonly string[],
): Broken {
  const changed = (record: SessionRecord): SessionRecord => ({ ...record, ...change(record) });
  return store(
    fault,
    (good) => ({
      create: (id, record) => good.create(id, changed(record)),
      replace: (id, record, old) => good.replace(id, changed(record), old),
      rotate: (oldId, newId, record, old) => good.rotate(oldId, newId, changed(record), old),
    }),
    red,
  );
}

/** One that touches records in a way of its own. */
export function touching(
  fault: string,
  change: (record: SessionRecord) => Partial<SessionRecord>,
  red: readonly string[],
): Broken {
  return store(
    fault,
    (good) => ({
      touch(id, expiresAt) {
        const record = good.findLive(id);
        if (record === undefined) return false;
        const touched = { touchedAt: good.clock(), expiresAt, version: record.version + 1 };
        return good.put(id, { ...record, ...touched, ...change(record) });
      },
    }),
    red,
  );
}

/** One that changes lists on their way out. */
export function listing(
  fault: string,
  change: (sessions: readonly SessionInfo[]) => readonly SessionInfo[],
  red: readonly string[],
): Broken {
  return store(fault, (good) => ({ list: (...args) => change(good.list(...args)) }), red);
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
