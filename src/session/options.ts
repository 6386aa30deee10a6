import type { SessionBackend } from "../store/backend.ts";
import { SESSION_TIMEOUT, SessionStore } from "../store/backend.ts";
import { LoadSaveStore } from "../store/load-save-store.ts";
import { LONGEST_TIMER } from "../store/sweeper.ts";
import type { CookieOptions } from "./cookie.ts";
import type { SessionEvent } from "./events.ts";

/** How sessions live, where not said otherwise in seconds. */
export interface SessionOptions {
  /** Idle timeout, in seconds: a session that nobody uses for so long ends. 8 hours by default. */
  readonly timeout?: number;
  /** Absolute lifetime, in seconds, however busy the session is. 30 days by default. */
  readonly lifetime?: number;
  /** The cookie; `session_id`, `HttpOnly`, `Secure` and `SameSite=Lax` by default. */
  readonly cookie?: CookieOptions;
  /** How much a session may hold, in bytes of JSON; 32 KiB by default. */
  readonly maxBytes?: number;
  /**
   * How long a request waits for an answer of the store, in milliseconds; 2,000 by default. Then it
   * gets 503. It asks once at its beginning, and once more at its end if there is something to store.
   */
  readonly storeTimeout?: number;
  /** How often expired sessions are removed, in seconds; 60 by default, 0 for never. */
  readonly sweepInterval?: number;
  /** Is told of what happens to sessions. */
  readonly onEvent?: (event: SessionEvent) => void;
  /** The clock, in Unix milliseconds; `Date.now` by default. Give the backend the same one. */
  readonly now?: () => number;
}

/** Options for a manager that stands on its own. */
export interface SessionsOptions extends SessionOptions {
  /** Where the sessions are kept. */
  readonly backend: SessionBackend;
}

/** Options that have been checked, with a value for each. Durations are in milliseconds. */
export interface Settings {
  readonly store: SessionStore;
  readonly timeout: number;
  readonly lifetime: number;
  readonly maxBytes: number;
  readonly storeTimeout: number;
  readonly sweepInterval: number;
  readonly now: () => number;
}

const DEFAULTS = {
  timeout: SESSION_TIMEOUT,
  lifetime: 30 * 24 * 60 * 60,
  maxBytes: 32 * 1024,
  storeTimeout: 2_000,
  sweepInterval: 60,
};

/** @throws TypeError for an option that makes no sense, with the remedy. */
export function settingsOf(options: SessionsOptions): Settings {
  const { now = Date.now } = options;
  const storeTimeout = Math.min(positive(options, "storeTimeout"), LONGEST_TIMER);
  return {
    now,
    store: storeOf(options.backend, now, storeTimeout),
    timeout: positive(options, "timeout") * 1000,
    lifetime: positive(options, "lifetime") * 1000,
    maxBytes: positive(options, "maxBytes"),
    storeTimeout,
    sweepInterval: options.sweepInterval === 0 ? 0 : positive(options, "sweepInterval") * 1000,
  };
}

function storeOf(backend: SessionBackend, now: () => number, patience: number): SessionStore {
  if (backend instanceof SessionStore) return backend;
  if (typeof backend?.load === "function" && typeof backend.save === "function") {
    return new LoadSaveStore(backend, now, patience);
  }
  throw new TypeError(
    "`backend` needs a load(sessionId) and a save(sessionId, data, timeout) method. " +
      "`new InMemorySessionBackend()` keeps sessions in memory.",
  );
}

function positive(options: SessionOptions, name: keyof typeof DEFAULTS): number {
  const value = options[name] ?? DEFAULTS[name];
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(
    `\`${name}\` is ${value}; it has to be a number above 0. Leave it out for ${DEFAULTS[name]}.`,
  );
}
