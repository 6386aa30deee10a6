import { serviceAt } from "./services.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** The server that the tests use. */
export const redis = await serviceAt("redis");

const PREFIX = "bunpie-test:";
/** Keys that are as old as this, in milliseconds, are left over from a run that is long over. */
const OLD = 60 * 60_000;

/** A prefix for keys that nobody else uses. */
export function randomPrefix(): string {
  return `${PREFIX}${Date.now()}:${crypto.randomUUID()}:`;
}

/** A client for tests, with Bun's own settings. */
export const redisClient = new Bun.RedisClient(redis.url);
if (redis.isThere) await removeOldKeys();

async function removeOldKeys(): Promise<void> {
  for (const key of await redisClient.keys(`${PREFIX}*`)) {
    if (Number(key.split(":")[1]) < Date.now() - OLD) await redisClient.del(key);
  }
}

/**
 * The keys of one test on the shared server, so that runs at the same time do not meet. Gone at the
 * end of the block that holds it, or on `drop`.
 */
export class Keyspace implements AsyncDisposable {
  readonly prefix = randomPrefix();
  /** A client for the test itself, with Bun's own settings. */
  readonly client: Bun.RedisClient;
  readonly #url: string;

  constructor(url = redis.url) {
    this.#url = url;
    this.client = new Bun.RedisClient(url);
  }

  /** What `sharedBackend` makes a backend of, in another process for instance. */
  get target(): string {
    return `${this.#url}#${this.prefix}`;
  }

  /** Sends a command whose first argument is a key. */
  send(command: string, key: string, ...args: string[]): Promise<unknown> {
    return this.client.send(command, [this.prefix + key, ...args]);
  }

  /** All keys, without the prefix. */
  async keys(): Promise<string[]> {
    const found = await this.client.keys(`${this.prefix}*`);
    return found.map((key) => key.slice(this.prefix.length)).toSorted();
  }

  async drop(): Promise<void> {
    for (const key of await this.keys()) await this.send("DEL", key);
    this.client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drop();
  }
}

/** For backends whose limit on time is not what a test is about: a busy machine may need longer. */
export const PATIENT = { replyTimeout: 60_000 } as const;

/** A line to a server that a test can break, and the server's URL by way of it. */
export async function brittle(server: string): Promise<{ proxy: TcpProxy; url: string }> {
  const url = new URL(server);
  const proxy = await TcpProxy.to(Number(url.port), url.hostname);
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  return { proxy, url: url.href };
}
