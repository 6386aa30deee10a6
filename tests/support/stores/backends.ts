import { InMemorySessionBackend } from "../../../src/backends/memory/backend.ts";
import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import type { SessionBackend, SessionData } from "../../../src/store/backend.ts";
import { SESSION_TIMEOUT } from "../../../src/store/backend.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import { PATIENT, randomPrefix, redis } from "../servers/redis.ts";

type Clock = () => number;

/** A backend's name, and what makes one on a clock. */
type Named<Backend> = readonly [name: string, create: (now: Clock) => Backend];

/** The least that a backend can be: JSON texts in a `Map`, answered at once. */
export class MapBackend implements SessionBackend {
  readonly #rows = new Map<string, { text: string; expiresAt: number }>();
  readonly #now: Clock;

  constructor(now: Clock = Date.now) {
    this.#now = now;
  }

  /** Everything that is stored, as one text: a dump. */
  get dump(): string {
    return JSON.stringify([...this.#rows]);
  }

  load(sessionId: string): SessionData | undefined {
    const row = this.#rows.get(sessionId);
    if (row === undefined || row.expiresAt <= this.#now()) return undefined;
    return JSON.parse(row.text) as SessionData;
  }

  save(sessionId: string, data: SessionData, timeout: number): void {
    if (timeout <= 0 || Object.keys(data).length === 0) this.#rows.delete(sessionId);
    else {
      const expiresAt = this.#now() + timeout * 1000;
      this.#rows.set(sessionId, { text: JSON.stringify(data), expiresAt });
    }
  }
}

/** The same, answered later, as a database would. */
export class AsyncMapBackend implements SessionBackend {
  readonly #map: MapBackend;

  constructor(now?: Clock) {
    this.#map = new MapBackend(now);
  }

  async load(sessionId: string): Promise<SessionData | undefined> {
    await turn();
    return this.#map.load(sessionId);
  }

  async save(sessionId: string, data: SessionData, timeout: number): Promise<void> {
    await turn();
    this.#map.save(sessionId, data, timeout);
  }
}

/**
 * What people bring along from MicroPie, whose backend in memory works like this: it hands out the
 * very objects that it holds, keeps empty ones, takes no notice of the timeout it is given, and
 * every load prolongs the session.
 */
export class LiveObjectBackend implements SessionBackend {
  readonly #sessions: Record<string, SessionData> = {};
  readonly #usedAt: Record<string, number> = {};
  readonly #now: Clock;

  constructor(now: Clock = Date.now) {
    this.#now = now;
  }

  async load(sessionId: string): Promise<SessionData> {
    await turn();
    const session = this.#sessions[sessionId];
    const usedAt = this.#usedAt[sessionId] ?? 0;
    if (session === undefined || this.#now() - usedAt >= SESSION_TIMEOUT * 1000) return {};
    this.#usedAt[sessionId] = this.#now();
    return session;
  }

  async save(sessionId: string, data: SessionData): Promise<void> {
    await turn();
    this.#sessions[sessionId] = data;
    this.#usedAt[sessionId] = this.#now();
  }
}

/** Backends that extend `SessionStore`, those included whose server is there. */
export const STORES: readonly Named<SessionStore>[] = [
  ["InMemorySessionBackend", (now) => new InMemorySessionBackend({ now })],
  ["SqliteSessionBackend", (now) => new SqliteSessionBackend(":memory:", { now })],
  ...(redis.isThere ? [["RedisSessionBackend", redisBackend] as const] : []),
];

function redisBackend(now: Clock): RedisSessionBackend {
  return new RedisSessionBackend(redis.url, { ...PATIENT, prefix: randomPrefix(), now });
}

/** Those of them that keep what has expired until it is swept. */
export const SWEPT_STORES = STORES.filter(([name]) => name !== "RedisSessionBackend");

/** Backends of two methods. */
export const PAIRS: readonly Named<SessionBackend>[] = [
  ["a synchronous load and save", (now) => new MapBackend(now)],
  ["an asynchronous load and save", (now) => new AsyncMapBackend(now)],
  ["a backend that hands out live objects", (now) => new LiveObjectBackend(now)],
];

/** Every kind of backend, for `describe.each`. */
export const BACKENDS: readonly Named<SessionBackend>[] = [...STORES, ...PAIRS];

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
