import type { RedisAccount, RedisLike } from "./connection.ts";
import { NotSent } from "./errors.ts";

/** What `Bun.RedisClient` says without having sent anything, and what it means. */
const REFUSALS: Readonly<Record<string, string>> = {
  "Connection has failed":
    "The Bun.RedisClient has given up for good: it was closed, or the server was away for longer than its " +
    "`maxRetries`. Call its `connect()`, or pass a URL to RedisSessionBackend, which reconnects by itself.",
  "Connection is closed and offline queue is disabled":
    "The Bun.RedisClient is not connected. Call `await client.connect()` at start-up. If it was connected " +
    "before, the server is away, and the client still tries to reconnect.",
};

const UNREACHABLE =
  "The Redis client cannot connect. Check its URL, user and certificates, and that the server is there. " +
  "With a URL, RedisSessionBackend says more.";

/** How long {@link OwnClient} waits for a connection, in milliseconds. */
const CONNECT_TIMEOUT = 2_000;

/** A client of the app's own, whose refusals say what has become of it, and what to do. */
export class OwnClient implements RedisLike {
  readonly account: RedisAccount = { server: "Redis", user: "NAME" };
  readonly #client: RedisLike;
  readonly #connectTimeout: number;

  /** `connectTimeout` is how long, in milliseconds, {@link connect} waits. */
  constructor(client: RedisLike, connectTimeout = CONNECT_TIMEOUT) {
    this.#client = client;
    this.#connectTimeout = connectTimeout;
  }

  /** @throws NotSent if the client is not connected, and keeps nothing for later. */
  async send(command: string, args: string[]): Promise<unknown> {
    const wasConnected = this.#client.connected !== false;
    try {
      return await this.#client.send(command, args);
    } catch (error) {
      const refusal = REFUSALS[(error as Error | undefined)?.message ?? ""];
      if (wasConnected || refusal === undefined) throw error;
      throw new NotSent(refusal, { cause: error });
    }
  }

  /**
   * Makes a connection if there is none. A `Bun.RedisClient` by itself would try for half a minute.
   *
   * @throws NotSent if there is none in time.
   */
  async connect(): Promise<void> {
    if (this.#client.connected !== false) return;
    const { promise: timeout, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`No connection after ${this.#connectTimeout} ms.`)),
      this.#connectTimeout,
    );
    try {
      await Promise.race([this.#client.connect?.(), timeout]);
    } catch (cause) {
      throw new NotSent(UNREACHABLE, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens another connection to the same server, if the client can. */
  get duplicate(): RedisLike["duplicate"] {
    return this.#client.duplicate?.bind(this.#client);
  }

  /** Has nothing to do: the client stays open. */
  close(): void {}
}
