import { NotSent } from "./errors.ts";
import { Link } from "./link.ts";
import type { RedisTls } from "./tls.ts";
import { checkTls } from "./tls.ts";

/** What is asked of a Redis client. A `Bun.RedisClient` has it. */
export interface RedisLike {
  /** Sends a command. Returns the reply: texts as strings, integers as numbers, nothing as `null`. */
  send(command: string, args: string[]): Promise<unknown>;
  /** Whether there is a connection, if the client can tell. */
  readonly connected?: boolean;
  /** Makes a connection, if the client has to be told to. */
  connect?(): Promise<unknown>;
  /** Opens another connection to the same server, for listening. Optional. */
  readonly duplicate?: (() => Promise<Bun.RedisClient>) | undefined;
}

/** Who is connected to what, for messages. */
export interface RedisAccount {
  readonly server: string;
  readonly user: string;
}

/** For this long, in milliseconds, nothing is tried after an attempt to connect that failed. */
const RETRY_PAUSE = 100;

const URL_REMEDY = 'Give one such as "redis://user:password@localhost:6379/0".';

/**
 * Commands to a server that may go away and come back.
 *
 * `Bun.RedisClient` by itself keeps what is asked of it while the server is away and sends it up to
 * two seconds after the server is back: long after a request was told that its write had failed.
 * It waits for a reply for ever, and after twenty attempts it never connects again. So each
 * connection gets a client of its own here, with all of that turned off. What cannot be sent now
 * fails now, and the next command tries anew.
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
   * for the server until the connection counts as lost.
   *
   * @throws TypeError for what is no URL of a Redis server, and for `tls` that does not suit it.
   */
  constructor(url: string, replyTimeout: number, tls?: RedisTls) {
    this.#url = url;
    this.#replyTimeout = replyTimeout;
    this.#tls = tls;
    this.account = accountOf(url);
    if (tls !== undefined) checkTls(url, tls);
    try {
      this.#newClient();
    } catch (cause) {
      throw new TypeError(`${(cause as Error).message}. ${URL_REMEDY}`, { cause });
    }
  }

  /**
   * @throws Error if there is no connection. If it was lost on the way, whether the command was
   *   carried out is open: it is never sent twice.
   */
  send(command: string, args: string[]): Promise<unknown> {
    const link = this.#usable;
    if (link !== undefined) return link.send(command, args);
    return this.#connect().then((next) => next.send(command, args));
  }

  /** Makes the connection, if there is none. */
  async connect(): Promise<void> {
    if (this.#usable === undefined) await this.#connect();
  }

  close(): void {
    this.#link?.end();
  }

  /** Another connection to the same server, which is the caller's. */
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
    // It takes longer to load than all the rest, and is seldom needed.
    const { explainFailure } = await import("./diagnosis.ts");
    const patience = deadline - performance.now();
    const why = await explainFailure(this.#url, this.#tls ?? {}, patience);
    return new NotSent(`${this.account.server} cannot be reached: ${why}`, { cause });
  }
}

/** Names the server and the user, without the password that a URL may hold. */
function accountOf(url: string): RedisAccount {
  if (!URL.canParse(url)) throw new TypeError(`That is no URL. ${URL_REMEDY}`);
  const { host, pathname, username } = new URL(url);
  return {
    server: `Redis at ${host || pathname}`,
    user: decodeURIComponent(username) || "default",
  };
}
