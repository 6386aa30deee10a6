import type { MaybePromise, SessionData, SessionInfo, SessionRecord } from "../store/backend.ts";
import { isRecord, NEW_RECORD } from "../store/backend.ts";
import { SessionStoreError } from "../store/errors.ts";
import { GuardedStore } from "../store/guarded-store.ts";
import { KeyedQueue } from "../store/keyed-queue.ts";
import { andThen, isPromise } from "../store/maybe-promise.ts";
import { startSweeping } from "../store/sweeper.ts";
import { SessionCookie } from "./cookie.ts";
import { SessionDataError } from "./errors.ts";
import type { SessionStats } from "./events.ts";
import { EventLog } from "./events.ts";
import { withCookie, withVary } from "./headers.ts";
import { createId, hashId, isId } from "./id.ts";
import { decode, dictionaryOf, encode } from "./json.ts";
import { Lifetimes } from "./lifetimes.ts";
import type { SessionsOptions, Settings } from "./options.ts";
import { settingsOf } from "./options.ts";
import type {
  AnySession,
  Contents,
  Login,
  Session,
  SessionIo,
  SessionShape,
  SomeOpenSession,
  StoredSession,
} from "./session.ts";
import { EMPTY, mergeContents, OpenSession, openSessionOf, refuseReservedKeys } from "./session.ts";

/** What may be said when a user's sessions are revoked. */
export interface RevokeAllOptions {
  /** The handle of a session to leave alone: `session.meta.handle` for "everywhere else". */
  readonly except?: string | null;
}

/**
 * Rows removed in one go. On SQLite 124,000 at once stall every request for 830 ms. During a long sweep
 * by 100, 99 of 100 visits took up to 2 times as long as before; by 30, up to 1.3 times, and the sweep
 * took 1.3 times as long (`bun run guarantees G9`).
 */
const SWEEP_BATCH = 30;

/** How long a sweep leaves the store to others after each of them, as a part of what it took. */
const SWEEP_PAUSE = 0.3;

/** A repeat is one chance in 2^256: more of them mean that the random numbers are none. */
const ID_ATTEMPTS = 4;

/**
 * The sessions of a service: opens the session that a request's cookie names, and stores what the
 * handler did to it before the response leaves.
 *
 * ```ts
 * const sessions = new Sessions<{ visits: number }>({ backend });
 * Bun.serve({ routes: { "/": sessions.wrap((request, session) => new Response("…")) } });
 * ```
 */
export class Sessions<Data extends SessionShape<Data> = AnySession> {
  readonly #settings: Settings;
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #cookie: SessionCookie;
  readonly #events: EventLog;
  readonly #conflicts = new KeyedQueue();
  readonly #io: SessionIo;
  readonly #stopSweeping: () => void;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: SessionsOptions) {
    const settings = settingsOf(options);
    this.#settings = settings;
    this.#lifetimes = new Lifetimes(settings);
    this.#cookie = new SessionCookie(options.cookie);
    this.#events = new EventLog(options.onEvent);
    this.#store = new GuardedStore(
      settings.store,
      (operation, error) => this.#events.emit({ type: "failed", operation, error }),
      settings.storeTimeout,
    );
    this.#io = {
      now: settings.now,
      checkRemember: (seconds) => this.#lifetimes.checkRemember(seconds),
      unreadable: (handle) => this.#reportUnreadable(handle),
      update: (open, change) => this.#inTurn(open, () => this.#update(open, change)),
      save: (open) => this.#inTurn(open, () => this.#save(open)),
    };
    this.#stopSweeping = startSweeping(this, settings.sweepInterval);
  }

  /**
   * The session that the request's cookie names, to be ended with {@link commit}. A request without
   * a cookie, or with one that names no session, gets an empty one; an id that a client brought is
   * never adopted (OWASP Session Management Cheat Sheet, "strict").
   *
   * Gives a promise only if the store does.
   *
   * @throws SessionStoreError (503) if the store fails, or takes longer than `storeTimeout`.
   */
  open(request: Request): MaybePromise<OpenSession<Data>> {
    const header = request.headers.get("cookie");
    const id = header === null ? undefined : this.#cookie.read(header);
    if (id === undefined) return new OpenSession(this.#io);
    if (!isId(id)) {
      this.#events.emit({ type: "rejected", reason: "malformed" });
      return new OpenSession(this.#io);
    }
    const key = hashId(id);
    const record = this.#store.ask("read", key);
    return isPromise(record) ? this.#openedLater(id, key, record) : this.#opened(id, key, record);
  }

  /**
   * Stores what the handler did to the session and gives the response its cookie and cache headers.
   * A response with a status of 500 or more stores nothing, except a `destroy()`. Committing the
   * same session again does nothing more.
   *
   * @throws SessionStoreError (503) if the store fails: the response must not be sent then.
   * @throws SessionDataError if the session holds what JSON cannot, or more than `maxBytes`.
   */
  commit(open: SomeOpenSession, response: Response): MaybePromise<Response> {
    return andThen(this.settle(open, response.status), (setCookie) =>
      this.addCookie(open.touched ? withVary(response) : response, setCookie),
    );
  }

  /**
   * The first half of {@link commit}, for whoever builds responses another way: stores what the
   * handler did, and gives the `Set-Cookie` line that the response needs, if any. `status` is the
   * response's; 500 for a handler that threw. A response whose handler `touched` the session needs
   * `Vary: Cookie` too.
   */
  settle(open: SomeOpenSession, status: number): MaybePromise<string | undefined> {
    if (open.underWay !== undefined) return this.#settleAfter(open.underWay, open, status);
    if (open.doomed !== undefined) return this.#settleDoomed(open, open.doomed, status);
    const committed = status >= 500 ? undefined : this.#commit(open);
    return isPromise(committed)
      ? this.#settledLater(committed, open, status)
      : this.#setCookie(open);
  }

  /** The second half of {@link commit}: puts the line that {@link settle} gave on a response. */
  addCookie(response: Response, setCookie: string | undefined): Response {
    return setCookie === undefined ? response : withCookie(response, setCookie, this.#cookie.name);
  }

  /**
   * For a handler that answers with a WebSocket: stores the session now, and gives the headers that
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
   * What {@link commit} is for a response, for a request that has become a WebSocket. Its headers have
   * left: with what {@link upgradeHeaders} gave, or without.
   *
   * @throws SessionDataError if the session needs a cookie that did not go with them.
   */
  async settleUpgrade(open: SomeOpenSession): Promise<void> {
    const { answered } = open;
    open.answered = true;
    await this.settle(open, 101);
    const isLost = open.issued && open.cookie === "set" && !answered;
    if (isLost) refuseLateCookie(open, "A new session");
  }

  /**
   * A `Bun.serve` handler with a session, from one that takes it as its second argument. Further
   * arguments, such as Bun's server, follow behind it. One that upgrades the request to a WebSocket
   * returns nothing, and passes {@link upgradeHeaders} to `server.upgrade()`.
   *
   * While the store is down the answer is 503; an error that the handler throws goes on to whoever
   * called. What a `destroy()` before it means for the cookie goes out with Bun's response to the
   * error, if the handler is in `routes`. In `fetch` Bun offers no way: the session has ended all the
   * same, and its cookie opens nothing.
   */
  wrap<
    Incoming extends Request,
    Rest extends unknown[] = [server: Bun.Server<undefined>],
    Answer extends Response | undefined | void = Response,
  >(
    handler: (request: Incoming, session: Session<Data>, ...rest: Rest) => Answer | Promise<Answer>,
  ): (request: Incoming, ...rest: Rest) => Promise<Answer | Response> {
    return async (request, ...rest) => {
      try {
        const open = await this.open(request);
        try {
          const answer = await handler(request, open.session, ...rest);
          if (answer instanceof Response) return await this.commit(open, answer);
          await this.settleUpgrade(open);
          return answer;
        } catch (error) {
          const setCookie = await this.settle(open, 500);
          if (error instanceof SessionStoreError) {
            // save() may have changed the id before the store failed: then the old one is dead.
            return this.addCookie(unavailable(error), setCookie);
          }
          setCookieOf(request, setCookie);
          throw error;
        }
      } catch (error) {
        if (error instanceof SessionStoreError) return unavailable(error);
        throw error;
      }
    };
  }

  /** The user's live sessions, oldest first. */
  async list(userId: string): Promise<readonly SessionInfo[]> {
    return this.#store.ask("list", userId);
  }

  /**
   * Ends the session with this handle, wherever it is in use. Check that it is the asking user's:
   * `(await sessions.list(userId)).some((session) => session.handle === handle)`.
   */
  async revoke(handle: string): Promise<void> {
    await this.#store.ask("delete", handle);
    this.#events.emit({ type: "destroyed", handle, userId: null, count: 1 });
  }

  /** Ends all of a user's sessions, wherever they are in use. Gives how many there were. */
  async revokeAll(userId: string, options: RevokeAllOptions = {}): Promise<number> {
    const except = options.except ?? undefined;
    const count = await this.#store.ask("deleteAll", userId, except);
    if (count > 0) this.#events.emit({ type: "destroyed", handle: null, userId, count });
    return count;
  }

  /**
   * Removes expired sessions from the store, in small batches between which requests are served.
   * Happens by itself every `sweepInterval`. Gives how many there were.
   */
  async sweep(): Promise<number> {
    let swept = 0;
    for (;;) {
      const begun = performance.now();
      const count = await this.#store.ask("sweep", SWEEP_BATCH);
      swept += count;
      if (count < SWEEP_BATCH) break;
      await Bun.sleep((performance.now() - begun) * SWEEP_PAUSE);
    }
    if (swept > 0) this.#events.emit({ type: "swept", count: swept });
    return swept;
  }

  /** How often each event has happened since this manager was made. */
  stats(): SessionStats {
    return this.#events.stats();
  }

  /** Stops sweeping, finishes writes that have begun, and closes the backend. */
  async close(): Promise<void> {
    this.#stopSweeping();
    await this.#store.ask("close");
  }

  async #openedLater(
    id: string,
    key: string,
    record: Promise<SessionRecord | undefined>,
  ): Promise<OpenSession<Data>> {
    return this.#opened(id, key, await record);
  }

  /** Work that the handler has left behind may go on meanwhile. What it asks for takes its turn. */
  async #settledLater(
    committed: Promise<void>,
    open: SomeOpenSession,
    status: number,
  ): Promise<string | undefined> {
    open.underWay = committed;
    try {
      await committed;
    } finally {
      this.#release(open, committed);
    }
    return open.doomed === undefined ? this.#setCookie(open) : this.settle(open, status);
  }

  #opened(id: string, key: string, record: SessionRecord | undefined): OpenSession<Data> {
    if (record === undefined) {
      this.#events.emit({ type: "rejected", reason: "unknown" });
      return new OpenSession(this.#io);
    }
    if (!isRecord(record)) {
      this.#reportUnreadable(key);
      return new OpenSession(this.#io);
    }
    const now = this.#settings.now();
    if (this.#lifetimes.isOver(record, now)) {
      this.#events.emit({ type: "expired", handle: key });
      return new OpenSession(this.#io);
    }
    return new OpenSession(this.#io, { id, key, record, readAt: now });
  }

  /** The life cycle: what is stored when a request ends. */
  #commit(open: SomeOpenSession): MaybePromise<void> {
    const plan = open.plan();
    switch (plan.kind) {
      case "empty":
        return;
      case "clean":
        return this.#touch(open, plan.stored);
      case "create":
        return this.#create(open, this.#checked(plan), plan, open.login);
      case "replace":
        return this.#replace(open, plan.stored, this.#checked(plan));
      case "rotate":
        return this.#rotate(open, plan.stored, this.#checked(plan));
    }
  }

  async #settleAfter(
    underWay: Promise<unknown>,
    open: SomeOpenSession,
    status: number,
  ): Promise<string | undefined> {
    await underWay.catch(() => undefined);
    return this.settle(open, status);
  }

  #settleDoomed(
    open: SomeOpenSession,
    doomed: StoredSession,
    status: number,
  ): MaybePromise<string | undefined> {
    // Once: the error that this may end in settles the session again, and the visitor has waited enough.
    open.doomed = undefined;
    return andThen(this.#delete(open, doomed), () => this.settle(open, status));
  }

  #setCookie(open: SomeOpenSession): string | undefined {
    open.answered = true;
    if (open.cookie === "keep" || open.cookie === "renew") return undefined;
    const { stored } = open;
    if (stored === undefined) return this.#cookie.clear();
    const { remember, expiresAt } = stored.record;
    if (remember === null) return this.#cookie.issue(stored.id);
    return this.#cookie.issue(stored.id, Math.ceil((expiresAt - this.#settings.now()) / 1000));
  }

  /**
   * Begins the idle timeout anew. The response does not depend on it, and waits only where its cookie
   * does: a visitor who only reads is served while the store cannot be written. `failed` reports it.
   */
  #touch(open: SomeOpenSession, stored: StoredSession): MaybePromise<void> {
    const { key, record, readAt } = stored;
    const touched =
      open.cookie === "renew"
        ? this.#lifetimes.begin(this.#settings.now(), record)
        : this.#lifetimes.touched(record, readAt);
    if (touched === record) return;
    // Not with the next version: the touch may fail, or come after another request's write.
    open.adopt(stored, touched, record);
    const done = this.#store.tell("touch", key, touched.expiresAt);
    if (record.remember !== null) return this.#renew(open, done);
  }

  /**
   * Sends a cookie that outlives the browser again, unless the session is gone: another request may have
   * given it a new id, whose cookie this one would take the place of.
   */
  async #renew(open: SomeOpenSession, touched: Promise<boolean | undefined>): Promise<void> {
    open.cookie = (await touched) === true ? "set" : "keep";
  }

  /** What is stored on a handler's way says nothing of the session at its end, when the cookie goes out. */
  #putOff(open: SomeOpenSession): void {
    if (open.cookie === "set" && !open.issued) open.cookie = "renew";
  }

  /** `base` is what the handler's dictionary holds: `contents`, or more than is to be stored. */
  #create(
    open: SomeOpenSession,
    contents: Contents,
    base: Contents,
    login: Login | undefined,
    attempt = 1,
  ): MaybePromise<void> {
    refuseLateCookie(open, "A new session");
    const now = this.#settings.now();
    const record = this.#lifetimes.begin(now, {
      ...NEW_RECORD,
      ...contents,
      createdAt: now,
      touchedAt: now,
      expiresAt: now,
      ...factsOf(login),
    });
    const id = createId();
    const key = hashId(id);
    return andThen(this.#store.ask("create", key, record), (created) => {
      if (!created) {
        if (attempt === ID_ATTEMPTS) throw this.#noFreeId();
        return this.#create(open, contents, base, login, attempt + 1);
      }
      open.rotated({ id, key, record, readAt: now }, base, login);
      this.#events.emit({ type: "created", handle: key, userId: record.userId });
    });
  }

  #replace(open: SomeOpenSession, stored: StoredSession, contents: Contents): MaybePromise<void> {
    const { key, record, readAt } = stored;
    const next = this.#lifetimes.next(record, contents, readAt);
    const replaced = this.#store.ask("replace", key, next, record.version);
    return isPromise(replaced)
      ? this.#replacedLater(open, stored, next, contents, replaced)
      : this.#replaced(open, stored, next, contents, replaced);
  }

  async #replacedLater(
    open: SomeOpenSession,
    stored: StoredSession,
    next: SessionRecord,
    contents: Contents,
    done: Promise<boolean>,
  ): Promise<void> {
    return this.#replaced(open, stored, next, contents, await done);
  }

  #replaced(
    open: SomeOpenSession,
    stored: StoredSession,
    next: SessionRecord,
    contents: Contents,
    done: boolean,
  ): MaybePromise<void> {
    if (!done) return this.#merge(open, stored, contents);
    this.#adopt(open, stored, next, contents);
  }

  /**
   * Somebody else has written the session since it was opened: applies what changed here to what is
   * stored now.
   */
  async #merge(open: SomeOpenSession, stored: StoredSession, mine: Contents): Promise<void> {
    const next = await this.#rewrite(stored.key, (current) =>
      mergeContents(stored.record, mine, current),
    );
    if (next === undefined) return this.#drop(open, stored.key);
    this.#adopt(open, stored, next, mine);
    this.#events.emit({ type: "merged", handle: stored.key });
  }

  /**
   * Compare-and-swap until it holds; `undefined` if the session is gone. Those of this process take
   * turns, so that each needs one attempt and not one for each of the others.
   */
  #rewrite(
    key: string,
    change: (current: SessionRecord) => Contents,
  ): MaybePromise<SessionRecord | undefined> {
    const deadline = performance.now() + this.#settings.storeTimeout;
    return this.#conflicts.run(key, async () => {
      while (performance.now() < deadline) {
        const current = await this.#readLive(key);
        if (current === undefined) return undefined;
        const next = this.#lifetimes.next(
          current,
          this.#checked(change(current)),
          this.#settings.now(),
        );
        if (await this.#store.ask("replace", key, next, current.version)) return next;
      }
      throw this.#store.fail("replace", new Error("Other processes kept changing the session."));
    });
  }

  async #rotate(open: SomeOpenSession, stored: StoredSession, mine: Contents): Promise<void> {
    refuseLateCookie(open, "A new id");
    // What the handler asks for while this is under way is for the next time.
    const { login } = open;
    let current = stored.record;
    let contents = mine;
    for (let attempt = 1; attempt <= ID_ATTEMPTS;) {
      const now = this.#settings.now();
      const record = this.#lifetimes.begin(now, {
        ...current,
        ...contents,
        version: current.version + 1,
        ...(login === undefined ? {} : { createdAt: now, ...factsOf(login) }),
      });
      const id = createId();
      const key = hashId(id);
      if (await this.#store.ask("rotate", stored.key, key, record, current.version)) {
        open.rotated({ id, key, record, readAt: now }, mine, login);
        const { userId } = record;
        this.#events.emit({ type: "rotated", handle: key, from: stored.key, userId });
        return;
      }
      const found = await this.#readLive(stored.key);
      if (found === undefined) return this.#rotateGone(open, stored, mine, login);
      // Nobody has changed the session, so it was the new id that did not fit.
      if (found.version === current.version) attempt++;
      current = found;
      contents = this.#checked(mergeContents(stored.record, mine, found));
    }
    throw this.#noFreeId();
  }

  /**
   * The session ended while it was to get a new id. Who has just logged in has proven who they are:
   * they get a session of their own, with what this request put into it and nothing from the old
   * one.
   */
  #rotateGone(
    open: SomeOpenSession,
    stored: StoredSession,
    mine: Contents,
    login: Login | undefined,
  ): MaybePromise<void> {
    if (login === undefined) return this.#drop(open, stored.key);
    return this.#create(open, mergeContents(stored.record, mine, EMPTY), mine, login);
  }

  #adopt(
    open: SomeOpenSession,
    stored: StoredSession,
    record: SessionRecord,
    base: Contents,
  ): void {
    const isTouched = record.touchedAt !== stored.record.touchedAt;
    if (record.remember !== null && (isTouched || open.cookie === "renew")) open.cookie = "set";
    open.adopt(stored, record, base);
  }

  #delete(open: SomeOpenSession, doomed: StoredSession): MaybePromise<void> {
    return andThen(this.#store.ask("delete", doomed.key), () => {
      open.doomed = undefined;
      open.cookie = "clear";
      const { userId } = doomed.record;
      this.#events.emit({ type: "destroyed", handle: doomed.key, userId, count: 1 });
    });
  }

  /**
   * The session ended while this request ran. The cookie is left alone: by now the browser may hold
   * a newer one, from the login that ended this session, and clearing would take that away.
   */
  #drop(open: SomeOpenSession, key: string): void {
    open.end();
    this.#events.emit({ type: "dropped", handle: key });
  }

  /**
   * What a request asks for twice is done one after the other, even if it does not wait. Otherwise
   * a `login()` and two `save()` would rotate the session twice, and the second find it gone.
   */
  #inTurn<T>(open: SomeOpenSession, task: () => Promise<T>): Promise<T> {
    const { underWay } = open;
    const running = underWay === undefined ? task() : underWay.then(task, task);
    open.underWay = running;
    const release = (): void => this.#release(open, running);
    running.then(release, release);
    return running;
  }

  #release(open: SomeOpenSession, over: Promise<unknown>): void {
    open.overtaken = false;
    if (open.underWay === over) open.underWay = undefined;
  }

  async #save(open: SomeOpenSession): Promise<boolean> {
    if (open.doomed !== undefined) await this.#delete(open, open.doomed);
    await this.#commit(open);
    this.#putOff(open);
    return !open.ended;
  }

  async #update(open: SomeOpenSession, change: (data: SessionData) => void): Promise<boolean> {
    const { stored } = open;
    if (stored === undefined) {
      if (open.ended) return false;
      runSynchronously(change, open.session as SessionData);
      return this.#save(open);
    }
    const next = await this.#rewrite(stored.key, (current) => {
      const data = dictionaryOf(decode(current.data) ?? {});
      runSynchronously(change, data);
      refuseReservedKeys(data);
      return { data: encode(data, "session"), flash: current.flash };
    });
    if (next === undefined) this.#drop(open, stored.key);
    else this.#adopt(open, stored, next, stored.record);
    this.#putOff(open);
    return next !== undefined;
  }

  async #readLive(key: string): Promise<SessionRecord | undefined> {
    const record = await this.#store.ask("read", key);
    const isLive = record !== undefined && isRecord(record) && !this.#lifetimes.isOver(record);
    return isLive ? record : undefined;
  }

  #checked(contents: Contents): Contents {
    const { data, flash } = contents;
    const { maxBytes } = this.#settings;
    const bytes = Buffer.byteLength(data) + (flash === null ? 0 : Buffer.byteLength(flash));
    if (bytes <= maxBytes) return contents;
    throw new SessionDataError(
      `The session takes ${bytes} bytes of JSON, more than the ${maxBytes} that \`maxBytes\` ` +
        "allows. Keep large things in a database, and their keys in the session.",
    );
  }

  #noFreeId(): SessionStoreError {
    return this.#store.fail(
      "create",
      new Error(
        `${ID_ATTEMPTS} new ids were all taken: the random number generator repeats itself.`,
      ),
    );
  }

  #reportUnreadable(handle: string): void {
    const error = new Error(
      `The stored session ${handle} is damaged, or was not written by Bunpie: its data is no dictionary ` +
        "that could be stored again, or a fact of it has the wrong type. It was left out.",
    );
    this.#events.emit({ type: "failed", operation: "decode", error });
  }
}

function refuseLateCookie(open: SomeOpenSession, what: string): void {
  if (!open.answered) return;
  throw new SessionDataError(
    `${what} needs a cookie, and this request's headers are sent. Write to the session, or save() it, before the handler returns. ` +
      "Before an upgrade to a WebSocket, pass `await sessions.upgradeHeaders(session)` to server.upgrade().",
  );
}

function factsOf(login: Login | undefined): Partial<SessionRecord> {
  if (login === undefined) return {};
  const { userId, at, remember } = login;
  return { userId, authenticatedAt: at, remember };
}

function runSynchronously(change: (data: SessionData) => unknown, data: SessionData): void {
  if (isPromise(change(data))) {
    throw new TypeError(
      "session.update() needs a synchronous function: it may run again. Fetch what it needs before.",
    );
  }
}

/** In `routes`, Bun sends what is set on the request's cookies with whatever response there is. */
function setCookieOf(request: Request, setCookie: string | undefined): void {
  const { cookies } = request as { readonly cookies?: unknown };
  if (setCookie === undefined || !(cookies instanceof Bun.CookieMap)) return;
  cookies.set(Bun.Cookie.parse(setCookie));
}

function unavailable(error: SessionStoreError): Response {
  console.error(error);
  return error.toResponse();
}
