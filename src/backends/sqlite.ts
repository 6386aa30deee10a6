/// <reference types="bun-types" preserve="true" />
/**
 * Sessions in an SQLite file, on `bun:sqlite`.
 *
 * @module bunpie/sqlite
 */
import "../runtime.ts";

export type { SqliteSessionBackendOptions } from "./sqlite/backend.ts";
export { SqliteSessionBackend } from "./sqlite/backend.ts";
export type { SessionsTable } from "./sqlite/schema.ts";
export { sessions, sessionsTable } from "./sqlite/schema.ts";
