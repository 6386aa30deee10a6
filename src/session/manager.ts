import type { SessionData } from "../store/backend.ts";
import { GuardedStore } from "../store/guarded-store.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen, isPromise } from "../store/maybe-promise.ts";
import { CLOCK_TOLERANCE, startSweeping, sweepInSteps } from "../store/sweeper.ts";
import { Arrivals } from "./arrivals.ts";
import { runChange } from "./change.ts";
import type { Contents } from "./contents.ts";
import { SessionCookie } from "./cookie.ts";
import { refuseReservedKeys } from "./dictionary.ts";
import type { SessionStats } from "./events.ts";
import { EventLog } from "./events.ts";
import { isHandle } from "./id.ts";
import { decode, encode, toDictionary } from "./json.ts";
import type { Attempt, Life, Place, Stored, Use } from "./life.ts";
import { NOWHERE } from "./life.ts";
import { Lifetimes } from "./lifetimes.ts";
import { checkLogin } from "./login.ts";
import { Names } from "./names.ts";
import type { SessionIo, SomeOpenSession } from "./open-session.ts";
import { findOpenSession, OpenSession } from "./open-session.ts";
import type { SessionsOptions, Settings } from "./options.ts";
import { toSettings } from "./options.ts";
import type { Reply } from "./reply.ts";
import type { AnySession, Session, SessionShape } from "./session.ts";
import type { ListedSession, ListOptions, RevokeAllOptions } from "./users.ts";
import { hasWithheldCookie } from "./visit.ts";
import { SessionWatch } from "./watch.ts";
import type { SessionEnd } from "./watchlist.ts";
import { Writer } from "./writer.ts";

/** How many of a user's sessions are ended in one step. Requests are served between steps. */
const REVOKE_BATCH = 200;

/** The maximum number of sessions that are listed for one user. */
const MAX_LISTED = 1_000;

/**
 * The sessions of a service: opens the session that a request's cookie names, stores the handler's
 * changes, and returns the cookie that the response needs. Methods are in the order of a request's
 * life.
 *
 * Methods on the path of every request contain no closure: even a closure that is never created
 * moves its variables to the heap on every call. Asynchronous or rare steps are thus methods of
 * their own.
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
  #isClosed = false;

  /** @throws TypeError for an invalid option, with the remedy. */
  constructor(options: SessionsOptions) {
    const settings = toSettings(options);
    this.cookie = new SessionCookie(options.cookie);
    this.#settings = settings;
    this.#lifetimes = new Lifetimes(settings);
    this.#events = new EventLog(options.onEvent, (event) => this.#watch.observe(event));
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
      update: async (open, life, change) =>
        this.#inTurn(open, async () => this.#update(open, life, change)),
      save: async (open, life) => this.#inTurn(open, () => this.#save(open, life)),
    };
    this.#stopSweeping = startSweeping(this, settings.sweepInterval);
  }

  /**
   * @internal Whether the store declares that it never returns a promise; then {@link open} returns
   * none either. The Elysia plugin chooses a synchronous or an asynchronous hook by it.
   */
  get isSynchronous(): boolean {
    return this.#settings.store.isSynchronous;
  }

  // A request begins.

  /**
   * Opens the session that the request's cookie names, or an empty one if the cookie is missing or
   * names no live session. An id that a client made up is never adopted (OWASP Session Management
   * Cheat Sheet, "strict"). Of several cookies of the name, the one that opens a session counts,
   * and none does if several open one. Does not check for CSRF, as `enter` does.
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

  // The handler has finished.

  /**
   * @internal Stores the handler's changes, and returns the `Set-Cookie` line that the response
   * needs, if any. `App`, `commit`, Elysia and Hono call it last of all; a second call does nothing
   * more.
   *
   * `status` is the response's, or 500 for a handler that threw. From 500 on, nothing is stored
   * except a `destroy()`.
   *
   * @throws SessionStoreError (503) if the store fails: the response must not be sent then.
   * @throws SessionDataError if JSON cannot hold the session's data, or if it exceeds `maxBytes`.
   */
  settle(open: SomeOpenSession, status: number): MaybePromise<string | undefined> {
    if (open.updates !== undefined && status < 500)
      return this.#settleUpdated(open, open.updates, status);
    return open.turn === undefined
      ? this.#hold(open, this.#settle(open, status))
      : this.#inTurn(open, () => this.#settle(open, status));
  }

  /** An update() that the handler has not awaited must not fail behind a success. */
  async #settleUpdated(
    open: SomeOpenSession,
    updates: Iterable<Reply>,
    status: number,
  ): Promise<string | undefined> {
    for (const update of updates) {
      open.forget(update);
      if (!update.hasFailed || !update.isHeard) await update;
    }
    return this.settle(open, status);
  }

  #settle(open: SomeOpenSession, status: number): MaybePromise<string | undefined> {
    const life = open.destroyed[0];
    if (life !== undefined) return this.#settleDestroyed(open, life, status);
    const { place } = open.life;
    if (status >= 500) return this.#sealFailed(open, place);
    const moved = this.#carryOut(open, open.attempt(this.#finalUse(open)));
    return isPromise(moved)
      ? this.#settleLater(open, place, moved, status)
      : this.#settleMoved(open, place, status);
  }

  /** Tries only once: after a failure, the caller settles the session again to answer with 503. */
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

  #settleLater(
    open: SomeOpenSession,
    before: Place,
    moved: Promise<void>,
    status: number,
  ): Promise<string | undefined> {
    return moved.then(() => this.#settleMoved(open, before, status));
  }

  /** Work that the handler did not wait for may have destroyed the session meanwhile. */
  #settleMoved(
    open: SomeOpenSession,
    before: Place,
    status: number,
  ): MaybePromise<string | undefined> {
    return open.destroyed.length > 0 ? this.#settle(open, status) : this.#seal(open, before);
  }

  /** Derives the cookie from where the session is. From here on no other cookie can be set. */
  #seal(open: SomeOpenSession, before: Place): string | undefined {
    const { arrived, life, hasEnded } = open;
    const { place } = life;
    open.isSealed = true;
    if (place.at === "store") {
      return hasNewId(arrived, place) || hasRestarted(arrived, before, place)
        ? this.#issue(place)
        : undefined;
    }
    // Only if this request ended it: otherwise the browser may have a newer session's cookie by
    // now.
    return hasEnded && arrived.at !== "nowhere" ? this.cookie.clear() : undefined;
  }

  /** The same for a request that has failed. It stores nothing, not even a login(). */
  #sealFailed(open: SomeOpenSession, before: Place): string | undefined {
    const setCookie = this.#seal(open, before);
    this.#watch.follow(open.life);
    return setCookie;
  }

  #issue({ id, record }: Stored): string {
    if (record.remember === null) return this.cookie.issue(id);
    return this.cookie.issue(id, Math.ceil((record.expiresAt - this.#settings.now()) / 1000));
  }

  /**
   * Prepares an upgrade to a WebSocket: stores the session immediately, and returns the headers for
   * `server.upgrade(request, { headers })`. They set the cookie if the session is new, has a new id
   * or has ended; otherwise there are none. Afterwards, changes are stored by `save()` and
   * `update()` only, and the session cannot be given a new id.
   *
   * @throws SessionStoreError (503) if the store fails: the request must not be upgraded then.
   * @throws SessionDataError if JSON cannot hold the session's data, or if it exceeds `maxBytes`.
   * @throws TypeError if `session` is not the handler's own dictionary but, for instance, a copy, or
   *   if another instance has opened it.
   */
  async upgradeHeaders(session: Session<Data>): Promise<Record<string, string>> {
    const setCookie = await this.settle(this.#findOwn(session), 101);
    return setCookie === undefined ? {} : { "set-cookie": setCookie };
  }

  /**
   * @internal Stores the changes of a handler that has upgraded its request to a WebSocket. `wrap`,
   * Elysia and Hono call it in place of {@link settle}: the response's headers are sent already.
   *
   * @throws SessionStoreError (503) if the store fails.
   * @throws SessionDataError if the session has a new id but {@link upgradeHeaders} was not called.
   */
  async settleUpgrade(open: SomeOpenSession): Promise<void> {
    const hasHeaders = open.isSealed;
    open.isSealed = true;
    await this.settle(open, 101);
    const { place } = open.life;
    // Any other cookie that is due can be sent with the next response.
    const needsCookie = place.at === "store" && hasNewId(open.arrived, place);
    if (needsCookie && !hasHeaders) open.refuseLateCookie("A new session");
  }

  #findOwn(session: object): SomeOpenSession {
    const open = findOpenSession(session);
    this.refuseForeign(open);
    return open;
  }

  /**
   * @internal
   *
   * @throws TypeError if another manager has opened the session: the cookie of this one would open
   *   nothing, or a session of another service.
   */
  protected refuseForeign(open: SomeOpenSession): void {
    if (open.isOpenedBy(this.#io)) return;
    throw new TypeError(
      "Another instance of Sessions has opened this session. Pass the session to that instance.",
    );
  }

  // The handler calls save() or update(). `life` is the session that it called for: a destroy() may
  // come before its turn.

  async #save(open: SomeOpenSession, life: Life): Promise<boolean> {
    await this.#endDestroyed(open);
    if (life.isDestroyed) return false;
    const { life: saved } = open;
    await this.#carryOut(open, open.attempt(this.#useNow(open), open.isSealed));
    return isKept(saved.place);
  }

  async #update(
    open: SomeOpenSession,
    life: Life,
    change: (data: SessionData) => void,
  ): Promise<boolean> {
    await this.#endDestroyed(open);
    // The new id comes first: what is written now must not be visible under the old one.
    await this.#carryOut(open, open.attemptRenewal(this.#useNow(open)));
    if (life.isDestroyed || !open.isOpen) return false;
    const { life: updated } = open;
    const { place } = updated;
    const changeContents = (current: Contents): Contents => {
      const data = toDictionary(decode(current.data) ?? {});
      runChange(change, data, current.data);
      refuseReservedKeys(data);
      return { data: encode(data, "session"), flash: current.flash };
    };
    if (place.at !== "store") return this.#updateNew(open, life, changeContents);
    await this.#carryOut(open, open.attemptUpdate(place, changeContents, this.#useNow(open)));
    return isKept(updated.place);
  }

  /** Updates a session that is not stored yet. */
  async #updateNew(
    open: SomeOpenSession,
    life: Life,
    change: (current: Contents) => Contents,
  ): Promise<boolean> {
    const undo = open.change(change);
    try {
      return await this.#save(open, life);
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** Performs an attempt, and applies its result to the session. */
  #carryOut(open: SomeOpenSession, attempt: Attempt): MaybePromise<void> {
    if (attempt.kind === "none") return;
    const { life } = open;
    const place = this.#writer.perform(attempt);
    if (isPromise(place)) return this.#applyLater(open, attempt, place);
    open.apply(life, attempt, place);
    this.#watch.follow(life);
  }

  #applyLater(open: SomeOpenSession, attempt: Attempt, moved: Promise<Place>): Promise<void> {
    const { life } = open;
    return moved.then((place) => {
      open.apply(life, attempt, place);
      this.#watch.follow(life);
    });
  }

  async #endDestroyed(open: SomeOpenSession): Promise<void> {
    for (const life of open.destroyed) {
      await this.#writer.end(life.place);
      open.destroyed = open.destroyed.filter((each) => each !== life);
      open.hasEnded = true;
    }
  }

  /**
   * Runs the tasks of one session one after the other, even if the handler does not await them.
   * Otherwise a `login()` and two `save()` would rotate the session twice, and the second rotation
   * would find it gone.
   */
  #inTurn<T>(open: SomeOpenSession, task: () => MaybePromise<T>): MaybePromise<T> {
    const { turn } = open;
    return this.#hold(open, turn === undefined ? task() : turn.then(task, task));
  }

  /** Makes the session's next task wait for `result`. */
  #hold<T>(open: SomeOpenSession, result: MaybePromise<T>): MaybePromise<T> {
    if (isPromise(result)) takeTurn(open, result);
    return result;
  }

  /**
   * How the end of a request counts as use: at the time the session was opened, which saves reading
   * the clock.
   */
  #finalUse(open: SomeOpenSession): Use {
    if (open.isSealed) return this.#useNow(open);
    const { arrived, life } = open;
    if (!this.#isRenewing(open)) return NO_USE;
    // A save in mid-request does not prove that the session still exists at its end, when a cookie
    // that outlives the browser is sent.
    const isOwed =
      arrived.at === "store" &&
      life.place.at === "store" &&
      arrived.record.remember !== null &&
      arrived.id === life.place.id &&
      arrived.record.touchedAt !== life.place.record.touchedAt;
    return { at: open.openedAt, restarts: isOwed ? "always" : "due" };
  }

  #useNow(open: SomeOpenSession): Use {
    const restarts = open.isSealed ? "late" : "due";
    return this.#isRenewing(open) ? { at: this.#settings.now(), restarts } : NO_USE;
  }

  #isRenewing(open: SomeOpenSession): boolean {
    const { renews } = this.#settings;
    return renews === undefined || renews(open.request);
  }

  // A user's sessions.

  /**
   * Returns the user's live sessions, oldest first; of more than 1,000, the most recently used.
   *
   * @throws SessionStoreError (503) if the store fails, or is a two-method backend.
   * @throws TypeError if `userId` is not a string, or contains NUL or lone surrogates.
   */
  async list(userId: string, options: ListOptions = {}): Promise<readonly ListedSession[]> {
    const user = this.#names.toStoredUser(userId);
    const sessions = await this.#store.ask("list", user, MAX_LISTED);
    return sessions
      .toReversed()
      .map((info) => Object.assign({}, info, { userId, current: info.handle === options.current }))
      .toSorted((one, other) => one.createdAt - other.createdAt);
  }

  /**
   * Ends the session with this handle, in every process; a session that has already ended is no
   * error, and neither is a text that is no handle. Check first that the session belongs to the user who asks:
   * `(await sessions.list(userId)).some((session) => session.handle === handle)`.
   *
   * @throws SessionStoreError (503) if the store fails.
   * @throws TypeError if `handle` is not a string.
   */
  async revoke(handle: string): Promise<void> {
    if (typeof handle !== "string") {
      throw new TypeError(
        `The handle of a session has to be a string, but it is ${String(handle)}. Take it from list() or meta.handle.`,
      );
    }
    if (isHandle(handle)) await this.#writer.revoke(handle);
  }

  /**
   * Ends all of a user's sessions, or all but one, in every process. Works in small steps, between
   * which requests are served. Returns how many sessions it ended.
   *
   * @throws SessionStoreError (503) if the store is a two-method backend, or fails: some of the
   *   sessions may have ended by then.
   * @throws TypeError if `userId` is not a string, or contains NUL or lone surrogates.
   */
  async revokeAll(userId: string, options: RevokeAllOptions = {}): Promise<number> {
    const user = this.#names.toStoredUser(userId);
    const { except: spared } = options;
    const except = spared != null && isHandle(spared) ? spared : undefined;
    let count = 0;
    for (;;) {
      const handles = await this.#store.ask("deleteAll", user, except, REVOKE_BATCH);
      if (handles.length === 0) return count;
      count += handles.length;
      this.#events.emit({ type: "destroyed", handles, userId, count: handles.length });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  // Outside of requests.

  /**
   * Calls `listener` once, with the reason, when the session has ended: within a second, whichever
   * process ended it, or within `watchInterval` if the notice of its end was lost. Meant for
   * sockets and streams, which outlive their request. A session that is not stored yet is watched
   * once it is, and continues to be watched when its own handler gives it a new id. If a `login()`
   * is still to be stored, the listener hears of the session that the login leads to.
   *
   * Returns a function that removes the listener: call it when the socket closes.
   *
   * @throws TypeError if `session` is not the handler's own dictionary but, for instance, a copy, or
   *   if another instance has opened it.
   */
  onEnd(session: Session<Data>, listener: (reason: SessionEnd) => void): () => void {
    return this.#watch.add(this.#findOwn(session), listener);
  }

  /**
   * Removes sessions that expired more than five minutes ago from the store, in small steps between
   * which requests are served. Runs automatically every `sweepInterval`. Returns how many sessions
   * and forwarding notes it removed.
   *
   * @throws SessionStoreError (503) if the store fails.
   */
  async sweep(): Promise<number> {
    const before = this.#settings.now() - CLOCK_TOLERANCE;
    const swept = await sweepInSteps(async (limit) =>
      this.#isClosed ? 0 : this.#store.ask("sweep", limit, before),
    );
    if (swept > 0) this.#events.emit({ type: "swept", count: swept });
    return swept;
  }

  /**
   * Returns how often each event has occurred since this manager was created, and how often and how
   * long the store was used. `destroyed` and `swept` count sessions.
   */
  stats(): SessionStats {
    return { ...this.#events.counts, ...this.#store.use };
  }

  /**
   * Stops sweeping and watching, finishes pending writes, and closes the backend. A two-method
   * backend is left open.
   *
   * @throws SessionStoreError (503) if the store fails.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopSweeping();
    this.#watch.close();
    await this.#store.ask("close");
  }
}

const NO_USE: Use = { at: 0, restarts: "never" };

/** Whether the session is in the store under another id than the one that the request brought. */
function hasNewId(arrived: Place, { id }: Stored): boolean {
  return arrived.at !== "store" || arrived.id !== id;
}

/**
 * Whether a cookie that outlives the browser has to be sent again: only if the store has just
 * confirmed the session. Otherwise another request may have given it a new id, whose cookie this
 * one would replace.
 */
function hasRestarted(arrived: Place, before: Place, place: Stored): boolean {
  const { remember, touchedAt } = place.record;
  if (remember === null || before === place || arrived.at !== "store") return false;
  return touchedAt !== arrived.record.touchedAt;
}

function takeTurn(open: SomeOpenSession, task: Promise<unknown>): void {
  const release = (): void => {
    if (open.turn === task) open.turn = undefined;
  };
  open.turn = task;
  task.then(release, release);
}

/** Whether the session was still there to be written. */
function isKept({ at }: Place): boolean {
  return at !== "ended" && at !== "superseded";
}
