import type { SessionBackend } from "../store/backend.ts";
import { SESSION_TIMEOUT } from "../store/backend.ts";
import { LoadSaveStore } from "../store/load-save-store.ts";
import type { SessionStore } from "../store/session-store.ts";
import { isSessionStore } from "../store/session-store.ts";
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
  /**
   * How often sessions with an `onEnd` listener are read again, in seconds, in case the notice of an end
   * was lost, or the backend gives none; 5 by default.
   */
  readonly watchInterval?: number;
  /**
   * Sets the users of several apps apart that share a store: letters, digits, ".", "_" and "-". Sessions
   * are set apart by the cookie's name as well. None by default.
   */
  readonly namespace?: string;
  /**
   * How many sessions one user has at most; 100 by default, `Infinity` for any number. A login beyond it
   * ends the user's session that was used longest ago. Not for backends of two methods.
   */
  readonly maxPerUser?: number;
  /**
   * Whether a request counts as use of its session; `true` for all by default. A page that polls would
   * otherwise keep the session alive for as long as its tab is open.
   */
  readonly renews?: (request: Request) => boolean;
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
  readonly watchInterval: number;
  readonly maxPerUser: number;
  /** Whether the store can list a user's sessions. */
  readonly knowsUsers: boolean;
  readonly namespace: string | undefined;
  readonly renews: ((request: Request) => boolean) | undefined;
  readonly now: () => number;
}

/** The names of all options of a manager. */
export const SESSION_OPTIONS = [
  "timeout",
  "lifetime",
  "cookie",
  "maxBytes",
  "storeTimeout",
  "sweepInterval",
  "watchInterval",
  "namespace",
  "maxPerUser",
  "renews",
  "onEvent",
  "now",
] as const satisfies readonly (keyof SessionOptions)[];

const NAMESPACE = /^[A-Za-z0-9._-]{1,64}$/;

const DEFAULT_MAX_PER_USER = 100;

const DEFAULTS = {
  timeout: SESSION_TIMEOUT,
  lifetime: 30 * 24 * 60 * 60,
  maxBytes: 32 * 1024,
  storeTimeout: 2_000,
  sweepInterval: 60,
  watchInterval: 5,
};

/** @throws TypeError for an option that makes no sense, with the remedy. */
export function toSettings(options: SessionsOptions): Settings {
  const { now = Date.now, namespace, maxPerUser = DEFAULT_MAX_PER_USER, renews } = options;
  const storeTimeout = Math.min(positive(options, "storeTimeout"), LONGEST_TIMER);
  const store = toStore(options.backend, now, storeTimeout);
  checkLifetimes(options);
  if (namespace !== undefined && !NAMESPACE.test(namespace)) {
    throw new TypeError(
      `\`namespace\` is ${JSON.stringify(namespace)}; it has to be up to 64 letters, digits, ".", "_" or "-".`,
    );
  }
  if (maxPerUser !== Infinity && !(Number.isInteger(maxPerUser) && maxPerUser > 0)) {
    throw new TypeError(
      `\`maxPerUser\` is ${maxPerUser}; it has to be a whole number above 0, or Infinity. Leave it out for ${DEFAULT_MAX_PER_USER}.`,
    );
  }
  return {
    now,
    store,
    timeout: positive(options, "timeout") * 1000,
    lifetime: positive(options, "lifetime") * 1000,
    maxBytes: positive(options, "maxBytes"),
    storeTimeout,
    sweepInterval: options.sweepInterval === 0 ? 0 : positive(options, "sweepInterval") * 1000,
    watchInterval: Math.min(positive(options, "watchInterval") * 1000, LONGEST_TIMER),
    maxPerUser,
    knowsUsers: !(store instanceof LoadSaveStore),
    namespace,
    renews,
  };
}

function checkLifetimes(options: SessionOptions): void {
  const timeout = positive(options, "timeout");
  const lifetime = positive(options, "lifetime");
  // The default gives way to a shorter lifetime without a word: it would never be reached.
  if (timeout <= lifetime || options.timeout === undefined) return;
  throw new TypeError(
    `\`timeout\` is ${timeout} seconds, longer than the \`lifetime\` of ${lifetime}, at which every session ends. ` +
      "Raise `lifetime`, or shorten `timeout`.",
  );
}

function toStore(backend: SessionBackend, now: () => number, timeout: number): SessionStore {
  if (isSessionStore(backend)) return backend;
  if (typeof backend?.load === "function" && typeof backend.save === "function") {
    return new LoadSaveStore(backend, now, timeout);
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
