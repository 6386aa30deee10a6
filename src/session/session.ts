/** Facts about a session. Times are Unix milliseconds. */
export interface SessionMeta {
  /** Whether nothing has been stored under this session yet. */
  readonly isNew: boolean;
  /**
   * Whether the request brought the id of a session that is over: it expired, was ended or got a new
   * id. A page can say "You were signed out."
   */
  readonly lapsed: boolean;
  /** Names the session towards `sessions.revoke()`; `null` while it is new. Opens nothing. */
  readonly handle: string | null;
  /** When it began: the first write, or the last login. `null` while it is new. */
  readonly createdAt: number | null;
  /** When it expires if it is not used again. `null` while it is new. */
  readonly expiresAt: number | null;
  /** Whose it is; `null` while nobody has logged in. */
  readonly userId: string | null;
  /** When the user logged in. */
  readonly authenticatedAt: number | null;

  /**
   * Whether the user logged in at most so many seconds ago. Where it returns `false`, ask for the
   * password again before anything that matters (OWASP ASVS 5.0, V7.5.3).
   */
  authenticatedWithin(seconds: number): boolean;
}

/** What may be said with a login. */
export interface LoginOptions {
  /** The idle timeout, in seconds, of a session that is to outlive the browser. */
  readonly remember?: number;
  /**
   * What the user's list of sessions is to call this one, such as "Firefox on Windows"; at most 255
   * characters.
   */
  readonly label?: string;
}

/** The seven names that every session has. They cannot be overwritten, and are no keys for data. */
export interface SessionMethods<Data> {
  /**
   * Gives the session a new id, when it is next stored: by `save()` or `update()`, or when the request
   * ends. The data stays. The old id opens nothing from then on.
   */
  regenerate(): void;

  /**
   * Records whose session this is, under a new id (OWASP ASVS 5.0, V7.2.4). Its absolute lifetime
   * restarts. With `remember`, in seconds, the session outlives the browser and has that idle timeout in
   * place of the app's. What an anonymous visitor has gathered stays; a session that was another user's
   * is destroyed first, and its data with it. For the user whose session it already is, it proves their
   * identity again: `remember` and `label` stay unless they are given anew, and a session that was ended
   * meanwhile stays ended.
   *
   * @throws TypeError if `userId` or `label` is not a string that every store can keep: `userId` must not
   *   be empty, and neither may hold NUL, lone surrogates or more than 255 characters.
   * @throws RangeError if `remember` is not a positive whole number, or exceeds the `lifetime`.
   */
  login(userId: string, options?: LoginOptions): void;

  /**
   * Ends the session: its row is deleted, and the cookie that the request brought is cleared, even if
   * the handler throws afterwards. The dictionary is empty from here on; what is written to it later in
   * the same request, a flash for instance, begins a new session.
   */
  destroy(): void;

  /** Leaves a message for whichever request takes it first. */
  flash(name: string, value: unknown): void;
  /**
   * Takes the message left under this name, or returns `undefined`. A `HEAD` request and one that only
   * prefetches the page (`Sec-Purpose: prefetch`) leave it where it is.
   */
  flash<Value = unknown>(name: string): Value | undefined;

  /**
   * Changes the stored session, now, as one step that no other request can come between. `change`
   * gets the data as it is stored, must be synchronous, and runs again if another request was
   * faster. Returns `false`, and stores nothing, if the session has ended meanwhile.
   */
  update(change: (session: Partial<Data>) => void): Promise<boolean>;

  /**
   * Stores what has changed, now, instead of when the request ends. Returns `false` if the session has
   * ended meanwhile. Where nothing has changed there is nothing to store, and the answer is `true`;
   * after the response, in a socket or a stream, the store is asked whether the session still exists.
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

/** What JSON would lose. Whatever has methods, such as a `Date` or a `Map`, has one of these in it. */
type Lost = bigint | symbol | ((...args: never) => unknown);

type Primitive = string | number | boolean | null | undefined;

/** Whether JSON keeps a value, to a depth that types which refer to themselves do not exceed; `boolean` for partly. */
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
 * To be spread, as in `[...When<Condition>] extends []`: so TypeScript sees that a type parameter may be sound, and
 * lets `class Base<Data extends Common> extends App<Data>` be. Without the spread it would refuse every one.
 */
type When<Condition> = true extends Condition ? [] : [true];

/**
 * Any dictionary whose keys leave the session's own names alone, and whose values JSON can hold. It is a constraint on
 * itself: `Data extends SessionShape<Data>`. A key at fault has a type that says what is wrong.
 */
export type SessionShape<Data> = {
  [Key in keyof Data]: [...When<LacksBun>] extends []
    ? "The types of Bun are missing: bun add --dev @types/bun"
    : [...When<IsReserved<Key>>] extends []
      ? "Every session has a member of this name: choose another one"
      : [...When<IsLost<Data[Key]>>] extends []
        ? "JSON cannot hold this: keep a string, a number or a plain object"
        : Data[Key];
};

/** A session of an app that does not say what it holds. */
// oxlint-disable-next-line typescript/no-explicit-any -- an untyped session is what it says
export type AnySession = Record<string, any>;

/** A dictionary, every key of which may be missing, with seven names of its own. */
export type Session<Data extends SessionShape<Data> = AnySession> = Partial<Data> &
  SessionMethods<Data>;
