import type { SessionBackend } from "../store/backend.ts";
import { SESSION_TIMEOUT } from "../store/backend.ts";
import { checkFunction } from "../store/known-options.ts";
import { LoadSaveStore } from "../store/load-save-store.ts";
import type { SessionStore } from "../store/session-store.ts";
import { isSessionStore } from "../store/session-store.ts";
import { LONGEST_TIMER } from "../store/sweeper.ts";
import type { CookieOptions } from "./cookie.ts";
import type { SessionEvent } from "./events.ts";

/** Options of the session layer. Durations are in seconds unless stated otherwise. */
export interface SessionOptions {
  /**
   * Idle timeout, in seconds: a session that is not used for this long expires (OWASP ASVS 5.0,
   * V7.3.1). 8 hours by default.
   */
  readonly timeout?: number;
  /**
   * Absolute lifetime, in seconds: a session expires this long after its first write or last login,
   * however active it is (OWASP ASVS 5.0, V7.3.2). 30 days by default.
   */
  readonly lifetime?: number;
  /** The session's cookie; `session_id`, `HttpOnly`, `Secure` and `SameSite=Lax` by default. */
  readonly cookie?: CookieOptions;
  /**
   * The size limit of a session, in bytes of JSON; 32 KiB by default. Storing a larger one throws a
   * `SessionDataError`.
   */
  readonly maxBytes?: number;
  /**
   * How long a request waits for each answer of the store, in milliseconds; 2,000 by default. If
   * the store does not answer in time, the request is answered with 503. A request calls the store
   * once when it begins and, if there is something to store, once when it ends.
   */
  readonly storeTimeout?: number;
  /**
   * How often expired sessions are removed from the store, in seconds; 60 by default, 0 for never.
   */
  readonly sweepInterval?: number;
  /**
   * How often sessions with an `onEnd` listener are read again, in seconds, in case the notice of
   * an end was lost or the backend sends none; 5 by default.
   */
  readonly watchInterval?: number;
  /**
   * Separates the users and sessions of apps that share a store: up to 64 letters, digits, ".", "_"
   * and "-". Different cookie names separate sessions too, but not users. None by default.
   */
  readonly namespace?: string;
  /**
   * The maximum number of sessions per user; 100 by default, `Infinity` for no limit. A login
   * beyond it ends the user's least recently used session. Has no effect on two-method backends.
   */
  readonly maxPerUser?: number;
  /**
   * Whether a request counts as use of its session and so restarts the idle timeout; by default
   * every request does. Return `false` for polling requests: they keep the session alive for as
   * long as a tab is open.
   */
  readonly renews?: (request: Request) => boolean;
  /**
   * Called with every {@link SessionEvent}. What it throws is logged and does not fail the request.
   */
  readonly onEvent?: (event: SessionEvent) => void;
  /** The clock, in Unix milliseconds; `Date.now` by default. Pass the same one to the backend. */
  readonly now?: () => number;
}

/** The session options together with the backend. */
export interface SessionsOptions extends SessionOptions {
  /** Where sessions are stored. */
  readonly backend: SessionBackend;
}

/** Checked options with their defaults. Durations are in milliseconds. */
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

/** @throws TypeError for an invalid option, with the remedy. */
export function toSettings(options: SessionsOptions): Settings {
  const { now = Date.now, namespace, maxPerUser = DEFAULT_MAX_PER_USER, renews } = options;
  for (const name of ["now", "renews", "onEvent"] as const) checkFunction(name, options[name]);
  const storeTimeout = Math.min(readPositive(options, "storeTimeout"), LONGEST_TIMER);
  const store = toStore(options.backend, now, storeTimeout);
  checkLifetimes(options);
  // Not every program is type-checked, and as a text `null` would be a namespace.
  const isText = typeof namespace === "string";
  if (namespace !== undefined && !(isText && NAMESPACE.test(namespace))) {
    throw new TypeError(
      `\`namespace\` is ${JSON.stringify(namespace)}; it has to be 1 to 64 letters, digits, ".", "_" or "-".`,
    );
  }
  if (maxPerUser !== Infinity && !(Number.isSafeInteger(maxPerUser) && maxPerUser > 0)) {
    throw new TypeError(
      `\`maxPerUser\` is ${maxPerUser}; it has to be a whole number above 0 and below 2 ** 53, or Infinity. Leave it out for ${DEFAULT_MAX_PER_USER}.`,
    );
  }
  return {
    now,
    store,
    timeout: readSeconds(options, "timeout"),
    lifetime: readSeconds(options, "lifetime"),
    maxBytes: readPositive(options, "maxBytes"),
    storeTimeout,
    sweepInterval: options.sweepInterval === 0 ? 0 : readSeconds(options, "sweepInterval"),
    watchInterval: Math.min(readSeconds(options, "watchInterval"), LONGEST_TIMER),
    maxPerUser,
    knowsUsers: !(store instanceof LoadSaveStore),
    namespace,
    renews,
  };
}

function checkLifetimes(options: SessionOptions): void {
  const timeout = readPositive(options, "timeout");
  const lifetime = readPositive(options, "lifetime");
  // A default timeout may exceed the lifetime: it then has no effect.
  if (timeout <= lifetime || options.timeout === undefined) return;
  throw new TypeError(
    `\`timeout\` is ${timeout} seconds, longer than the \`lifetime\` of ${lifetime}, after which every session expires. ` +
      "Raise `lifetime`, or shorten `timeout`.",
  );
}

function toStore(backend: SessionBackend, now: () => number, timeout: number): SessionStore {
  if (isSessionStore(backend)) return backend;
  if (typeof backend?.load === "function" && typeof backend.save === "function") {
    return new LoadSaveStore(backend, now, timeout);
  }
  throw new TypeError(
    "A session backend needs the methods load(sessionId) and save(sessionId, data, timeout). " +
      "To keep sessions in memory, pass new InMemorySessionBackend().",
  );
}

/** Returns seconds as milliseconds, of which no store has to keep more than JSON holds exactly. */
function readSeconds(options: SessionOptions, name: keyof typeof DEFAULTS): number {
  return Math.min(readPositive(options, name) * 1000, Number.MAX_SAFE_INTEGER);
}

function readPositive(options: SessionOptions, name: keyof typeof DEFAULTS): number {
  const value = options[name] ?? DEFAULTS[name];
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(
    `\`${name}\` is ${value}; it has to be a number above 0. Leave it out for ${DEFAULTS[name]}.`,
  );
}
