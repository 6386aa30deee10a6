import type { SessionData, SessionRecord } from "../store/backend.ts";
import { FACTS_KEY } from "../store/load-save-store.ts";
import { SessionDataError } from "./errors.ts";
import { decode, dictionaryOf, encode, merge } from "./json.ts";

/** Facts about a session. Times are Unix milliseconds. */
export interface SessionMeta {
  /** Whether nothing has been stored under this session yet. */
  readonly isNew: boolean;
  /** Names the session towards `sessions.revoke()`; `null` while it is new. Opens nothing. */
  readonly handle: string | null;
  /** When it began: the first write, or the last login. `null` while it is new. */
  readonly createdAt: number | null;
  /** When it ends if it is not used again. `null` while it is new. */
  readonly expiresAt: number | null;
  /** Whose it is; `null` while nobody has logged in. */
  readonly userId: string | null;
  /** When the user logged in. */
  readonly authenticatedAt: number | null;
}

/** The seven names that every session has. They cannot be overwritten, and are no keys for data. */
export interface SessionMethods<Data> {
  /** Gives the session a new id when the request ends. The data stays, the old id is dead. */
  regenerate(): void;

  /**
   * Records whose session this is, under a new id (OWASP ASVS 5.0, V7.2.4). Its absolute lifetime
   * begins anew. With `remember`, in seconds, the session outlives the browser and has that idle
   * timeout in place of the app's. What an anonymous visitor has gathered stays; a session that was
   * another user's is destroyed first, and its data with it.
   *
   * @throws TypeError if `userId` is not a string, or empty.
   * @throws RangeError if `remember` is not a positive whole number, or exceeds the `lifetime`.
   */
  login(userId: string, options?: { readonly remember?: number }): void;

  /**
   * Ends the session: its row is deleted and its cookie cleared, even if the handler throws
   * afterwards. The dictionary is empty from here on; what is written to it later in the same
   * request, a flash for instance, begins a new session.
   */
  destroy(): void;

  /** Leaves a message for whichever request takes it first. */
  flash(name: string, value: unknown): void;
  /** Takes the message left under this name, or `undefined`. */
  flash<Value = unknown>(name: string): Value | undefined;

  /**
   * Changes the stored session, now, as one step that no other request can come between. `change`
   * gets the data as it is stored, must be synchronous, and runs again if another request was
   * faster. Gives `false`, and stores nothing, if the session has ended meanwhile.
   */
  update(change: (session: Partial<Data>) => void): Promise<boolean>;

  /**
   * Stores what has changed, now, instead of when the request ends. Gives `false` if the session
   * has ended meanwhile. Where nothing has changed there is nothing to store, and the answer is `true`.
   */
  save(): Promise<boolean>;

  /** Facts about the session. */
  readonly meta: SessionMeta;
}

const RESERVED_NAMES = [
  "regenerate",
  "login",
  "destroy",
  "flash",
  "update",
  "save",
  "meta",
] as const satisfies readonly (keyof SessionMethods<unknown>)[];

/** Any dictionary whose keys leave the session's own names alone. */
export type SessionShape<Data> = {
  [Key in keyof Data]: Key extends keyof SessionMethods<unknown> ? never : Data[Key];
};

/** A session of an app that does not say what it holds. */
// oxlint-disable-next-line typescript/no-explicit-any -- an untyped session is what it says
export type AnySession = Record<string, any>;

/** A dictionary, every key of which may be missing, with seven names of its own. */
export type Session<Data extends SessionShape<Data> = AnySession> = Partial<Data> &
  SessionMethods<Data>;

/** What a session asks of its manager, which does the reading and writing. */
export interface SessionIo {
  readonly now: () => number;
  checkRemember(seconds: number): void;
  unreadable(handle: string): void;
  update(open: SomeOpenSession, change: (data: SessionData) => void): Promise<boolean>;
  save(open: SomeOpenSession): Promise<boolean>;
}

/** An open session, for whoever does not care what it holds. */
export type SomeOpenSession = Omit<OpenSession, "session"> & { readonly session: object };

/** A session in the store, and the id that opens it. */
export interface StoredSession {
  readonly id: string;
  readonly key: string;
  /** What is stored, as far as this request knows. */
  record: SessionRecord;
  /** When the request began, in Unix milliseconds. */
  readonly readAt: number;
}

/** What a handler has asked for beyond its changes to the data. */
export interface Login {
  readonly userId: string;
  readonly at: number;
  readonly remember: number | null;
}

/** The texts that a commit would store. */
export interface Contents {
  readonly data: string;
  readonly flash: string | null;
}

/** What is to be done for the session when its request ends. */
export type Plan =
  /** Nothing is stored, and there is nothing to store. */
  | { readonly kind: "empty" }
  /** Stored, and as it was. */
  | { readonly kind: "clean"; readonly stored: StoredSession }
  | ({ readonly kind: "create" } & Contents)
  | ({ readonly kind: "replace" | "rotate"; readonly stored: StoredSession } & Contents);

/** What a session holds that holds nothing. */
export const EMPTY: Contents = { data: "{}", flash: null };

/**
 * The session of one request: what is stored, and what the handler wants done with it. A value; it
 * neither reads nor writes anything. `Sessions.open()` makes it, `Sessions.commit()` ends it.
 */
export class OpenSession<Data extends SessionShape<Data> = AnySession> {
  /** What the response has to do with the session's cookie. `renew`: set it, if the session lives on. */
  cookie: "keep" | "renew" | "set" | "clear" = "keep";
  /** The handler got the session into its hands, so that the response depends on the cookie. */
  touched = false;
  /** The response's headers are settled: from now on no cookie can be set. */
  answered = false;
  /** This request gave the session its id: without the cookie, the visitor does not have it. */
  issued = false;
  /** Destroyed by the handler, and still to be deleted. */
  doomed: StoredSession | undefined;
  /** The last `save()` or `update()`, while it is under way. */
  underWay: Promise<unknown> | undefined;
  /** Destroyed while something was under way: what that stores is to be deleted as well. */
  overtaken = false;
  /** The login that the next commit is to record. */
  login: Login | undefined;

  readonly #io: SessionIo;
  #stored: StoredSession | undefined;
  #dictionary: SessionDictionary | undefined;
  #flash: Record<string, unknown> | undefined;
  #rotate = false;
  #ended = false;

  constructor(io: SessionIo, stored?: StoredSession) {
    this.#io = io;
    this.#stored = stored;
  }

  /** The dictionary. Its data is decoded when it is first asked for. */
  get session(): Session<Data> {
    this.touched = true;
    this.#dictionary ??= this.#decode();
    return this.#dictionary as unknown as Session<Data>;
  }

  get stored(): StoredSession | undefined {
    return this.#stored;
  }

  get meta(): SessionMeta {
    const record = this.#stored?.record;
    return {
      isNew: record === undefined,
      handle: this.#stored?.key ?? null,
      createdAt: record?.createdAt ?? null,
      expiresAt: record?.expiresAt ?? null,
      userId: this.login?.userId ?? record?.userId ?? null,
      authenticatedAt: this.login?.at ?? record?.authenticatedAt ?? null,
    };
  }

  regenerate(): void {
    this.#rotate = true;
  }

  logIn(userId: string, remember: number | undefined): void {
    if (typeof userId !== "string" || userId === "") {
      throw new TypeError(
        "session.login() needs the user's id as a string that is not empty, such as String(user.id).",
      );
    }
    if (remember !== undefined) this.#io.checkRemember(remember);
    const former = this.meta.userId;
    if (former !== null && former !== userId) this.destroy();
    this.login = { userId, at: this.#io.now(), remember: remember ?? null };
    this.#rotate = true;
    this.#ended = false;
  }

  destroy(): void {
    if (this.#stored !== undefined) this.doomed = this.#stored;
    this.overtaken = this.underWay !== undefined;
    this.#stored = undefined;
    this.login = undefined;
    this.#rotate = false;
    this.#ended = false;
    this.#write(EMPTY);
  }

  flash(name: string): unknown;
  flash(name: string, value: unknown): void;
  flash(...args: [name: string, value?: unknown]): unknown {
    const messages = this.#messages();
    const [name, value] = args;
    if (args.length === 2) {
      messages[name] = value;
      return undefined;
    }
    const taken = messages[name];
    delete messages[name];
    return taken;
  }

  update(change: (data: SessionData) => void): Promise<boolean> {
    return this.#io.update(this, change);
  }

  save(): Promise<boolean> {
    return this.#io.save(this);
  }

  /** What is to be done now. @throws SessionDataError for data that cannot be stored. */
  plan(): Plan {
    const stored = this.#stored;
    if (this.#ended) return { kind: "empty" };
    if (this.#dictionary === undefined) {
      return stored === undefined ? { kind: "empty" } : { kind: "clean", stored };
    }
    const { data, flash } = this.#contents(this.#dictionary);
    if (stored === undefined) {
      const nothing = data === EMPTY.data && flash === null && this.login === undefined;
      return nothing ? { kind: "empty" } : { kind: "create", data, flash };
    }
    if (this.#rotate) return { kind: "rotate", stored, data, flash };
    const isClean = data === stored.record.data && flash === stored.record.flash;
    return isClean ? { kind: "clean", stored } : { kind: "replace", stored, data, flash };
  }

  /**
   * The session is stored like this now. Where that differs from `base`, the dictionary takes it
   * over, below whatever the handler has changed since `base`.
   */
  adopt(stored: StoredSession, record: SessionRecord, base: Contents): void {
    if (this.overtaken) {
      this.doomed = { ...stored, record };
      return;
    }
    if (this.#dictionary !== undefined && !isSame(record, base)) {
      this.#write(mergeContents(base, this.#contents(this.#dictionary), record));
    }
    stored.record = record;
    this.#stored = stored;
  }

  /** The same, under a new id: the cookie has to be set, and this login is recorded. */
  rotated(stored: StoredSession, base: Contents, login: Login | undefined): void {
    this.adopt(stored, stored.record, base);
    if (this.overtaken) return;
    this.cookie = "set";
    this.issued = true;
    if (this.login !== login) return;
    this.login = undefined;
    this.#rotate = false;
  }

  /**
   * The session has ended elsewhere. Nothing that this request does to it is stored any more. Only a
   * login that is still to be recorded begins a session of its own, with what this request has put
   * into it and nothing from the old one.
   */
  end(): void {
    if (this.overtaken) return;
    const own = this.login === undefined ? EMPTY : this.#ownContents();
    this.#stored = undefined;
    this.#ended = this.login === undefined;
    this.#write(own);
  }

  get ended(): boolean {
    return this.#ended;
  }

  #decode(): SessionDictionary {
    const stored = this.#stored;
    if (stored === undefined) return new SessionDictionary(this, {});
    const data = decode(stored.record.data);
    try {
      if (data !== undefined && !Object.hasOwn(data, FACTS_KEY)) {
        return new SessionDictionary(this, data);
      }
    } catch {
      // A key of the stored data is one of the session's own names.
    }
    this.#io.unreadable(stored.key);
    this.#stored = undefined;
    return new SessionDictionary(this, {});
  }

  #messages(): Record<string, unknown> {
    this.#flash ??= dictionaryOf(decode(this.#stored?.record.flash ?? "{}") ?? {});
    return this.#flash;
  }

  #contents(dictionary: SessionDictionary): Contents {
    refuseFactsKey(dictionary);
    const data = encode(dictionary, "session");
    if (this.#flash === undefined) return { data, flash: this.#stored?.record.flash ?? null };
    const flash = encode(this.#flash, "session.flash");
    return { data, flash: flash === "{}" ? null : flash };
  }

  /** What the handler has changed, without what was stored. */
  #ownContents(): Contents {
    if (this.#stored === undefined || this.#dictionary === undefined) return EMPTY;
    return mergeContents(this.#stored.record, this.#contents(this.#dictionary), EMPTY);
  }

  /** Puts contents into the dictionary that the handler already holds. */
  #write(contents: Contents): void {
    this.#flash = dictionaryOf(decode(contents.flash ?? "{}") ?? {});
    const dictionary = this.#dictionary as SessionData | undefined;
    if (dictionary === undefined) return;
    for (const key of Object.keys(dictionary)) delete dictionary[key];
    Object.assign(dictionary, decode(contents.data));
  }
}

/** The dictionary itself. Its own properties are the data; all else is on the prototype. */
class SessionDictionary implements SessionMethods<SessionData> {
  readonly #open: SomeOpenSession;

  constructor(open: SomeOpenSession, data: SessionData) {
    this.#open = open;
    // A loop takes a quarter of the time of Object.assign here, and this is on the hot path.
    const dictionary = this as SessionData;
    for (const key of Object.keys(data)) dictionary[key] = data[key];
  }

  static openOf(session: object): SomeOpenSession | undefined {
    return #open in session ? session.#open : undefined;
  }

  regenerate(): void {
    this.#open.regenerate();
  }

  login(userId: string, options: { readonly remember?: number } = {}): void {
    this.#open.logIn(userId, options.remember);
  }

  destroy(): void {
    this.#open.destroy();
  }

  flash<Value>(...args: [name: string, value?: unknown]): Value | undefined {
    return this.#open.flash(...(args as [name: string])) as Value | undefined;
  }

  update(change: (data: SessionData) => void): Promise<boolean> {
    return this.#open.update(change);
  }

  save(): Promise<boolean> {
    return this.#open.save();
  }

  get meta(): SessionMeta {
    return this.#open.meta;
  }

  /** `console.log(session)` shows the data. */
  [Bun.inspect.custom](): SessionData {
    return { ...(this as unknown as SessionData) };
  }
}

// The prototype has the seven names and nothing else: no `constructor`, no `toString`, no
// `__proto__`. So these are keys like any other, and a stored `__proto__` stays data.
Object.setPrototypeOf(SessionDictionary.prototype, null);
Reflect.deleteProperty(SessionDictionary.prototype, "constructor");
for (const name of RESERVED_NAMES) seal(name);

/** Makes assigning to one of the session's own names an error that says so. */
function seal(name: (typeof RESERVED_NAMES)[number]): void {
  const { value, get = () => value as unknown } = Object.getOwnPropertyDescriptor(
    SessionDictionary.prototype,
    name,
  ) as PropertyDescriptor;
  Object.defineProperty(SessionDictionary.prototype, name, {
    get,
    set() {
      throw new TypeError(
        `session.${name} belongs to the session. Store your value under another key.`,
      );
    },
    configurable: false,
  });
}

/**
 * The open session that a dictionary belongs to.
 *
 * @throws TypeError for anything else, a copy of a dictionary too.
 */
export function openSessionOf(session: object): SomeOpenSession {
  const open = SessionDictionary.openOf(session);
  if (open !== undefined) return open;
  throw new TypeError("This is no session. It has to be the one that the handler got, not a copy.");
}

/**
 * For data that was not written into a session's dictionary, which refuses its own names by itself.
 *
 * @throws SessionDataError for a key that is not the app's to use.
 */
export function refuseReservedKeys(data: object): void {
  refuseFactsKey(data);
  const taken = RESERVED_NAMES.find((name) => Object.hasOwn(data, name));
  if (taken === undefined) return;
  throw new SessionDataError(
    `session.${taken} belongs to the session. Store your value under another key.`,
  );
}

function refuseFactsKey(data: object): void {
  if (!Object.hasOwn(data, FACTS_KEY)) return;
  throw new SessionDataError(
    `session.${FACTS_KEY} is reserved: backends keep a session's own facts there. Use another key.`,
  );
}

/** Three-way merge of both texts, key by key. */
export function mergeContents(base: Contents, mine: Contents, theirs: Contents): Contents {
  const flash = mergeTexts(base.flash ?? "{}", mine.flash ?? "{}", theirs.flash ?? "{}");
  return {
    data: mergeTexts(base.data, mine.data, theirs.data),
    flash: flash === "{}" ? null : flash,
  };
}

function mergeTexts(base: string, mine: string, theirs: string): string {
  return JSON.stringify(merge(decode(base) ?? {}, decode(mine) ?? {}, decode(theirs) ?? {}));
}

function isSame(one: Contents, other: Contents): boolean {
  return one.data === other.data && one.flash === other.flash;
}
