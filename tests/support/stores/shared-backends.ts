import { PostgresSessionBackend } from "../../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../../src/backends/sqlite/backend.ts";
import type { SessionStore } from "../../../src/store/session-store.ts";
import { PATIENT } from "../servers/postgres.ts";

/** What a busy machine may keep a test's processes waiting for, in milliseconds. */
const TIMEOUT = 60_000;

/** Stores that several processes can share, by name: for processes that a test starts. */
const SHARED = {
  SQLite: (path: string) => new SqliteSessionBackend(path, { busyTimeout: TIMEOUT }),
  // A test may start many processes, and the server has connections for a hundred.
  PostgreSQL: (url: string) => new PostgresSessionBackend(url, { ...PATIENT, connections: 3 }),
  Redis: (target: string) => {
    const [url = "", prefix = ""] = target.split("#");
    return new RedisSessionBackend(url, { prefix, replyTimeout: TIMEOUT });
  },
} as const;

/** The name of a store that processes can share. */
export type Shared = keyof typeof SHARED;

/** The store of that name, at a path or a URL. */
export function sharedBackend(name: string, target: string): SessionStore {
  const make = SHARED[name as keyof typeof SHARED];
  if (make === undefined) throw new Error(`There is no shared store ${name}.`);
  return make(target);
}
