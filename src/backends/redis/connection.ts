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

/**
 * A connection that was silent for this long, in milliseconds, is replaced before it is used:
 * firewalls and load balancers forget such a one, and tell neither side.
 */
const MAX_SILENCE = 60_000;

/** Into so many parts the wait for a reply is divided. */
const TICKS = 4;

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
  async send(command: string, args: string[]): Promise<unknown> {
    const link = this.#usable ?? (await this.#connect());
    try {
      return await link.send(command, args);
    } catch (error) {
      if (!isReply(error)) throw new Error(`${this.account.server} ${link.fate}`, { cause: error });
      // The server was demoted. By now the URL's name may lead to the one that took its place.
      if (isReply(error, "READONLY")) link.end();
      throw error;
    }
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
    this.#link = new Link(client, this.#replyTimeout);
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

/** There is no connection, so that the server will never hear of what it was to be asked. */
export class NotSent extends Error {}

/** One connection. It is never mended: once it is lost, another takes its place. */
class Link {
  readonly #client: Bun.RedisClient;
  readonly #replyTimeout: number;
  #awaited = 0;
  #heardAt = performance.now();
  #silentTicks = 0;
  #isWatched = false;
  #isEnding = false;

  constructor(client: Bun.RedisClient, replyTimeout: number) {
    this.#client = client;
    this.#replyTimeout = replyTimeout;
  }

  get isUsable(): boolean {
    if (this.#isEnding || !this.#client.connected) return false;
    return this.#awaited > 0 || performance.now() - this.#heardAt < MAX_SILENCE;
  }

  /** How it was lost. */
  get fate(): string {
    return this.#silentTicks > TICKS
      ? `did not answer for ${this.#replyTimeout} ms. What it was asked may be done or not.`
      : "closed the connection before it answered. What it was asked may be done or not.";
  }

  async send(command: string, args: string[]): Promise<unknown> {
    this.#awaited++;
    if (!this.#isWatched) this.#watch();
    try {
      return await this.#client.send(command, args);
    } finally {
      this.#awaited--;
      this.#heardAt = performance.now();
      if (this.#client.connected) this.#silentTicks = 0;
      if (this.#isEnding) this.end();
    }
  }

  /** Lets go of the connection once what it was asked has been answered. */
  end(): void {
    this.#isEnding = true;
    if (this.#awaited === 0) this.#client.close();
  }

  /**
   * Counts the time without a reply in ticks, not on a clock: a process that stood still itself
   * would take its own silence for the server's.
   */
  #watch(): void {
    this.#isWatched = true;
    const check = (): void => {
      this.#isWatched = false;
      if (this.#awaited === 0) return;
      this.#silentTicks++;
      if (this.#silentTicks > TICKS) this.#client.close();
      else this.#watch();
    };
    setTimeout(check, this.#replyTimeout / TICKS).unref();
  }
}

/** Whether an error is a reply of the server: of this kind, such as "NOSCRIPT", or of any. */
export function isReply(error: unknown, kind = "[A-Z]+"): boolean {
  return error instanceof Error && new RegExp(`^${kind} `).test(error.message);
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
