import type { SessionRecord } from "../store/backend.ts";
import type { Settings } from "./options.ts";
import type { Contents } from "./session.ts";

/** An idle timeout is begun anew once this part of it is over: most reads thus write nothing. */
const TOUCH_AFTER = 0.1;

/** How long records live: the idle timeout and the absolute lifetime, on the server's clock. */
export class Lifetimes {
  readonly #timeout: number;
  readonly #lifetime: number;
  readonly #now: () => number;

  constructor({ timeout, lifetime, now }: Pick<Settings, "timeout" | "lifetime" | "now">) {
    this.#timeout = timeout;
    this.#lifetime = lifetime;
    this.#now = now;
  }

  /** Whether the record's time is over. A lifetime that was shortened since counts as it is now. */
  isOver(record: SessionRecord, now = this.#now()): boolean {
    return record.expiresAt <= now || record.createdAt + this.#lifetime <= now;
  }

  /** The record with its idle timeout begun anew, within its absolute lifetime. */
  begin(now: number, record: SessionRecord): SessionRecord {
    const idle = now + this.#idleTimeout(record);
    const absolute = record.createdAt + this.#lifetime;
    return { ...record, touchedAt: now, expiresAt: Math.min(idle, absolute) };
  }

  /**
   * The same, if it is due; otherwise the record itself. `readAt` spares a look at the clock, 0.04 µs
   * each, in the many requests where nothing is due.
   */
  touched(record: SessionRecord, readAt: number): SessionRecord {
    const due = readAt - record.touchedAt > this.#idleTimeout(record) * TOUCH_AFTER;
    return due ? this.begin(this.#now(), record) : record;
  }

  /** The record's successor, with these contents. */
  next(record: SessionRecord, contents: Contents, readAt: number): SessionRecord {
    const { createdAt, touchedAt, expiresAt, userId, authenticatedAt, remember } = this.touched(
      record,
      readAt,
    );
    // Spelled out, it takes a quarter of the time that spreading both objects takes.
    return {
      data: contents.data,
      flash: contents.flash,
      version: record.version + 1,
      createdAt,
      touchedAt,
      expiresAt,
      userId,
      authenticatedAt,
      remember,
    };
  }

  /**
   * @throws RangeError for a `remember`, in seconds, that is no duration or that the absolute lifetime
   *   would cut short.
   */
  checkRemember(seconds: number): void {
    if (!Number.isInteger(seconds) || seconds <= 0) {
      throw new RangeError(
        `remember is ${seconds}; it has to be a whole number of seconds above 0, such as 30 * 86_400.`,
      );
    }
    if (seconds * 1000 > this.#lifetime) {
      throw new RangeError(
        `remember is ${seconds} seconds, longer than the absolute lifetime of ${this.#lifetime / 1000}. ` +
          "Shorten it, or raise the `lifetime` option.",
      );
    }
  }

  #idleTimeout(record: SessionRecord): number {
    return record.remember === null ? this.#timeout : record.remember * 1000;
  }
}
