import { isReply, NotSent } from "./errors.ts";

/**
 * A connection that was silent for this long, in milliseconds, is replaced before it is used:
 * firewalls and load balancers forget such a one, and tell neither side.
 */
const MAX_SILENCE = 60_000;

/** Into so many parts the wait for a reply is divided. */
const TICKS = 4;

type Client = Pick<Bun.RedisClient, "connected" | "send" | "close">;

/** A command that goes with the next burst. */
interface Waiting {
  readonly command: string;
  readonly args: string[];
  resolve(reply: Promise<unknown>): void;
  reject(error: NotSent): void;
}

/**
 * One connection. It is never mended: once it is lost, another takes its place.
 *
 * Commands go in bursts. What is asked while one is on its way goes with the next, so that neither side writes
 * and reads for each command: with 100 under way, that takes two thirds of the time of either. What is asked
 * alone goes at once.
 */
export class Link {
  readonly #client: Client;
  readonly #server: string;
  readonly #replyTimeout: number;
  readonly #waiting: Waiting[] = [];
  /** Whether what is asked now goes with the burst that is being sent. */
  #isSending = false;
  #awaited = 0;
  #heardAt = performance.now();
  #silentTicks = 0;
  #isWatched = false;
  #isEnding = false;

  /** `server` is its name in messages. `replyTimeout` is in milliseconds. */
  constructor(client: Client, server: string, replyTimeout: number) {
    this.#client = client;
    this.#server = server;
    this.#replyTimeout = replyTimeout;
  }

  get isUsable(): boolean {
    if (this.#isEnding || !this.#client.connected) return false;
    return this.#awaited > 0 || performance.now() - this.#heardAt < MAX_SILENCE;
  }

  /** @throws NotSent if the connection is lost before the command's burst begins. */
  send(command: string, args: string[]): Promise<unknown> {
    if (this.#awaited === 0) this.#beginBurst();
    if (this.#isSending) return this.#transmit(command, args);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, args, resolve, reject });
    });
  }

  /** Lets go of the connection once what it was asked has been answered. */
  end(): void {
    this.#isEnding = true;
    if (this.#awaited === 0) this.#client.close();
  }

  /** Until the event loop turns: Bun writes by then, and all at once. */
  #beginBurst(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    setImmediate(() => {
      this.#isSending = false;
    });
  }

  #transmit(command: string, args: string[]): Promise<unknown> {
    this.#awaited++;
    if (!this.#isWatched) this.#watch();
    return this.#client.send(command, args).then(this.#onReply, this.#onError);
  }

  readonly #onReply = (reply: unknown): unknown => {
    this.#hear();
    return reply;
  };

  readonly #onError = (error: unknown): never => {
    this.#hear();
    if (!isReply(error)) throw new Error(`${this.#server} ${this.#fate}`, { cause: error });
    // The server was demoted. By now the URL's name may lead to the one that took its place.
    if (isReply(error, "READONLY")) this.end();
    throw error;
  };

  #hear(): void {
    this.#awaited--;
    this.#heardAt = performance.now();
    if (this.#client.connected) this.#silentTicks = 0;
    else this.#refuseWaiting();
    if (this.#awaited > 0) return;
    if (this.#waiting.length > 0) this.#sendWaiting();
    else if (this.#isEnding) this.end();
  }

  #sendWaiting(): void {
    this.#beginBurst();
    for (const { command, args, resolve } of this.#waiting.splice(0)) {
      resolve(this.#transmit(command, args));
    }
  }

  #refuseWaiting(): void {
    const message =
      `The connection to ${this.#server} was lost before the command was sent. It is not carried out. ` +
      "The next request connects again.";
    for (const { reject } of this.#waiting.splice(0)) reject(new NotSent(message));
  }

  /** How it was lost. */
  get #fate(): string {
    return this.#silentTicks > TICKS
      ? `did not answer for ${this.#replyTimeout} ms. What it was asked may be done or not.`
      : "closed the connection before it answered. What it was asked may be done or not.";
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
