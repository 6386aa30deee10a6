import type { RedisAccount, RedisLike } from "./connection.ts";
import { NotSent } from "./errors.ts";

/** The errors with which `Bun.RedisClient` refuses to send a command, and what they mean. */
const REFUSALS: Readonly<Record<string, string>> = {
  "Connection has failed":
    "The Bun.RedisClient no longer reconnects: it was closed, or the server was away for longer than its " +
    "`maxRetries` allow. Call its `connect()`, or pass a URL to RedisSessionBackend, which reconnects by itself.",
  "Connection is closed and offline queue is disabled":
    "The Bun.RedisClient is not connected. Call `await client.connect()` at start-up. If it was connected " +
    "before, the server is away and the client is trying to reconnect.",
};

const UNREACHABLE =
  "The Redis client cannot connect. Check its URL, user and certificates, and that the server is running. " +
  "Pass a URL to RedisSessionBackend for a more precise error.";

/** How long {@link OwnClient} waits for a connection, in milliseconds. */
const CONNECT_TIMEOUT = 2_000;

/**
 * Wraps the app's own client, and turns its refusals into errors that say what happened and what to
 * do.
 */
export class OwnClient implements RedisLike {
  readonly account: RedisAccount = { server: "Redis", user: "NAME" };
  readonly #client: RedisLike;
  readonly #connectTimeout: number;

  /** `connectTimeout` is how long, in milliseconds, {@link connect} waits. */
  constructor(client: RedisLike, connectTimeout = CONNECT_TIMEOUT) {
    this.#client = client;
    this.#connectTimeout = connectTimeout;
  }

  /** @throws NotSent if the client is not connected and does not queue commands. */
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
   * Connects, unless there is a connection. A `Bun.RedisClient` by itself would try for half a
   * minute.
   *
   * @throws NotSent if no connection is made in time.
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

  /** Does nothing: the client stays open. */
  close(): void {}
}
