import type { SessionRecord, SessionTimes } from "../store/record.ts";
import type { Contents } from "./contents.ts";
import type { Use } from "./life.ts";
import type { Settings } from "./options.ts";

/**
 * The idle timeout is restarted once this share of it has passed, so that most reads write nothing.
 */
const TOUCH_AFTER = 0.1;

/** Applies the idle timeout and the absolute lifetime to records. Times are Unix milliseconds. */
export class Lifetimes {
  readonly #timeout: number;
  readonly #lifetime: number;
  readonly #now: () => number;

  constructor({ timeout, lifetime, now }: Pick<Settings, "timeout" | "lifetime" | "now">) {
    this.#timeout = timeout;
    this.#lifetime = lifetime;
    this.#now = now;
  }

  /**
   * Whether the record has expired. A timeout or lifetime that was shortened since the record was
   * stored applies to it too.
   */
  isExpired(record: SessionTimes, now: number = this.#now()): boolean {
    return (
      record.expiresAt <= now ||
      record.createdAt + this.#lifetime <= now ||
      this.#findIdleEnd(record) <= now
    );
  }

  /** When the record expires if it is not used again. */
  findEnd(record: SessionTimes): number {
    const { expiresAt, createdAt } = record;
    return Math.min(expiresAt, createdAt + this.#lifetime, this.#findIdleEnd(record));
  }

  /** The record with its idle timeout restarted, but not beyond its absolute lifetime. */
  restart(record: SessionRecord, now: number = this.#now()): SessionRecord {
    return { ...record, touchedAt: now, expiresAt: this.#expiry(record, now) };
  }

  /** The record with its idle timeout restarted if `use` says so; otherwise the record itself. */
  touch(record: SessionRecord, use: Use): SessionRecord {
    if (!this.#isDue(record, use)) return record;
    if (!isSilent(record, use)) return this.restart(record);
    return { ...record, expiresAt: this.#expiry(record, this.#now()) };
  }

  /** The record's next version, with these contents. */
  toNext(record: SessionRecord, contents: Contents, use: Use): SessionRecord {
    const { createdAt, touchedAt, expiresAt, userId, authenticatedAt, remember, label } =
      this.touch(record, use);
    // Spelled out, because spreading both objects takes four times as long.
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
   * @throws RangeError if `remember`, in seconds, is not a positive whole number or exceeds the
   *   absolute lifetime.
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
   * Considers `expiresAt` as well as `touchedAt`: during a rolling deploy, a process with another
   * timeout may have set an earlier expiry than this one would.
   */
  #isDue(record: SessionRecord, use: Use): boolean {
    const { at, restarts } = use;
    if (restarts === "never" || restarts === "always") return restarts === "always";
    const idle = this.#idleTimeout(record);
    const share = idle * TOUCH_AFTER;
    if (at - record.touchedAt > share && !isSilent(record, use)) return true;
    return (
      record.expiresAt < at + idle - share && this.#expiry(record, at) - record.expiresAt > share
    );
  }

  #expiry(record: SessionRecord, now: number): number {
    return Math.min(now + this.#idleTimeout(record), record.createdAt + this.#lifetime);
  }

  /** The app's `timeout` may have been shortened; a record's `remember` stays as it is. */
  #findIdleEnd({ remember, touchedAt }: SessionTimes): number {
    return remember === null ? touchedAt + this.#timeout : Infinity;
  }

  #idleTimeout(record: SessionTimes): number {
    return record.remember === null ? this.#timeout : record.remember * 1000;
  }
}

/**
 * Whether a restart of the idle timeout moves only `expiresAt`. By `touchedAt` the cookie of a
 * session with `remember` is due to be sent again, which only a response can do.
 */
export function isSilent({ remember }: SessionRecord, { restarts }: Use): boolean {
  return remember !== null && restarts === "late";
}
