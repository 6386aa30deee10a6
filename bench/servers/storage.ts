import { PostgresSessionBackend } from "../../src/backends/postgres/backend.ts";
import { RedisSessionBackend } from "../../src/backends/redis/backend.ts";
import { SqliteSessionBackend } from "../../src/backends/sqlite/backend.ts";
import type { SessionBackend } from "../../src/index.ts";
import { InMemorySessionBackend } from "../../src/index.ts";

/** The program's arguments: which store, where it is, and a name that nothing else uses there. */
const [, , storage = "memory", target = "", name = ""] = process.argv;

/** Never full, because evicting sessions would be additional work. */
const UNLIMITED = { maxSessions: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };

/** The backend that the harness chose, once it is ready. */
export async function openBackend(): Promise<SessionBackend> {
  switch (storage) {
    case "memory":
      return new InMemorySessionBackend(UNLIMITED);
    case "normal":
    case "full":
      return new SqliteSessionBackend(target, { synchronous: storage });
    case "redis": {
      const backend = new RedisSessionBackend(target, { prefix: name });
      await backend.ready();
      return backend;
    }
    case "postgres": {
      const backend = new PostgresSessionBackend(target, { schema: name });
      await backend.ready();
      return backend;
    }
    default:
      throw new Error(`There is no store "${storage}".`);
  }
}
