import type { SessionData } from "../store/backend.ts";
import { GuardedStore } from "../store/guarded-store.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen, isPromise } from "../store/maybe-promise.ts";
import { CLOCK_TOLERANCE, startSweeping, sweepInSteps } from "../store/sweeper.ts";
import { Arrivals } from "./arrivals.ts";
import type { Contents } from "./contents.ts";
import { SessionCookie } from "./cookie.ts";
import { refuseReservedKeys } from "./dictionary.ts";
import type { SessionStats } from "./events.ts";
import { EventLog } from "./events.ts";
import { decode, encode, toDictionary } from "./json.ts";
import type { Attempt, Life, Place, Stored, Use } from "./life.ts";
import { NOWHERE } from "./life.ts";
import { Lifetimes } from "./lifetimes.ts";
import { checkLogin } from "./login.ts";
import { Names } from "./names.ts";
import type { SessionIo, SomeOpenSession } from "./open-session.ts";
import { OpenSession, openSessionOf } from "./open-session.ts";
import type { SessionsOptions, Settings } from "./options.ts";
import { toSettings } from "./options.ts";
import type { AnySession, Session, SessionShape } from "./session.ts";
import type { ListedSession, ListOptions, RevokeAllOptions } from "./users.ts";
import { hasWithheldCookie } from "./visit.ts";
import { SessionWatch } from "./watch.ts";
import type { SessionEnd } from "./watchlist.ts";
import { Writer } from "./writer.ts";

/** How many of a user's sessions are ended in one step, between which others are served. */
const REVOKE_BATCH = 200;

/** How many sessions of one user are listed at most: those that were used last. */
const MAX_LISTED = 1_000;

/**
 * The sessions of a service, in the order of a request's life: opens the session that a request's
 * cookie names, stores what the handler did to it, and says which cookie the response needs.
 *
 * What every request passes holds no closure: even one that is not made puts its variables on the
 * heap, every time. So whatever has to wait, or is rare, is a method of its own.
 */
export class SessionManager<Data extends SessionShape<Data> = AnySession> {
  protected readonly cookie: SessionCookie;
  readonly #settings: Settings;
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #events: EventLog;
  readonly #names: Names;
  readonly #arrivals: Arrivals;
  readonly #writer: Writer;
  readonly #watch: SessionWatch;
  readonly #io: SessionIo;
  readonly #stopSweeping: () => void;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: SessionsOptions) {
    const settings = toSettings(options);
    this.cookie = new SessionCookie(options.cookie);
    this.#settings = settings;
    this.#lifetimes = new Lifetimes(settings);
    this.#events = new EventLog(options.onEvent, (event) => this.#watch.take(event));
    this.#names = new Names(this.cookie.name, settings.namespace);
    this.#store = new GuardedStore(
      settings.store,
      (operation, error) => this.#events.emit({ type: "failed", operation, error }),
      settings.storeTimeout,
    );
    this.#watch = new SessionWatch(settings, this.#lifetimes, this.#events);
    this.#arrivals = new Arrivals(this.#store, this.#lifetimes, this.#events, this.#names);
    this.#writer = new Writer(settings, this.#store, this.#lifetimes, this.#events, this.#names);
    this.#io = {
      now: settings.now,
      checkLogin: (userId, login) => checkLogin(userId, login, this.#lifetimes),
      toUserId: (stored) => this.#names.toUserId(stored),
      mayHaveSession: (request) => hasWithheldCookie(request, this.cookie.sameSite),
      reportUnreadable: (key) => this.#arrivals.reportUnreadable(key),
      update: async (open, change) => this.#inTurn(open, () => this.#update(open, change)),
      save: async (open) => this.#inTurn(open, () => this.#save(open)),
    };
    this.#stopSweeping = startSweeping(this, settings.sweepInterval);
  }

  /** Whether the store says that it answers at once. Then so does {@link open}. */
  get isSynchronous(): boolean {
    return this.#settings.store.isSynchronous;
  }

  // A request begins.

  /**
   * The session that the request's cookie names, to be ended with {@link settle}. A request without
   * a cookie, or with one that names no session, gets an empty one; an id that a client brought is
   * never adopted (OWASP Session Management Cheat Sheet, "strict"). Of several cookies of the name, the
   * one that opens a session counts, and none if several do.
   *
   * Returns a promise only if the store does.
   *
   * @throws SessionStoreError (503) if the store fails, or takes longer than `storeTimeout`.
   */
  open(request: Request): MaybePromise<OpenSession<Data>> {
    const header = request.headers.get("cookie");
    const value = header === null ? undefined : this.cookie.read(header);
    if (value === undefined) return new OpenSession(this.#io, request, NOWHERE, 0);
    const now = this.#settings.now();
    const place = this.#arrivals.find(value, now);
    return isPromise(place)
      ? this.#openLater(request, place, now)
      : new OpenSession(this.#io, request, place, now);
  }

  async #openLater(
    request: Request,
    place: Promise<Place>,
    now: number,
  ): Promise<OpenSession<Data>> {
    return new OpenSession(this.#io, request, await place, now);
  }

  // Its handler has come to an end.

  /**
   * Stores what the handler did, and returns the `Set-Cookie` line that the response needs, if any.
   * `status` is the response's; 500 for a handler that threw: then nothing is stored, except a
   * `destroy()`. To settle a session again does nothing more. A response whose handler accessed the
   * session (`isAccessed`) needs `Vary: Cookie` too.
   *
   * @throws SessionStoreError (503) if the store fails: the response must not be sent then.
   * @throws SessionDataError if the session holds what JSON cannot, or more than `maxBytes`.
   */
  settle(open: SomeOpenSession, status: number): MaybePromise<string | undefined> {
    return open.turn === undefined
      ? this.#hold(open, this.#settle(open, status))
      : this.#inTurn(open, () => this.#settle(open, status));
  }

  #settle(open: SomeOpenSession, status: number): MaybePromise<string | undefined> {
    const life = open.destroyed[0];
    if (life !== undefined) return this.#settleDestroyed(open, life, status);
    const { place } = open.life;
    if (status >= 500) return this.#seal(open, place);
    const moved = this.#carryOut(open, open.attempt(this.#finalUse(open)));
    return isPromise(moved)
      ? this.#settleLater(open, place, moved, status)
      : this.#settleMoved(open, place, status);
  }

  /** Once: a door that is told that this failed settles the session again, to answer with 503. */
  #settleDestroyed(
    open: SomeOpenSession,
    life: Life,
    status: number,
  ): MaybePromise<string | undefined> {
    open.destroyed = open.destroyed.slice(1);
    return andThen(this.#writer.end(life.place), () => {
      open.hasEnded = true;
      return this.#settle(open, status);
    });
  }

  async #settleLater(
    open: SomeOpenSession,
    before: Place,
    moved: Promise<void>,
    status: number,
  ): Promise<string | undefined> {
    await moved;
    return this.#settleMoved(open, before, status);
  }

  /** Work that the handler has left behind may have destroyed the session meanwhile. */
  #settleMoved(
    open: SomeOpenSession,
    before: Place,
    status: number,
  ): MaybePromise<string | undefined> {
    return open.destroyed.length > 0 ? this.#settle(open, status) : this.#seal(open, before);
  }

  /** From here on the response's headers are settled. The cookie follows from where the session is. */
  #seal(open: SomeOpenSession, before: Place): string | undefined {
    const { arrived, life, hasEnded } = open;
    const { place } = life;
    open.isSealed = true;
    if (place.at === "store") {
      const isNew = arrived.at !== "store" || arrived.id !== place.id;
      return isNew || hasRestarted(arrived, before, place) ? this.#issue(place) : undefined;
    }
    // One that somebody else has ended: by now the browser may have the cookie of a newer one.
    return hasEnded && arrived.at !== "nowhere" ? this.cookie.clear() : undefined;
  }

  #issue({ id, record }: Stored): string {
    if (record.remember === null) return this.cookie.issue(id);
    return this.cookie.issue(id, Math.ceil((record.expiresAt - this.#settings.now()) / 1000));
  }

  /**
   * For a handler that answers with a WebSocket: stores the session now, and returns the headers that
   * `server.upgrade(request, { headers })` needs to hand out its cookie. There are none, unless the
   * session is new, has a new id or has ended. From then on `save()` and `update()` write it, and it
   * can get no new id.
   *
   * @throws SessionStoreError (503) if the store fails: the request must not be upgraded then.
   */
  async upgradeHeaders(session: Session<Data>): Promise<Record<string, string>> {
    const setCookie = await this.settle(openSessionOf(session), 101);
    return setCookie === undefined ? {} : { "set-cookie": setCookie };
  }

  /**
   * What {@link settle} is for a response, for a request that has become a WebSocket. Its headers have
   * left: with what {@link upgradeHeaders} returned, or without.
   *
   * @throws SessionDataError if the session needs a cookie that did not go with them.
   */
  async settleUpgrade(open: SomeOpenSession): Promise<void> {
    const hasHeaders = open.isSealed;
    open.isSealed = true;
    const setCookie = await this.settle(open, 101);
    const { place } = open.life;
    if (setCookie !== undefined && place.at === "store" && !hasHeaders) {
      open.refuseLateCookie("A new session");
    }
  }

  // What the handler asks for on its way.

  async #save(open: SomeOpenSession): Promise<boolean> {
    await this.#endDestroyed(open);
    await this.#carryOut(open, open.attempt(this.#useNow(open), open.isSealed));
    return isKept(open.life.place);
  }

  async #update(open: SomeOpenSession, change: (data: SessionData) => void): Promise<boolean> {
    await this.#endDestroyed(open);
    // A new id comes first: what is written now must not be seen under the old one.
    await this.#carryOut(open, open.attemptRenewal(this.#useNow(open)));
    if (!open.isOpen) return false;
    const { place } = open.life;
    if (place.at !== "store") {
      runSynchronously(change, open.session as SessionData);
      return this.#save(open);
    }
    const changeStored = (current: Contents): Contents => {
      const data = toDictionary(decode(current.data) ?? {});
      runSynchronously(change, data);
      refuseReservedKeys(data);
      return { data: encode(data, "session"), flash: current.flash };
    };
    await this.#carryOut(open, open.attemptUpdate(place, changeStored, this.#useNow(open)));
    return isKept(open.life.place);
  }

  /** Snapshot, perform, apply: does what was asked for by now, and takes over where that led. */
  #carryOut(open: SomeOpenSession, attempt: Attempt): MaybePromise<void> {
    if (attempt.kind === "none") return;
    const { life } = open;
    const place = this.#writer.perform(attempt);
    if (isPromise(place)) return this.#applyLater(open, attempt, place);
    open.apply(life, attempt, place);
    this.#watch.follow(life);
  }

  async #applyLater(open: SomeOpenSession, attempt: Attempt, place: Promise<Place>): Promise<void> {
    const { life } = open;
    open.apply(life, attempt, await place);
    this.#watch.follow(life);
  }

  async #endDestroyed(open: SomeOpenSession): Promise<void> {
    for (const life of open.destroyed) {
      await this.#writer.end(life.place);
      open.destroyed = open.destroyed.filter((each) => each !== life);
      open.hasEnded = true;
    }
  }

  /**
   * Whatever is asked for a session is done one after the other, even if nobody waits for it. Otherwise a
   * `login()` and two `save()` would rotate the session twice, and the second find it gone.
   */
  #inTurn<T>(open: SomeOpenSession, task: () => MaybePromise<T>): MaybePromise<T> {
    const { turn } = open;
    return this.#hold(open, turn === undefined ? task() : turn.then(task, task));
  }

  /** What is asked for the session next waits for `result`. */
  #hold<T>(open: SomeOpenSession, result: MaybePromise<T>): MaybePromise<T> {
    if (isPromise(result)) takeTurn(open, result);
    return result;
  }

  /** At the end of a request the session counts as used when it was opened: that spares a look at the clock. */
  #finalUse(open: SomeOpenSession): Use {
    if (open.isSealed) return this.#useNow(open);
    const { arrived, life } = open;
    if (!this.#isRenewing(open)) return NO_USE;
    // What the handler has stored on its way says nothing of the session at its end, when the cookie
    // goes out that lives as long as the session.
    const isOwed =
      arrived.at === "store" &&
      life.place.at === "store" &&
      arrived.record.remember !== null &&
      arrived.id === life.place.id &&
      arrived.record.touchedAt !== life.place.record.touchedAt;
    return { at: open.openedAt, restarts: isOwed ? "always" : "due" };
  }

  #useNow(open: SomeOpenSession): Use {
    return this.#isRenewing(open) ? { at: this.#settings.now(), restarts: "due" } : NO_USE;
  }

  #isRenewing(open: SomeOpenSession): boolean {
    const { renews } = this.#settings;
    return renews === undefined || renews(open.request);
  }

  // A user's sessions.

  /** The user's live sessions, oldest first: at most 1,000, those that were used last. */
  async list(userId: string, options: ListOptions = {}): Promise<readonly ListedSession[]> {
    const user = this.#names.toStoredUser(userId);
    const sessions = await this.#store.ask("list", user, MAX_LISTED);
    return sessions
      .toReversed()
      .map((info) => Object.assign({}, info, { userId, current: info.handle === options.current }))
      .toSorted((one, other) => one.createdAt - other.createdAt);
  }

  /**
   * Ends the session with this handle, wherever it is in use; one that has ended already is no error. Check
   * that it is the asking user's:
   * `(await sessions.list(userId)).some((session) => session.handle === handle)`.
   */
  async revoke(handle: string): Promise<void> {
    await this.#writer.revoke(handle);
  }

  /**
   * Ends all of a user's sessions, wherever they are in use, in steps between which others are served.
   * Returns how many it ended.
   */
  async revokeAll(userId: string, options: RevokeAllOptions = {}): Promise<number> {
    const user = this.#names.toStoredUser(userId);
    const except = options.except ?? undefined;
    let count = 0;
    for (;;) {
      const handles = await this.#store.ask("deleteAll", user, except, REVOKE_BATCH);
      if (handles.length === 0) return count;
      count += handles.length;
      this.#events.emit({ type: "destroyed", handles, userId, count: handles.length });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  // What goes on beside the requests.

  /**
   * Calls `listener` once, with the reason, when the session has ended: within a second, whichever
   * process has ended it; after `watchInterval` at the latest where its notice was lost. For sockets and
   * streams, which outlive their request. A session that is not stored yet is watched from when it is; one
   * to which its own handler gives a new id goes on. Returns what stops it: call that when the socket
   * closes.
   */
  onEnd(session: Session<Data>, listener: (reason: SessionEnd) => void): () => void {
    return this.#watch.add(openSessionOf(session), listener);
  }

  /**
   * Removes sessions that expired more than five minutes ago from the store, in small steps between which
   * requests are served. Happens by itself every `sweepInterval`. Returns how many there were.
   */
  async sweep(): Promise<number> {
    const before = this.#settings.now() - CLOCK_TOLERANCE;
    const swept = await sweepInSteps(async (limit) => this.#store.ask("sweep", limit, before));
    if (swept > 0) this.#events.emit({ type: "swept", count: swept });
    return swept;
  }

  /** How often each event has happened since this manager was made, and how the store was used. */
  stats(): SessionStats {
    return { ...this.#events.counts, ...this.#store.use };
  }

  /** Stops sweeping and watching, finishes writes that have begun, and closes the backend. */
  async close(): Promise<void> {
    this.#stopSweeping();
    this.#watch.close();
    await this.#store.ask("close");
  }
}

const NO_USE: Use = { at: 0, restarts: "never" };

/**
 * Whether a cookie that outlives the browser is to be sent again. Only if the store has just confirmed
 * the session: another request may have given it another id, whose cookie this one would replace.
 */
function hasRestarted(arrived: Stored, before: Place, place: Stored): boolean {
  const { remember, touchedAt } = place.record;
  return remember !== null && before !== place && touchedAt !== arrived.record.touchedAt;
}

function takeTurn(open: SomeOpenSession, task: Promise<unknown>): void {
  const release = (): void => {
    if (open.turn === task) open.turn = undefined;
  };
  open.turn = task;
  task.then(release, release);
}

/** Whether what was to be written had somewhere to go. */
function isKept({ at }: Place): boolean {
  return at !== "ended" && at !== "superseded";
}

function runSynchronously(change: (data: SessionData) => unknown, data: SessionData): void {
  if (isPromise(change(data))) {
    throw new TypeError(
      "session.update() needs a synchronous function: it may run again. Fetch what it needs before.",
    );
  }
}
