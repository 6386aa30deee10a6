import type { Connections } from "./connections.ts";

/** How long connections may be silent, in milliseconds, before the server is asked about them. */
const GRACE = 250;

/** How long the server may take to answer, in milliseconds, with the time to connect. */
const ANSWER_TIME = 400;

/**
 * How long after the server has said that it is idle it is asked once more, in milliseconds. A busy
 * machine may delay a statement, or the answer to it, for this long.
 */
const CONFIRMATION = 150;

/**
 * Notices that connections have lost what was sent on them. Statements are pending, and nothing
 * arrives: that is a slow server, somebody's lock, or a network that has forgotten the connections.
 * Only the server knows, so it is asked over another connection, again and again while the silence
 * lasts. Connections on which it works are left alone.
 */
export class SilenceWatch {
  readonly #connections: Connections;
  readonly #open: () => Connections;
  readonly #onLost: () => void;
  #pending = 0;
  #answers = 0;
  /** How many answers there were when the server last said that it has nothing to do. */
  #idleAt: number | undefined;
  #timer: Timer | undefined;
  /** The connection over which the server is asked. */
  #asker: Connections | undefined;
  #isClosed = false;

  /**
   * `open` opens a connection to ask the server. `onLost` is called once the server has ended
   * `connections`, on which it had nothing to do, and still nothing has arrived.
   */
  constructor(connections: Connections, open: () => Connections, onLost: () => void) {
    this.#connections = connections;
    this.#open = open;
    this.#onLost = onLost;
  }

  /** A statement is sent. */
  begin(): void {
    this.#pending++;
    if (this.#timer === undefined) this.#wait(GRACE);
  }

  /** A statement is no longer pending. */
  end(isAnswered: boolean): void {
    this.#pending--;
    if (isAnswered) this.#answers++;
  }

  /** Stops for good. A question that is under way is given up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#hangUp();
  }

  #wait(time: number): void {
    if (this.#isClosed) return;
    const before = this.#answers;
    this.#timer = setTimeout(() => void this.#look(before), time);
    this.#timer.unref();
  }

  async #look(before: number): Promise<void> {
    if (this.#pending === 0) {
      this.#timer = undefined;
      await this.#hangUp();
      return;
    }
    const begun = performance.now();
    const areEnded = this.#isSilent(before) && (await this.#ask(before));
    if (areEnded && !this.#isClosed) this.#onLost();
    const spent = this.#isSilent(before) ? performance.now() - begun : 0;
    const isSuspected = this.#idleAt === this.#answers;
    this.#wait(isSuspected ? CONFIRMATION : Math.max(0, GRACE - spent));
  }

  /** Connections that have never answered do not count: they may still be opening. */
  #isSilent(before: number): boolean {
    return before > 0 && this.#answers === before && this.#pending > 0 && !this.#isClosed;
  }

  /** Ends the connections if the server does nothing on them. Returns whether it has. */
  async #ask(before: number): Promise<boolean> {
    const asker = (this.#asker ??= this.#open());
    // Closing the connection rejects the question.
    const timer = setTimeout(() => void this.#hangUp(), ANSWER_TIME);
    timer.unref();
    try {
      const isConfirmed = this.#idleAt === before;
      this.#idleAt = undefined;
      if (isConfirmed) return this.#isSilent(before) && (await this.#connections.endIdle(asker));
      if (await this.#connections.areIdle(asker)) this.#idleAt = before;
      return false;
    } catch {
      await this.#hangUp();
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #hangUp(): Promise<void> {
    const asker = this.#asker;
    this.#asker = undefined;
    await asker?.client.close({ timeout: 0 });
  }
}
