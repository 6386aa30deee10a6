import { join } from "node:path";

import type { Storage } from "./subjects.ts";

const POSTGRES = "postgres://postgres@127.0.0.1:5432/test";
const REDIS = "redis://127.0.0.1:6379";

/** How many keys are removed at once. */
const BATCH = 1_000;

let places = 0;

/** Where a subject stores its sessions, and how they are removed. */
export interface Place {
  readonly target: string;
  /** A prefix of keys, or a schema, that nothing else uses. */
  readonly name: string;
  remove(): Promise<void>;
}

/** @throws Error if the store's server cannot be reached. */
export async function makePlace(storage: Storage, folder: string): Promise<Place> {
  const number = ++places;
  if (storage === "redis") return makeKeys(`bunpie-bench-${process.pid}-${number}:`);
  if (storage === "postgres") return makeSchema(`bunpie_bench_${process.pid}_${number}`);
  const isFile = storage === "normal" || storage === "full";
  return {
    target: isFile ? join(folder, "sessions.db") : "",
    name: "",
    remove: async () => undefined,
  };
}

async function makeKeys(name: string): Promise<Place> {
  const target = process.env["REDIS_URL"] ?? REDIS;
  const client = new Bun.RedisClient(target, { maxRetries: 1, connectionTimeout: 2_000 });
  await client.connect();
  return {
    target,
    name,
    remove: async () => {
      let cursor = "0";
      do {
        const [next, keys] = await client.scan(cursor, "MATCH", `${name}*`, "COUNT", BATCH);
        if (keys.length > 0) await client.unlink(...keys);
        cursor = next;
      } while (cursor !== "0");
      client.close();
    },
  };
}

async function makeSchema(name: string): Promise<Place> {
  const target = process.env["DATABASE_URL"] ?? POSTGRES;
  const sql = new Bun.SQL(target, { max: 1, connectionTimeout: 2 });
  await sql.unsafe(`CREATE SCHEMA ${name}`);
  return {
    target,
    name,
    remove: async () => {
      await sql.unsafe(`DROP SCHEMA ${name} CASCADE`);
      await sql.close();
    },
  };
}
