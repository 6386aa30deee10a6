import { NotSent } from "./errors.ts";
import { Link } from "./link.ts";
import type { RedisTls } from "./tls.ts";
import { checkTls } from "./tls.ts";

/** The methods of a Redis client that the backend calls. A `Bun.RedisClient` has them. */
export interface RedisLike {
  /** Sends a command and returns the reply: strings, integers as numbers, `null` for no value. */
  send(command: string, args: string[]): Promise<unknown>;
  /** Whether the client is connected, if it can tell. */
  readonly connected?: boolean;
  /** Connects, if the client does not connect by itself. */
  connect?(): Promise<unknown>;
  /** Opens another connection to the same server, for subscriptions. Optional. */
  readonly duplicate?: (() => Promise<Bun.RedisClient>) | undefined;
}

/** The server and user, for messages. */
export interface RedisAccount {
  readonly server: string;
  readonly user: string;
}

/** How long after a failed attempt to connect no new attempt is made, in milliseconds. */
const RETRY_PAUSE = 100;

const URL_REMEDY = 'Use one such as "redis://user:password@localhost:6379/0".';

/**
 * Sends commands to a server that may go away and come back.
 *
 * `Bun.RedisClient` by itself queues commands while the server is away and sends them up to two
 * seconds after the server is back, long after a request was told that its write had failed. It
 * waits for a reply for ever, and stops connecting after twenty attempts. So this class gives each
 * connection a client of its own, with all of that turned off. A command that cannot be sent now
 * fails now, and the next command connects again.
 */
export class RedisConnection implements RedisLike {
  readonly account: RedisAccount;
  readonly #url: string;
  readonly #replyTimeout: number;
  readonly #tls: RedisTls | undefined;
  #link: Link | undefined;
  #connecting: Promise<Link> | undefined;
  #retryAt = 0;
  #failure: NotSent | undefined;

  /**
   * Connects when the first command is sent. `replyTimeout` is how long, in milliseconds, to wait
   * for a reply before the connection is considered lost.
   *
   * @throws TypeError if `url` is not the URL of a Redis server, or `tls` does not suit it.
   */
  constructor(url: string, replyTimeout: number, tls?: RedisTls) {
    this.#url = url;
    this.#replyTimeout = replyTimeout;
    this.#tls = tls;
    this.account = parseAccount(url);
    if (tls !== undefined) checkTls(url, tls);
    try {
      this.#newClient();
    } catch (cause) {
      throw new TypeError(`${(cause as Error).message}. ${URL_REMEDY}`, { cause });
    }
  }

  /**
   * @throws Error if there is no connection. If it was lost before the reply, the command may or
   *   may not have been carried out: it is never sent twice.
   */
  send(command: string, args: string[]): Promise<unknown> {
    const link = this.#usable;
    if (link !== undefined) return link.send(command, args);
    return this.#connect().then((next) => next.send(command, args));
  }

  /** Connects, unless there is a connection. */
  async connect(): Promise<void> {
    if (this.#usable === undefined) await this.#connect();
  }

  close(): void {
    this.#link?.end();
  }

  /** Opens another connection to the same server, which the caller closes. */
  async duplicate(): Promise<Bun.RedisClient> {
    const client = this.#newClient();
    await client.connect();
    return client;
  }

  get #usable(): Link | undefined {
    return this.#link?.isUsable === true ? this.#link : undefined;
  }

  #connect(): Promise<Link> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Link> {
    this.#link?.end();
    if (this.#failure !== undefined && performance.now() < this.#retryAt) throw this.#failure;
    const deadline = performance.now() + this.#replyTimeout;
    const client = this.#newClient();
    try {
      await client.connect();
    } catch (cause) {
      this.#failure = await this.#explain(cause, deadline);
      this.#retryAt = performance.now() + RETRY_PAUSE;
      throw this.#failure;
    }
    this.#link = new Link(client, this.account.server, this.#replyTimeout);
    return this.#link;
  }

  #newClient(): Bun.RedisClient {
    return new Bun.RedisClient(this.#url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: this.#replyTimeout,
      ...(this.#tls === undefined ? {} : { tls: this.#tls as Bun.TLSOptions }),
    });
  }

  async #explain(cause: unknown, deadline: number): Promise<NotSent> {
    // Loaded on demand: this module takes longer to load than the rest of the backend and is seldom
    // needed.
    const { explainFailure } = await import("./diagnosis.ts");
    const timeout = deadline - performance.now();
    const why = await explainFailure(this.#url, this.#tls ?? {}, timeout);
    return new NotSent(`${this.account.server} cannot be reached: ${why}`, { cause });
  }
}

/** Names the server and the user; a password in the URL is left out. */
function parseAccount(url: string): RedisAccount {
  if (!URL.canParse(url))
    throw new TypeError(`RedisSessionBackend needs a valid URL. ${URL_REMEDY}`);
  const { host, pathname, username } = new URL(url);
  return {
    server: `Redis at ${host || pathname}`,
    user: decodeURIComponent(username) || "default",
  };
}
