import { join } from "node:path";

import type { SessionStore } from "bunpie";
import { InMemorySessionBackend } from "bunpie";
import { PostgresSessionBackend } from "bunpie/postgres";
import { RedisSessionBackend } from "bunpie/redis";
import { SqliteSessionBackend } from "bunpie/sqlite";

/** Where the shop can keep its sessions: `BACKEND=redis bun run dev`. */
const BACKENDS = {
  memory: () => new InMemorySessionBackend(),
  sqlite: (folder) => new SqliteSessionBackend(join(folder, "sessions.db")),
  postgres: () =>
    new PostgresSessionBackend(
      process.env["DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres",
      { table: "shop_sessions" },
    ),
  redis: () =>
    new RedisSessionBackend(process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379", {
      prefix: "shop:",
    }),
} satisfies Record<string, (folder: string) => SessionStore>;

/** The name of a backend. */
export type BackendName = keyof typeof BACKENDS;

/** @throws Error for an unknown name; the message lists the known ones. */
export function parseBackendName(name: string): BackendName {
  if (Object.hasOwn(BACKENDS, name)) return name as BackendName;
  const names = Object.keys(BACKENDS).join(", ");
  throw new Error(`There is no backend "${name}". Set BACKEND to one of: ${names}.`);
}

/** Opens a backend; its file, if it has one, is in `folder`. */
export function openBackend(name: BackendName, folder: string): SessionStore {
  return BACKENDS[name](folder);
}
