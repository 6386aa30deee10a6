import type { SessionRecord, SessionTimes } from "../store/record.ts";
import type { Contents } from "./contents.ts";
import type { Use } from "./life.ts";
import type { Settings } from "./options.ts";

/** An idle timeout is restarted once this part of it has passed: most reads thus write nothing. */
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

  /** Whether the record has expired. A timeout or lifetime that was shortened since counts as it is now. */
  isExpired(record: SessionTimes, now: number = this.#now()): boolean {
    return (
      record.expiresAt <= now ||
      record.createdAt + this.#lifetime <= now ||
      record.touchedAt + this.#idleTimeout(record) <= now
    );
  }

  /** When the record expires if it is not used again. */
  endOf(record: SessionTimes): number {
    const { expiresAt, createdAt, touchedAt } = record;
    return Math.min(expiresAt, createdAt + this.#lifetime, touchedAt + this.#idleTimeout(record));
  }

  /** The record with its idle timeout restarted, within its absolute lifetime. */
  restart(record: SessionRecord, now: number = this.#now()): SessionRecord {
    return { ...record, touchedAt: now, expiresAt: this.#expiry(record, now) };
  }

  /** The same, if `use` says so; otherwise the record itself. */
  touched(record: SessionRecord, use: Use): SessionRecord {
    return this.#isDue(record, use) ? this.restart(record) : record;
  }

  /** The record's successor, with these contents. */
  next(record: SessionRecord, contents: Contents, use: Use): SessionRecord {
    const { createdAt, touchedAt, expiresAt, userId, authenticatedAt, remember, label } =
      this.touched(record, use);
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
      label,
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

  /**
   * By `expiresAt` as well as by `touchedAt`: a process with another timeout, in a rolling deploy, may
   * have set an earlier expiry than this one would.
   */
  #isDue(record: SessionRecord, { at, restarts }: Use): boolean {
    if (restarts !== "due") return restarts === "always";
    const idle = this.#idleTimeout(record);
    const share = idle * TOUCH_AFTER;
    if (at - record.touchedAt > share) return true;
    return (
      record.expiresAt < at + idle - share && this.#expiry(record, at) - record.expiresAt > share
    );
  }

  #expiry(record: SessionRecord, now: number): number {
    return Math.min(now + this.#idleTimeout(record), record.createdAt + this.#lifetime);
  }

  #idleTimeout(record: SessionTimes): number {
    return record.remember === null ? this.#timeout : record.remember * 1000;
  }
}
