import type { SessionData } from "../store/backend.ts";
import { SessionStoreError } from "../store/errors.ts";
import { FACTS_KEY } from "../store/load-save-store.ts";
import type { Contents } from "./contents.ts";
import { EMPTY, isEmpty, isSame, mergeContents, readFlash } from "./contents.ts";
import { refuseFactsKey, SessionDictionary } from "./dictionary.ts";
import { SessionDataError } from "./errors.ts";
import { decode, encode } from "./json.ts";
import type { Attempt, Login, Place, Stored, Use } from "./life.ts";
import { Life, NOWHERE } from "./life.ts";
import { SessionFacts } from "./meta.ts";
import { Reply } from "./reply.ts";
import type { AnySession, LoginOptions, Session, SessionMeta, SessionShape } from "./session.ts";
import { isPreview } from "./visit.ts";

/** What an open session needs of its manager, which does all reading and writing. */
export interface SessionIo {
  readonly now: () => number;
  /** @throws TypeError or RangeError for an argument that cannot be stored. */
  checkLogin(userId: string, options: LoginOptions): void;
  /** The app's id of a stored user. */
  toUserId(stored: string | null): string | null;
  /** Whether the browser may have withheld the session's cookie from this request. */
  mayHaveSession(request: Request): boolean;
  reportUnreadable(key: string): void;
  /** `life` is the handler's session at the time of the call, here and for `save`. */
  update(open: SomeOpenSession, life: Life, change: (data: SessionData) => void): Promise<boolean>;
  save(open: SomeOpenSession, life: Life): Promise<boolean>;
}

/** An open session, whatever data it holds. */
export type SomeOpenSession = Omit<OpenSession, "session"> & { readonly session: object };

// A value without I/O. A write takes three steps: `attempt` says what has to be done, the manager's
// writer does it, and `apply` takes over the result.
/**
 * The session of one request, from `Sessions.enter` to `Sessions.commit`. Pass its {@link session}
 * to the handler.
 */
export class OpenSession<Data extends SessionShape<Data> = AnySession> {
  /** @internal What the request's cookie opened. */
  readonly arrived: Place;
  /** @internal When the request began, in Unix milliseconds. */
  readonly openedAt: number;
  /** @internal The handler's present session. */
  life: Life;
  /** @internal Sessions that the handler has destroyed and that still have to be deleted. */
  destroyed: readonly Life[] = NONE;
  /** @internal Whether this request has ended a session, so that its cookie has to be cleared. */
  hasEnded = false;
  /**
   * @internal Whether the response's headers are settled, so that no cookie can be set any more.
   */
  isSealed = false;
  /** @internal The last task of this session; tasks run one after the other. */
  turn: Promise<unknown> | undefined;
  /**
   * @internal The calls of update() that are in progress, and those that have failed before the
   * response.
   */
  updates: Set<Reply> | undefined;

  readonly #io: SessionIo;
  readonly #request: Request;
  #dictionary: SessionDictionary | undefined;
  #flash: Record<string, unknown> | undefined;
  #hasTakenOthers = false;

  /** @internal */
  constructor(io: SessionIo, request: Request, arrived: Place, openedAt: number) {
    this.#io = io;
    this.#request = request;
    this.arrived = arrived;
    this.openedAt = openedAt;
    this.life = new Life(arrived);
  }

  /** The dictionary. The first access decodes its data. */
  get session(): Session<Data> {
    this.#dictionary ??= this.#decode();
    return this.#dictionary as unknown as Session<Data>;
  }

  /** Whether {@link session} was accessed, so that the response depends on the cookie. */
  get isAccessed(): boolean {
    return this.#dictionary !== undefined;
  }

  /** The request that was passed to `enter` or `open`. */
  get request(): Request {
    return this.#request;
  }

  /** @internal */
  get meta(): SessionMeta {
    const { arrived, life } = this;
    const userId = this.#io.toUserId(this.#stored?.record.userId ?? null);
    return new SessionFacts(arrived, life.place, this.#login, userId, this.#io.now());
  }

  // Called by the dictionary.

  /** @internal */
  regenerate(): void {
    this.life.renewal ??= { kind: "regenerate" };
  }

  /** @internal */
  logIn(userId: string, options: LoginOptions): void {
    this.#io.checkLogin(userId, options);
    const { place } = this.life;
    const former =
      this.meta.userId ?? this.#io.toUserId(place.at === "ended" ? place.userId : null);
    const { remember, label } = options;
    if (former !== null && former !== userId) this.destroy();
    const earlier = this.#login;
    this.life.renewal = {
      kind: "login",
      userId,
      at: this.#io.now(),
      remember: remember ?? earlier?.remember,
      label: label ?? earlier?.label,
    };
  }

  /** @internal */
  destroy(): void {
    this.life.isDestroyed = true;
    this.destroyed = [...this.destroyed, this.life, ...this.#takeOthers()];
    this.life = new Life(NOWHERE);
    this.#write(EMPTY);
  }

  /** @internal */
  flash(...args: [name: string, value?: unknown]): unknown {
    const messages = (this.#flash ??= readFlash(this.#stored?.record.flash ?? null));
    const [name, value] = args;
    const message = messages[name];
    if (args.length === 2) messages[name] = value;
    else if (message !== undefined && !isPreview(this.#request)) delete messages[name];
    return args.length === 2 ? undefined : message;
  }

  /** @internal */
  update(change: (data: SessionData) => void): Promise<boolean> {
    const reply = this.#reply(this.#io.update(this, this.life, change));
    (this.updates ??= new Set()).add(reply);
    return reply;
  }

  /** @internal */
  save(): Promise<boolean> {
    return this.#reply(this.#io.save(this, this.life));
  }

  // Called by the manager.

  /** @internal Whether the manager with this `io` has opened the session. */
  isOpenedBy(io: SessionIo): boolean {
    return this.#io === io;
  }

  /** @internal Removes a call of update() from {@link updates}. */
  forget(update: Reply): void {
    this.updates?.delete(update);
    if (this.updates?.size === 0) this.updates = undefined;
  }

  /**
   * @internal What has to be done now. `use` says whether a write restarts the idle timeout, and
   * `asks` whether to check that a session without changes still exists.
   *
   * @throws SessionDataError for data that cannot be stored, and for a session that would need a
   *   cookie after the response's headers are sent.
   */
  attempt(use: Use, asks = false): Attempt {
    const { place } = this.life;
    switch (place.at) {
      case "store":
        return this.#attemptStored(place, use, asks);
      case "nowhere":
      case "lapsed":
        return this.#attemptNew(place);
      case "superseded": {
        const contents = this.#contents();
        if (this.#login !== undefined) return this.#rotate(place, contents, use);
        return isEmpty(contents) ? { kind: "none" } : { kind: "drop", from: place };
      }
      case "ended":
        return this.isOpen ? this.#attemptNew(place) : { kind: "none" };
    }
  }

  /**
   * @internal Changes the dictionary of a session that is not stored yet, unless `change` throws.
   * Returns a function that undoes this, and keeps what the handler has changed since.
   */
  change(change: (current: Contents) => Contents): () => void {
    const { life } = this;
    const before = this.#contents();
    const after = change(before);
    this.#rebase(before, after);
    return () => {
      if (this.life === life) this.#rebase(after, before);
    };
  }

  /**
   * @internal What has to be done for `update(change)`. Leaves the dictionary's own changes for
   * later.
   */
  attemptUpdate(from: Stored, change: (current: Contents) => Contents, use: Use): Attempt {
    return {
      kind: "replace",
      from,
      base: from.record,
      contents: from.record,
      update: change,
      renewal: undefined,
      use,
    };
  }

  /**
   * @internal The change of id that precedes an `update`. Leaves the dictionary's changes for
   * later.
   */
  attemptRenewal(use: Use): Attempt {
    const { place, renewal } = this.life;
    if (place.at === "store" && renewal !== undefined) {
      return this.#rotate(place, place.record, use);
    }
    if (place.at === "superseded" && this.#login !== undefined) {
      return this.#rotate(place, EMPTY, use);
    }
    return { kind: "none" };
  }

  /** @internal Whether changes can be stored: not if another request has ended the session. */
  get isOpen(): boolean {
    const { place } = this.life;
    if (place.at === "ended") return this.#login !== undefined && !this.#isUsers(place.userId);
    return place.at !== "superseded";
  }

  /**
   * @internal Whether a login() that is still to be stored decides which session the request
   * continues with.
   */
  get isLoggingIn(): boolean {
    if (this.#login === undefined || this.isSealed) return false;
    return this.life.place.at !== "ended" || this.isOpen;
  }

  /**
   * @internal Takes over the result of an attempt for `life`. If the store now holds other data
   * than the attempt had, the dictionary adopts that data and keeps what the handler has changed
   * since.
   */
  apply(life: Life, attempt: Attempt, place: Place): void {
    life.place = place;
    if (attempt.kind === "none" || (place === attempt.from && attempt.kind !== "drop")) return;
    if (attempt.kind === "create" || attempt.kind === "rotate") {
      const done = attempt.kind === "create" ? attempt.login : attempt.renewal;
      // A login() called meanwhile is left for the next attempt.
      if (life.renewal === done || life.renewal?.kind === "regenerate") life.renewal = undefined;
    }
    // A login ends what the request's cookie names: with several cookies, once it is stored.
    if (attempt.kind === "create" && attempt.login !== undefined && attempt.from.at === "lapsed") {
      this.destroyed = [...this.destroyed, ...this.#takeOthers()];
    }
    // The session was destroyed meanwhile: only its place matters, where it will be deleted.
    if (life !== this.life) return;
    if (attempt.kind === "drop") this.#write(EMPTY);
    else if (place.at === "store") this.#rebase(findBase(attempt), place.record);
    else if (place.at === "nowhere") this.#end(findBase(attempt));
    else this.#write(EMPTY);
  }

  /**
   * @internal @throws SessionDataError if the response's headers are sent: `what` needs a cookie.
   */
  refuseLateCookie(what: string): void {
    if (!this.isSealed) return;
    throw new SessionDataError(
      `${what} needs a cookie, but the response's headers are sent. Write to the session, or save() it, before the handler returns. ` +
        "Before an upgrade to a WebSocket, pass the headers of `await sessions.upgradeHeaders(session)` to server.upgrade().",
    );
  }

  /**
   * A handler that forgot `await` must not end the process. Before the response, a failure fails
   * the response; after it, the event `failed` reports a failure of the store. Any other error is a
   * bug then, and nothing else would report it.
   */
  #reply(result: Promise<boolean>): Reply {
    const { isSealed } = this;
    const reply = new Reply((resolve, reject) => void result.then(resolve, reject));
    result.then(
      () => this.forget(reply),
      (error: unknown) => {
        reply.hasFailed = true;
        if (isSealed) this.forget(reply);
        if (!isSealed || error instanceof SessionStoreError) reply.excuse();
      },
    );
    return reply;
  }

  get #stored(): Stored | undefined {
    const { place } = this.life;
    return place.at === "store" ? place : undefined;
  }

  get #login(): Login | undefined {
    const { renewal } = this.life;
    return renewal?.kind === "login" ? renewal : undefined;
  }

  /** The sessions that the request's other cookies name, to be destroyed once. */
  #takeOthers(): readonly Life[] {
    const { arrived } = this;
    if (this.#hasTakenOthers || !("others" in arrived)) return NONE;
    this.#hasTakenOthers = true;
    return arrived.others.map((place) => new Life(place));
  }

  #isUsers(stored: string | null): boolean {
    return stored !== null && this.#login?.userId === this.#io.toUserId(stored);
  }

  #attemptNew(from: Place): Attempt {
    const login = this.#login;
    const contents = this.#contents();
    if (login === undefined && isEmpty(contents)) return { kind: "none" };
    // If the browser has withheld a cookie, a new session's cookie would replace the visitor's
    // session.
    const isForeign = this.arrived.at === "nowhere" && this.#io.mayHaveSession(this.#request);
    if (login === undefined && isForeign) return { kind: "drop", from };
    this.refuseLateCookie("A new session");
    return { kind: "create", from, contents, login };
  }

  #attemptStored(from: Stored, use: Use, asks: boolean): Attempt {
    const { renewal } = this.life;
    const { record } = from;
    const unchanged = { kind: asks ? "check" : "touch", from, use } as const;
    if (this.#dictionary === undefined) return unchanged;
    const contents = this.#contents();
    const isSaved = isSame(contents, record);
    const isEmptied = !isSaved && isEmpty(contents) && record.userId === null;
    if (renewal?.kind === "login" || (renewal !== undefined && !isEmptied)) {
      return this.#rotate(from, contents, use);
    }
    if (isSaved) return unchanged;
    return {
      kind: "replace",
      from,
      base: record,
      contents,
      update: undefined,
      renewal: undefined,
      use,
    };
  }

  #rotate(from: Swapped, contents: Contents, use: Use): Attempt {
    this.refuseLateCookie("A new id");
    const base = from.at === "store" ? from.record : EMPTY;
    return {
      kind: "rotate",
      from,
      base,
      contents,
      update: undefined,
      renewal: this.life.renewal,
      use,
    };
  }

  /** The handler has emptied the session, which ends it. Later writes begin a new session. */
  #end(base: Contents): void {
    this.#rebase(base, EMPTY);
    this.hasEnded = true;
    const login = this.#login;
    this.life = new Life(NOWHERE);
    // A login() called while the session was being ended applies to the new one.
    this.life.renewal = login;
  }

  #rebase(base: Contents, stored: Contents): void {
    if (this.#dictionary === undefined || isSame(stored, base)) return;
    this.#write(mergeContents(base, this.#contents(), stored));
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
      // The stored data has a reserved name as a key.
    }
    this.#io.reportUnreadable(stored.key);
    this.life.place = { at: "lapsed", isId: true, key: null };
    return new SessionDictionary(this, {});
  }

  #contents(): Contents {
    const dictionary = this.#dictionary;
    if (dictionary === undefined) return this.#stored?.record ?? EMPTY;
    refuseFactsKey(dictionary);
    const data = encode(dictionary, "session");
    if (this.#flash === undefined) return { data, flash: this.#stored?.record.flash ?? null };
    const flash = encode(this.#flash, "session.flash");
    return { data, flash: flash === "{}" ? null : flash };
  }

  /** Replaces the data in the dictionary that the handler already holds. */
  #write(contents: Contents): void {
    this.#flash = readFlash(contents.flash);
    const dictionary = this.#dictionary as SessionData | undefined;
    if (dictionary === undefined) return;
    for (const key of Object.keys(dictionary)) delete dictionary[key];
    const data = decode(contents.data) ?? {};
    for (const key of Object.keys(data)) dictionary[key] = data[key];
  }
}

/** What the dictionary has to be compared with once the attempt has succeeded. */
function findBase(attempt: Exclude<Attempt, { readonly kind: "none" | "drop" }>): Contents {
  return "contents" in attempt ? attempt.contents : attempt.from.record;
}

type Swapped = Extract<Attempt, { readonly kind: "replace" | "rotate" }>["from"];

const NONE: readonly Life[] = [];

/**
 * The open session that a dictionary belongs to.
 *
 * @throws TypeError for any other object, including a copy of a dictionary.
 */
export function findOpenSession(session: object): SomeOpenSession {
  const owner = SessionDictionary.findOwner(session);
  if (owner instanceof OpenSession) return owner;
  throw new TypeError("This is not a session. Pass the handler's own session, not a copy of it.");
}
