import { Folder } from "../folder.ts";
import { postgres, Schema } from "../servers/postgres.ts";
import { Keyspace, redis } from "../servers/redis.ts";
import type { Shared } from "./shared-backends.ts";

/** Where several processes keep sessions together. */
interface Place extends AsyncDisposable {
  /** What `sharedBackend` makes a backend of. */
  readonly target: string;
}

async function makeFile(): Promise<Place> {
  const folder = new Folder();
  return {
    target: folder.file("sessions.db"),
    [Symbol.asyncDispose]: async () => folder.remove(),
  };
}

async function makeSchema(): Promise<Place> {
  const schema = await Schema.create();
  return {
    target: `${schema.url}&synchronous_commit=off`,
    [Symbol.asyncDispose]: () => schema.drop(),
  };
}

/** The kinds of stores that processes can share and that are there, and what makes a place of each. */
export const PLACES: readonly (readonly [kind: Shared, make: () => Promise<Place>])[] = [
  ["SQLite", makeFile],
  ...(postgres.isThere ? [["PostgreSQL", makeSchema] as const] : []),
  ...(redis.isThere ? [["Redis", async () => new Keyspace()] as const] : []),
];
