import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Lateness, Reading, TimedReading } from "./reading.ts";

export const STORES = ["memory", "sqlite", "postgres", "redis"] as const;
export type Store = (typeof STORES)[number];

const POSTGRES = "postgres://postgres@127.0.0.1:5432/test";
const REDIS = "redis://127.0.0.1:6379";

/** A program of `servers/` that answers questions about itself. */
class Subject implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  readonly #inbox = new Inbox();

  constructor(program: string, ...args: readonly string[]) {
    const path = join(import.meta.dir, "../servers", `${program}.ts`);
    this.#child = Bun.spawn([process.execPath, path, ...args], {
      env: { ...process.env, NODE_ENV: "production" },
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "json",
      ipc: (message) => this.#inbox.put(message),
      onExit: (_, code) => this.#inbox.fail(new Error(`${program}.ts ended with code ${code}.`)),
    });
  }

  /** Its first message, once it has started. */
  greeting(): Promise<unknown> {
    return this.#inbox.next();
  }

  ask(): Promise<unknown> {
    this.#child.send("read");
    return this.#inbox.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }
}

/** The server under load, and an idle process beside it. The server's sessions are removed at the end. */
export class SoakServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Subject;
  readonly #idle: Subject;
  readonly #place: Place;

  private constructor(url: string, server: Subject, idle: Subject, place: Place) {
    this.url = url;
    this.#server = server;
    this.#idle = idle;
    this.#place = place;
  }

  static async start(store: Store): Promise<SoakServer> {
    const place = await makePlace(store);
    const server = new Subject("soak", store, place.target);
    const idle = new Subject("idle");
    await idle.greeting();
    return new SoakServer((await server.greeting()) as string, server, idle, place);
  }

  /** What the server uses now. */
  async read(): Promise<Omit<TimedReading, "minute">> {
    const [reading, idle] = await Promise.all([this.#server.ask(), this.#idle.ask()]);
    return { ...(reading as Reading), idle: idle as Lateness };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#server[Symbol.asyncDispose](), this.#idle[Symbol.asyncDispose]()]);
    await this.#place.remove();
  }
}

/** The pending answer: only one at a time. */
class Inbox {
  #message = Promise.withResolvers<unknown>();

  put(message: unknown): void {
    this.#message.resolve(message);
  }

  fail(error: Error): void {
    this.#message.promise.catch(() => undefined);
    this.#message.reject(error);
  }

  async next(): Promise<unknown> {
    const message = await this.#message.promise;
    this.#message = Promise.withResolvers();
    return message;
  }
}

/** Where the sessions are stored, and how they are removed. */
interface Place {
  readonly target: string;
  remove(): Promise<void>;
}

async function removeNothing(): Promise<void> {}

async function makePlace(store: Store): Promise<Place> {
  if (store === "memory") return { target: "", remove: removeNothing };
  // They expire within two minutes by themselves.
  if (store === "redis")
    return { target: process.env["REDIS_URL"] ?? REDIS, remove: removeNothing };
  if (store === "sqlite") {
    const folder = await mkdtemp(join(tmpdir(), "bunpie-soak-"));
    return {
      target: join(folder, "sessions.db"),
      remove: () => rm(folder, { recursive: true }),
    };
  }
  const url = new URL(process.env["DATABASE_URL"] ?? POSTGRES);
  const schema = `bunpie_soak_${process.pid}`;
  const sql = new Bun.SQL(url.href, { max: 1 });
  await sql.unsafe(`CREATE SCHEMA ${schema}`);
  url.searchParams.set("search_path", schema);
  return {
    target: url.href,
    remove: async () => {
      await sql.unsafe(`DROP SCHEMA ${schema} CASCADE`);
      await sql.close();
    },
  };
}
