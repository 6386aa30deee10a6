import type { SessionData } from "../store/backend.ts";
import { FACTS_KEY } from "../store/load-save-store.ts";
import type { Contents } from "./contents.ts";
import { EMPTY, isEmpty, isSame, mergeContents, readFlash } from "./contents.ts";
import { refuseFactsKey, SessionDictionary } from "./dictionary.ts";
import { SessionDataError } from "./errors.ts";
import { decode, encode } from "./json.ts";
import type { Attempt, Login, Place, Stored, Use } from "./life.ts";
import { Life, NOWHERE } from "./life.ts";
import { SessionFacts } from "./meta.ts";
import type { AnySession, LoginOptions, Session, SessionMeta, SessionShape } from "./session.ts";
import { isLook } from "./visit.ts";

/** What a session asks of its manager, which does the reading and writing. */
export interface SessionIo {
  readonly now: () => number;
  /** @throws TypeError or RangeError for what cannot be recorded. */
  checkLogin(userId: string, options: LoginOptions): void;
  /** The user's id as the app knows it, of a stored one. */
  toUserId(stored: string | null): string | null;
  /** Whether the request's browser may have withheld the session's cookie. */
  mayHaveSession(request: Request): boolean;
  reportUnreadable(key: string): void;
  update(open: SomeOpenSession, change: (data: SessionData) => void): Promise<boolean>;
  save(open: SomeOpenSession): Promise<boolean>;
}

/** An open session, whatever data it holds. */
export type SomeOpenSession = Omit<OpenSession, "session"> & { readonly session: object };

// A value: it neither reads nor writes anything. Three steps make a write: `attempt` says what has to be done, the
// manager's writer does it, and `apply` takes over the result.
/**
 * The session of one request, from `Sessions.enter` to `Sessions.commit`. Handlers use its
 * {@link session}.
 */
export class OpenSession<Data extends SessionShape<Data> = AnySession> {
  /** @internal What the request's cookie opened. */
  readonly arrived: Place;
  /** @internal When the request began, in Unix milliseconds. */
  readonly openedAt: number;
  /** @internal The session that the handler has now. */
  life: Life;
  /** @internal The sessions that the handler has destroyed and that are still to be deleted. */
  destroyed: readonly Life[] = NONE;
  /** @internal Whether this request has ended a session: then its cookie is to be cleared. */
  hasEnded = false;
  /** @internal The response's headers are settled: no cookie can be set any more. */
  isSealed = false;
  /** @internal The last task for this session; tasks run one after the other. */
  turn: Promise<unknown> | undefined;

  readonly #io: SessionIo;
  readonly #request: Request;
  #dictionary: SessionDictionary | undefined;
  #flash: Record<string, unknown> | undefined;

  /** @internal */
  constructor(io: SessionIo, request: Request, arrived: Place, openedAt: number) {
    this.#io = io;
    this.#request = request;
    this.arrived = arrived;
    this.openedAt = openedAt;
    this.life = new Life(arrived);
  }

  /** The dictionary. Its data is decoded at the first access. */
  get session(): Session<Data> {
    this.#dictionary ??= this.#decode();
    return this.#dictionary as unknown as Session<Data>;
  }

  /** Whether the handler has accessed the session, so that the response depends on the cookie. */
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

  // What the handler asks for.

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
    this.destroyed = [...this.destroyed, this.life];
    this.life = new Life(NOWHERE);
    this.#write(EMPTY);
  }

  /** @internal */
  flash(...args: [name: string, value?: unknown]): unknown {
    const messages = (this.#flash ??= readFlash(this.#stored?.record.flash ?? null));
    const [name, value] = args;
    const message = messages[name];
    if (args.length === 2) messages[name] = value;
    else if (message !== undefined && !isLook(this.#request)) delete messages[name];
    return args.length === 2 ? undefined : message;
  }

  /** @internal */
  update(change: (data: SessionData) => void): Promise<boolean> {
    return this.#io.update(this, change);
  }

  /** @internal */
  save(): Promise<boolean> {
    return this.#io.save(this);
  }

  // What its manager asks for.

  /**
   * @internal What has to be done now. `use` says whether a write restarts the idle timeout, and `asks` whether the
   * store is asked for a session that has not changed.
   *
   * @throws SessionDataError for data that cannot be stored, and for a session that would need a cookie
   *   after the response's headers are sent.
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

  /** @internal What has to be done for `update(change)`. The dictionary's own changes remain to be stored. */
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

  /** @internal The change of id that comes before `update` writes anything, with the data as it was. */
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

  /** @internal Whether the handler's writes can be stored: not if others have ended the session. */
  get isOpen(): boolean {
    const { place } = this.life;
    if (place.at === "ended") return this.#login !== undefined && !this.#isUsers(place.userId);
    return place.at !== "superseded";
  }

  /**
   * @internal Takes over the result of an attempt for `life`. Where what is stored differs from what was to be
   * stored, the dictionary takes that over, below whatever the handler has changed since.
   */
  apply(life: Life, attempt: Attempt, place: Place): void {
    life.place = place;
    if (attempt.kind === "none" || (place === attempt.from && attempt.kind !== "drop")) return;
    if (attempt.kind === "create" || attempt.kind === "rotate") {
      const done = attempt.kind === "create" ? attempt.login : attempt.renewal;
      // A login that came meanwhile is for the next time.
      if (life.renewal === done || life.renewal?.kind === "regenerate") life.renewal = undefined;
    }
    // Destroyed meanwhile: it is deleted where it is now.
    if (life !== this.life) return;
    if (attempt.kind === "drop") this.#write(EMPTY);
    else if (place.at === "store") this.#rebase(baseOf(attempt), place.record);
    else if (place.at === "nowhere") this.#end(baseOf(attempt));
    else this.#write(EMPTY);
  }

  /** @internal @throws SessionDataError if the response's headers are sent, for what would need a cookie. */
  refuseLateCookie(what: string): void {
    if (!this.isSealed) return;
    throw new SessionDataError(
      `${what} needs a cookie, and this request's headers are sent. Write to the session, or save() it, before the handler returns. ` +
        "Before an upgrade to a WebSocket, pass `await sessions.upgradeHeaders(session)` to server.upgrade().",
    );
  }

  get #stored(): Stored | undefined {
    const { place } = this.life;
    return place.at === "store" ? place : undefined;
  }

  get #login(): Login | undefined {
    const { renewal } = this.life;
    return renewal?.kind === "login" ? renewal : undefined;
  }

  #isUsers(stored: string | null): boolean {
    return stored !== null && this.#login?.userId === this.#io.toUserId(stored);
  }

  #attemptNew(from: Place): Attempt {
    const login = this.#login;
    const contents = this.#contents();
    if (login === undefined && isEmpty(contents)) return { kind: "none" };
    // A visitor whose browser has withheld a cookie would lose their session to the new one's.
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

  /** The handler has emptied the session, and so ended it. What it writes later begins a new one. */
  #end(base: Contents): void {
    this.#rebase(base, EMPTY);
    this.hasEnded = true;
    const login = this.#login;
    this.life = new Life(NOWHERE);
    // It came while the session was being ended.
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
      // A key of the stored data is one of the session's own names.
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

  /** Puts contents into the dictionary that the handler already holds. */
  #write(contents: Contents): void {
    this.#flash = readFlash(contents.flash);
    const dictionary = this.#dictionary as SessionData | undefined;
    if (dictionary === undefined) return;
    for (const key of Object.keys(dictionary)) delete dictionary[key];
    const data = decode(contents.data) ?? {};
    for (const key of Object.keys(data)) dictionary[key] = data[key];
  }
}

/** What the dictionary is to be compared with, once the attempt has succeeded. */
function baseOf(attempt: Exclude<Attempt, { readonly kind: "none" | "drop" }>): Contents {
  return "contents" in attempt ? attempt.contents : attempt.from.record;
}

type Swapped = Extract<Attempt, { readonly kind: "replace" | "rotate" }>["from"];

const NONE: readonly Life[] = [];

/**
 * The open session that a dictionary belongs to.
 *
 * @throws TypeError for anything else, a copy of a dictionary too.
 */
export function openSessionOf(session: object): SomeOpenSession {
  const owner = SessionDictionary.ownerOf(session);
  if (owner instanceof OpenSession) return owner;
  throw new TypeError("This is no session. It has to be the one that the handler got, not a copy.");
}
