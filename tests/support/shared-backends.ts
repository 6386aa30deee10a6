import { SqliteSessionBackend } from "../../src/backends/sqlite.ts";
import type { SessionStore } from "../../src/session/backend.ts";

/** Stores that several processes can share, by name: for processes that a test starts. */
const SHARED = {
  SQLite: (path: string) => new SqliteSessionBackend(path),
} as const;

/** The store of that name, at a path or a URL. */
export function sharedBackend(name: string, target: string): SessionStore {
  const make = SHARED[name as keyof typeof SHARED];
  if (make === undefined) throw new Error(`There is no shared store ${name}.`);
  return make(target);
}
