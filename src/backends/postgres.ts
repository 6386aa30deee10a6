/// <reference types="bun-types" preserve="true" />
/**
 * Sessions in PostgreSQL.
 *
 * @module bunpie/postgres
 */
import "../runtime.ts";

export type { PostgresSessionBackendOptions } from "./postgres/backend.ts";
export { PostgresSessionBackend } from "./postgres/backend.ts";
export type { SessionsTable } from "./postgres/schema.ts";
export { sessions, sessionsTable } from "./postgres/schema.ts";
