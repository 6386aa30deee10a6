/** Facts about a session. Times are Unix milliseconds. */
export interface SessionMeta {
  /** Whether the session has not been stored yet. */
  readonly isNew: boolean;
  /**
   * Whether the request's cookie holds an id that opens no session any more: the session has
   * expired, was ended or has been given a new id. A page can then say "You were signed out."
   */
  readonly lapsed: boolean;
  /**
   * Identifies the session for `sessions.revoke()`; `null` while it is new. Opens nothing: it is a
   * hash of the id.
   */
  readonly handle: string | null;
  /** When the session began: its first write, or the last login. `null` while it is new. */
  readonly createdAt: number | null;
  /** When the session expires if it is not used again. `null` while it is new. */
  readonly expiresAt: number | null;
  /** The id that was passed to `login()`; `null` while nobody is logged in. */
  readonly userId: string | null;
  /** When the user last logged in; `null` while nobody is. */
  readonly authenticatedAt: number | null;

  /**
   * Whether the user logged in at most `seconds` ago. If not, ask for the password again before
   * sensitive changes (OWASP ASVS 5.0, V7.5.3).
   */
  authenticatedWithin(seconds: number): boolean;
}

/** Options of `session.login()`. */
export interface LoginOptions {
  /**
   * Makes the session outlive the browser, with an idle timeout of this many seconds; at most the
   * `lifetime` option. By default the session ends with the browser and has the app's `timeout`.
   */
  readonly remember?: number;
  /**
   * The session's name in the user's list of sessions, such as "Firefox on Windows"; at most 255
   * characters. None by default.
   */
  readonly label?: string;
}

/**
 * The seven reserved names of every session. They cannot be overwritten, nor used as keys for data.
 */
export interface SessionMethods<Data> {
  /**
   * Gives the session a new id when it is next stored: by `save()` or `update()`, or when the
   * request ends. The data stays. From then on the old id opens nothing.
   */
  regenerate(): void;

  /**
   * Logs the user in: records `userId` under a new session id (OWASP ASVS 5.0, V7.2.4) and restarts
   * the absolute lifetime. With `remember`, in seconds, the session outlives the browser and has
   * that idle timeout instead of the app's.
   *
   * An anonymous visitor's data stays. A session of another user is destroyed first, with its data.
   * For a user who is logged in already, the call confirms their identity again: `remember` and
   * `label` stay unless they are given again, and a session that was ended meanwhile stays ended.
   *
   * @throws TypeError if `userId` is empty, or if `userId` or `label` is not a string, has more
   *   than 255 characters, or contains NUL or lone surrogates, which not every store can keep; and
   *   for an unknown option.
   * @throws RangeError if `remember` is not a positive whole number, or exceeds the `lifetime`.
   */
  login(userId: string, options?: LoginOptions): void;

  /**
   * Ends the session. Its record is deleted and the request's cookie is cleared by the end of the
   * request, even if the handler throws afterwards. If the request has several cookies of the name
   * and none counts, ends every session that they name. The dictionary is empty immediately. Data
   * written later in the same request, such as a flash message, begins a new session.
   */
  destroy(): void;

  /** Leaves a message under this name for the first request that takes it. */
  flash(name: string, value: unknown): void;
  /**
   * Takes the message left under this name: removes and returns it, or returns `undefined` if there
   * is none. `HEAD` requests and prefetches (`Sec-Purpose: prefetch`) do not remove it.
   */
  flash<Value = unknown>(name: string): Value | undefined;

  /**
   * Changes the stored session immediately and atomically. `change` receives the data as stored,
   * must be synchronous, and runs again if another request wrote first. Returns `false`, and stores
   * nothing, if the session has ended or been given a new id meanwhile, or if another site's page
   * caused the request and the change would begin a session. The response waits for a call without
   * `await`, and fails if that call does.
   *
   * @throws SessionStoreError (503) if the store fails.
   * @throws SessionDataError if JSON cannot hold the data, if it exceeds `maxBytes`, or if it needs
   *   a cookie after the response's headers are sent.
   * @throws TypeError if `change` is asynchronous, or returns new data instead of changing what it
   *   received.
   */
  update(change: (session: Partial<Data>) => void): Promise<boolean>;

  /**
   * Stores the changes immediately instead of when the request ends. Returns `false` as
   * {@link update} does. Without changes it stores nothing and returns `true`; after the response,
   * in a socket or a stream, it then asks the store whether the session still exists.
   *
   * @throws SessionStoreError and SessionDataError as {@link update} does.
   */
  save(): Promise<boolean>;

  /** Facts about the session. */
  readonly meta: SessionMeta;
}

export const RESERVED_NAMES = [
  "regenerate",
  "login",
  "destroy",
  "flash",
  "update",
  "save",
  "meta",
] as const satisfies readonly (keyof SessionMethods<unknown>)[];

/** What JSON loses. A type with methods, such as `Date` or `Map`, contains a function. */
type Lost = bigint | symbol | ((...args: never) => unknown);

type Primitive = string | number | boolean | null | undefined;

/**
 * Whether JSON keeps a value; `boolean` if it keeps a part. Looks four levels deep, because types
 * may refer to themselves.
 */
type IsKept<Value, Depth extends readonly unknown[] = []> = 0 extends 1 & Value
  ? true
  : Depth["length"] extends 4
    ? true
    : Value extends Primitive
      ? true
      : Value extends Lost
        ? false
        : Value extends readonly (infer Item)[]
          ? IsKept<Item, [...Depth, 0]>
          : Value extends object
            ? { [Key in keyof Value]-?: IsKept<Value[Key], [...Depth, 0]> }[keyof Value]
            : true;

type IsLost<Value> = false extends IsKept<Value> ? true : false;
type IsReserved<Key> = Key extends keyof SessionMethods<unknown> ? true : false;
type LacksBun = typeof globalThis extends { Bun: unknown } ? false : true;

/**
 * Used as `[...When<Condition>] extends []`: the spread lets TypeScript assume that a type
 * parameter may be valid, and accept `class Base<Data extends Common> extends App<Data>`. Without
 * the spread it refuses every type parameter.
 */
type When<Condition> = true extends Condition ? [] : [true];

/**
 * Any dictionary without reserved names as keys, and with values that JSON can hold. Constrain a
 * type by itself: `Data extends SessionShape<Data>`. The type of an invalid key says what is wrong.
 */
export type SessionShape<Data> = {
  [Key in keyof Data]: [...When<LacksBun>] extends []
    ? "The types of Bun are missing: bun add --dev @types/bun"
    : [...When<IsReserved<Key>>] extends []
      ? "This name is a reserved session member: choose another one"
      : [...When<IsLost<Data[Key]>>] extends []
        ? "JSON cannot hold this: store a string, a number or a plain object"
        : Data[Key];
};

/** The data of an untyped session: any value under any key. */
// oxlint-disable-next-line typescript/no-explicit-any -- an untyped session holds any value
export type AnySession = Record<string, any>;

/** A dictionary of which any key may be missing, with the seven {@link SessionMethods}. */
export type Session<Data extends SessionShape<Data> = AnySession> = Partial<Data> &
  SessionMethods<Data>;
