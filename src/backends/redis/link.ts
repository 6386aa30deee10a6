import { isReply, NotSent } from "./errors.ts";

/**
 * A connection that was idle for this long, in milliseconds, is replaced before it is used:
 * firewalls and load balancers drop such connections without telling either side.
 */
const MAX_SILENCE = 60_000;

/** The number of ticks that make up the reply timeout. */
const TICKS = 4;

type Client = Pick<Bun.RedisClient, "connected" | "send" | "close">;

/** A command that waits for the next burst. */
interface Waiting {
  readonly command: string;
  readonly args: string[];
  resolve(reply: Promise<unknown>): void;
  reject(error: NotSent): void;
}

/**
 * One connection. It is never reconnected: once it is lost, another replaces it.
 *
 * Commands are sent in bursts. Those issued while a burst awaits its replies go with the next one,
 * so that neither side writes and reads for each command: with 100 commands pending, this takes two
 * thirds of the CPU time on either side. A single command is sent immediately.
 */
export class Link {
  readonly #client: Client;
  readonly #server: string;
  readonly #replyTimeout: number;
  readonly #waiting: Waiting[] = [];
  /** Whether a command issued now goes with the current burst. */
  #isSending = false;
  #awaited = 0;
  #heardAt = performance.now();
  #silentTicks = 0;
  #isWatched = false;
  #isEnding = false;

  /** `server` is the server's name in messages. `replyTimeout` is in milliseconds. */
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

  /** Closes the connection once all pending commands have been answered. */
  end(): void {
    this.#isEnding = true;
    if (this.#awaited === 0) this.#client.close();
  }

  /**
   * The burst lasts until the next turn of the event loop, by which Bun has written it in one
   * piece.
   */
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
    if (!isReply(error)) throw new Error(`${this.#server} ${this.#lossReason}`, { cause: error });
    // The server was demoted. The URL's name may by now resolve to the new primary.
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
      `The connection to ${this.#server} was lost before the command was sent; the command is not carried out. ` +
      "The next request connects again.";
    for (const { reject } of this.#waiting.splice(0)) reject(new NotSent(message));
  }

  /** How the connection was lost. */
  get #lossReason(): string {
    return this.#silentTicks > TICKS
      ? `did not answer for ${this.#replyTimeout} ms. The command may or may not have been carried out.`
      : "closed the connection before it answered. The command may or may not have been carried out.";
  }

  /**
   * Counts the time without a reply in ticks of a timer: by a clock, a process that was suspended
   * would mistake its own silence for the server's.
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
