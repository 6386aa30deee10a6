import type {
  MaybePromise,
  SessionBackend,
  SessionData,
  SessionInfo,
  SessionRecord,
} from "./backend.ts";
import { NEW_RECORD, SESSION_TIMEOUT, SessionStore } from "./backend.ts";
import type { CookieOptions } from "./cookie.ts";
import { SessionCookie } from "./cookie.ts";
import { SessionDataError, SessionStoreError } from "./errors.ts";
import type { SessionEvent, SessionStats } from "./events.ts";
import { EventLog } from "./events.ts";
import { withCookie, withVary } from "./headers.ts";
import { createId, hashId, isId } from "./id.ts";
import { decode, dictionaryOf, encode } from "./json.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { LoadSaveStore } from "./load-save-store.ts";
import { andThen, isPromise } from "./maybe-promise.ts";
import type {
  AnySession,
  Contents,
  Session,
  SessionIo,
  SessionShape,
  SomeOpenSession,
  StoredSession,
} from "./session.ts";
import { EMPTY, mergeContents, OpenSession, refuseReservedKeys } from "./session.ts";
import { LONGEST_TIMER, startSweeping } from "./sweeper.ts";

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
  /** How long a request waits for the store, in milliseconds; 2,000 by default. Then it gets 503. */
  readonly storeTimeout?: number;
  /** How often expired sessions are removed, in seconds; 60 by default, 0 for never. */
  readonly sweepInterval?: number;
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

/** What may be said when a user's sessions are revoked. */
export interface RevokeAllOptions {
  /** The handle of a session to leave alone: `session.meta.handle` for "everywhere else". */
  readonly except?: string | null;
}

const DEFAULTS = {
  timeout: SESSION_TIMEOUT,
  lifetime: 30 * 24 * 60 * 60,
  maxBytes: 32 * 1024,
  storeTimeout: 2_000,
  sweepInterval: 60,
};

/** Rows removed in one go. 500 take SQLite 0.7 ms; 124,000 at once stall every request for 192. */
const SWEEP_BATCH = 500;

/** A repeat is one chance in 2^256: more of them mean that the random numbers are none. */
const ID_ATTEMPTS = 4;

/** An idle timeout is begun anew once this part of it is over: most reads thus write nothing. */
const TOUCH_AFTER = 0.1;

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
  readonly #store: SessionStore;
  readonly #cookie: SessionCookie;
  readonly #events: EventLog;
  readonly #conflicts = new KeyedQueue();
  readonly #now: () => number;
  readonly #timeout: number;
  readonly #lifetime: number;
  readonly #maxBytes: number;
  readonly #storeTimeout: number;
  readonly #io: SessionIo;
  readonly #stopSweeping: () => void;

  /** @throws TypeError for an option that makes no sense, with the remedy. */
  constructor(options: SessionsOptions) {
    const { backend, now = Date.now } = options;
    this.#now = now;
    this.#timeout = positive(options, "timeout");
    this.#lifetime = positive(options, "lifetime");
    this.#maxBytes = positive(options, "maxBytes");
    this.#storeTimeout = Math.min(positive(options, "storeTimeout"), LONGEST_TIMER);
    this.#cookie = new SessionCookie(options.cookie);
    this.#events = new EventLog(options.onEvent);
    this.#store = storeOf(backend, now);
    this.#io = {
      now,
      checkRemember: (seconds) => this.#checkRemember(seconds),
      unreadable: (handle) => this.#reportUnreadable(handle),
      update: (open, change) => this.#inTurn(open, () => this.#update(open, change)),
      save: (open) => this.#inTurn(open, () => this.#save(open)),
    };
    this.#stopSweeping = startSweeping(this, atLeastZero(options, "sweepInterval"));
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
    const record = this.#ask("read", () => this.#store.read(key));
    return isPromise(record)
      ? record.then((found) => this.#opened(id, key, found))
      : this.#opened(id, key, record);
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
    const { underWay } = open;
    if (underWay !== undefined) {
      const settle = (): MaybePromise<string | undefined> => this.settle(open, status);
      return underWay.then(settle, settle);
    }
    if (open.doomed !== undefined) {
      return andThen(this.#delete(open, open.doomed), () => this.settle(open, status));
    }
    const committed = status >= 500 ? undefined : this.#commit(open);
    return isPromise(committed)
      ? committed.then(() => this.#setCookie(open))
      : this.#setCookie(open);
  }

  /** The second half of {@link commit}: puts the line that {@link settle} gave on a response. */
  addCookie(response: Response, setCookie: string | undefined): Response {
    return setCookie === undefined ? response : withCookie(response, setCookie, this.#cookie.name);
  }

  /**
   * A `Bun.serve` handler with a session, from one that takes it as its second argument. Further
   * arguments, such as Bun's server, follow behind it. While the store is down the answer is 503;
   * an error that the handler throws goes on to whoever called.
   */
  wrap<Incoming extends Request, Rest extends unknown[]>(
    handler: (
      request: Incoming,
      session: Session<Data>,
      ...rest: Rest
    ) => Response | Promise<Response>,
  ): (request: Incoming, ...rest: Rest) => Promise<Response> {
    return async (request, ...rest) => {
      try {
        const open = await this.open(request);
        try {
          const response = await handler(request, open.session, ...rest);
          return await this.commit(open, response);
        } catch (error) {
          const setCookie = await this.settle(open, 500);
          if (!(error instanceof SessionStoreError)) throw error;
          // save() may have changed the id before the store failed: then the old one is dead.
          return this.addCookie(unavailable(error), setCookie);
        }
      } catch (error) {
        if (error instanceof SessionStoreError) return unavailable(error);
        throw error;
      }
    };
  }

  /** The dictionary of an open session, with this manager's type. */
  sessionOf(open: SomeOpenSession): Session<Data> {
    return open.session as unknown as Session<Data>;
  }

  /** The user's live sessions, oldest first. */
  async list(userId: string): Promise<readonly SessionInfo[]> {
    return this.#ask("list", () => this.#store.list(userId));
  }

  /**
   * Ends the session with this handle, wherever it is in use. Check that it is the asking user's:
   * `(await sessions.list(userId)).some((session) => session.handle === handle)`.
   */
  async revoke(handle: string): Promise<void> {
    await this.#ask("delete", () => this.#store.delete(handle));
    this.#events.emit({ type: "destroyed", handle, userId: null, count: 1 });
  }

  /** Ends all of a user's sessions, wherever they are in use. Gives how many there were. */
  async revokeAll(userId: string, options: RevokeAllOptions = {}): Promise<number> {
    const except = options.except ?? undefined;
    const count = await this.#ask("deleteAll", () => this.#store.deleteAll(userId, except));
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
      const count = await this.#ask("sweep", () => this.#store.sweep(SWEEP_BATCH));
      swept += count;
      if (count < SWEEP_BATCH) break;
      await new Promise((resolve) => setImmediate(resolve));
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
    await this.#store.close();
  }

  #opened(id: string, key: string, record: SessionRecord | undefined): OpenSession<Data> {
    if (record === undefined) {
      this.#events.emit({ type: "rejected", reason: "unknown" });
      return new OpenSession(this.#io);
    }
    const now = this.#now();
    if (record.expiresAt <= now || record.createdAt + this.#lifetime * 1000 <= now) {
      this.#events.emit({ type: "expired", handle: key });
      return new OpenSession(this.#io);
    }
    return new OpenSession(this.#io, { id, key, record });
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
        return this.#create(open, this.#checked(plan.contents));
      case "replace":
        return this.#replace(open, plan.stored, this.#checked(plan.contents));
      case "rotate":
        return this.#rotate(open, plan.stored, this.#checked(plan.contents));
    }
  }

  #setCookie(open: SomeOpenSession): string | undefined {
    open.answered = true;
    if (open.cookie === "keep") return undefined;
    const { stored } = open;
    if (stored === undefined) return this.#cookie.clear();
    const { remember, expiresAt } = stored.record;
    if (remember === null) return this.#cookie.issue(stored.id);
    return this.#cookie.issue(stored.id, Math.ceil((expiresAt - this.#now()) / 1000));
  }

  /**
   * Begins the idle timeout anew. The response does not wait for it and does not depend on it: a
   * visitor who only reads is served while the store cannot be written. `failed` reports it.
   */
  #touch(open: SomeOpenSession, stored: StoredSession): void {
    const { key, record } = stored;
    const touched = this.#touched(record);
    if (touched === record) return;
    void this.#askLater("touch", () => this.#store.touch(key, touched.expiresAt));
    open.adopt({ ...stored, record: { ...touched, version: record.version + 1 } }, record);
    if (record.remember !== null) open.cookie = "set";
  }

  /** `base` is what the handler's dictionary holds, where that is not what is to be stored. */
  #create(
    open: SomeOpenSession,
    contents: Contents,
    base = contents,
    attempt = 1,
  ): MaybePromise<void> {
    this.#refuseLateCookie(open, "A new session");
    const now = this.#now();
    const { login } = open;
    const record = this.#alive(now, {
      ...NEW_RECORD,
      ...contents,
      createdAt: now,
      touchedAt: now,
      expiresAt: now,
      userId: login?.userId ?? null,
      authenticatedAt: login?.at ?? null,
      remember: login?.remember ?? null,
    });
    const id = createId();
    const key = hashId(id);
    return andThen(
      this.#ask("create", () => this.#store.create(key, record)),
      (created) => {
        if (!created) {
          if (attempt === ID_ATTEMPTS) throw this.#noFreeId();
          return this.#create(open, contents, base, attempt + 1);
        }
        open.rotated();
        open.adopt({ id, key, record }, base);
        open.cookie = "set";
        this.#events.emit({ type: "created", handle: key, userId: record.userId });
      },
    );
  }

  #replace(open: SomeOpenSession, stored: StoredSession, contents: Contents): MaybePromise<void> {
    const { key, record } = stored;
    const next = this.#next(record, contents);
    return andThen(
      this.#ask("replace", () => this.#store.replace(key, next, record.version)),
      (replaced) =>
        replaced
          ? this.#replaced(open, { ...stored, record: next }, contents)
          : this.#merge(open, stored, contents),
    );
  }

  #replaced(open: SomeOpenSession, stored: StoredSession, base: Contents): void {
    const isTouched = stored.record.touchedAt !== open.stored?.record.touchedAt;
    open.adopt(stored, base);
    if (isTouched && stored.record.remember !== null) open.cookie = "set";
  }

  /**
   * Somebody else has written the session since it was opened: applies what changed here to what is
   * stored now. Requests of this process take turns, so that each needs one more attempt, not many.
   */
  async #merge(open: SomeOpenSession, base: StoredSession, mine: Contents): Promise<void> {
    const written = await this.#rewrite(base.key, (current) =>
      this.#checked(mergeContents(base.record, mine, current)),
    );
    if (written === undefined) return this.#drop(open, base.key);
    this.#replaced(open, { ...base, record: written }, mine);
    this.#events.emit({ type: "merged", handle: base.key });
  }

  /** Compare-and-swap until it holds; `undefined` if the session is gone. */
  #rewrite(
    key: string,
    change: (current: SessionRecord) => Contents,
  ): MaybePromise<SessionRecord | undefined> {
    const deadline = performance.now() + this.#storeTimeout;
    return this.#conflicts.run(key, async () => {
      while (performance.now() < deadline) {
        const current = await this.#readLive(key);
        if (current === undefined) return undefined;
        const next = this.#next(current, change(current));
        const replaced = await this.#ask("replace", () =>
          this.#store.replace(key, next, current.version),
        );
        if (replaced) return next;
      }
      throw this.#fail("replace", new Error("Other processes kept changing the session."));
    });
  }

  async #rotate(open: SomeOpenSession, stored: StoredSession, mine: Contents): Promise<void> {
    this.#refuseLateCookie(open, "A new id");
    const { login } = open;
    let current = stored.record;
    for (let attempt = 1; attempt <= ID_ATTEMPTS;) {
      const now = this.#now();
      const contents =
        current === stored.record
          ? mine
          : this.#checked(mergeContents(stored.record, mine, current));
      const facts =
        login === undefined
          ? {}
          : {
              createdAt: now,
              userId: login.userId,
              authenticatedAt: login.at,
              remember: login.remember,
            };
      const next = this.#alive(now, {
        ...current,
        ...contents,
        ...facts,
        version: current.version + 1,
      });
      const id = createId();
      const key = hashId(id);
      const rotated = await this.#ask("rotate", () =>
        this.#store.rotate(stored.key, key, next, current.version),
      );
      if (rotated) {
        open.rotated();
        open.adopt({ id, key, record: next }, mine);
        open.cookie = "set";
        this.#events.emit({ type: "rotated", handle: key, from: stored.key, userId: next.userId });
        return;
      }
      const found = await this.#readLive(stored.key);
      if (found === undefined) return this.#rotateGone(open, stored, mine);
      if (found.version === current.version) attempt++;
      current = found;
    }
    throw this.#noFreeId();
  }

  /**
   * The session ended while it was to get a new id. Who has just logged in has proven who they are:
   * they get a session of their own, with what this request put into it and nothing from the old
   * one.
   */
  #rotateGone(open: SomeOpenSession, stored: StoredSession, mine: Contents): MaybePromise<void> {
    if (open.login === undefined) return this.#drop(open, stored.key);
    return this.#create(open, mergeContents(stored.record, mine, EMPTY), mine);
  }

  #delete(open: SomeOpenSession, doomed: StoredSession): MaybePromise<void> {
    return andThen(
      this.#ask("delete", () => this.#store.delete(doomed.key)),
      () => {
        open.doomed = undefined;
        const { userId } = doomed.record;
        this.#events.emit({ type: "destroyed", handle: doomed.key, userId, count: 1 });
      },
    );
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
    const release = (): void => {
      if (open.underWay === running) open.underWay = undefined;
    };
    running.then(release, release);
    return running;
  }

  async #save(open: SomeOpenSession): Promise<boolean> {
    if (open.doomed !== undefined) await this.#delete(open, open.doomed);
    await this.#commit(open);
    return !open.ended;
  }

  async #update(open: SomeOpenSession, change: (data: SessionData) => void): Promise<boolean> {
    const { stored } = open;
    if (stored === undefined) {
      if (open.ended) return false;
      runSynchronously(change, open.session as SessionData);
      return this.#save(open);
    }
    const written = await this.#rewrite(stored.key, (current) => {
      const data = dictionaryOf(decode(current.data) ?? {});
      runSynchronously(change, data);
      refuseReservedKeys(data);
      return this.#checked({ data: encode(data, "session"), flash: current.flash });
    });
    if (written === undefined) {
      this.#drop(open, stored.key);
      return false;
    }
    open.adopt({ ...stored, record: written }, stored.record);
    return true;
  }

  /** The record that follows, with its idle timeout begun anew if that is due. */
  #next(record: SessionRecord, contents: Contents): SessionRecord {
    const { createdAt, touchedAt, expiresAt, userId, authenticatedAt, remember } =
      this.#touched(record);
    // Spelled out, it takes a quarter of the time that spreading both objects takes.
    return {
      data: contents.data,
      flash: contents.flash,
      version: record.version + 1,
      createdAt,
      touchedAt,
      expiresAt,
      userId,
      authenticatedAt,
      remember,
    };
  }

  #touched(record: SessionRecord): SessionRecord {
    const now = this.#now();
    const due = now - record.touchedAt > this.#idleTimeout(record) * TOUCH_AFTER;
    return due ? this.#alive(now, record) : record;
  }

  /** The record with its idle timeout begun anew, within its absolute lifetime. */
  #alive(now: number, record: SessionRecord): SessionRecord {
    const idle = now + this.#idleTimeout(record);
    const absolute = record.createdAt + this.#lifetime * 1000;
    return { ...record, touchedAt: now, expiresAt: Math.min(idle, absolute) };
  }

  #idleTimeout(record: SessionRecord): number {
    return (record.remember ?? this.#timeout) * 1000;
  }

  async #readLive(key: string): Promise<SessionRecord | undefined> {
    const record = await this.#ask("read", () => this.#store.read(key));
    return record === undefined || record.expiresAt <= this.#now() ? undefined : record;
  }

  #checked(contents: Contents): Contents {
    const bytes = byteLength(contents.data) + byteLength(contents.flash ?? "");
    if (bytes <= this.#maxBytes) return contents;
    throw new SessionDataError(
      `The session takes ${bytes} bytes of JSON, more than the ${this.#maxBytes} that \`maxBytes\` ` +
        "allows. Keep large things in a database, and their keys in the session.",
    );
  }

  #checkRemember(seconds: number): void {
    if (!Number.isInteger(seconds) || seconds <= 0) {
      throw new RangeError(
        `remember is ${seconds}; it has to be a whole number of seconds above 0, such as 30 * 86_400.`,
      );
    }
    if (seconds > this.#lifetime) {
      throw new RangeError(
        `remember is ${seconds} seconds, longer than the absolute lifetime of ${this.#lifetime}. ` +
          "Shorten it, or raise the `lifetime` option.",
      );
    }
  }

  #refuseLateCookie(open: SomeOpenSession, what: string): void {
    if (!open.answered) return;
    throw new SessionDataError(
      `${what} needs a cookie, and this request's headers are sent. Write to the session, or save() it, before the handler returns.`,
    );
  }

  #noFreeId(): SessionStoreError {
    return this.#fail(
      "create",
      new Error(
        `${ID_ATTEMPTS} new ids were all taken: the random number generator repeats itself.`,
      ),
    );
  }

  #reportUnreadable(handle: string): void {
    const error = new Error(
      `The stored session ${handle} is not a dictionary in JSON, or has a key of the session's own names. It was left out.`,
    );
    this.#events.emit({ type: "failed", operation: "decode", error });
  }

  /** Asks the store, and turns any failure, a late answer too, into a SessionStoreError. */
  #ask<T>(operation: string, question: () => MaybePromise<T>): MaybePromise<T> {
    let answer: MaybePromise<T>;
    try {
      answer = question();
    } catch (cause) {
      throw this.#fail(operation, cause);
    }
    return isPromise(answer) ? this.#await(operation, answer) : answer;
  }

  async #askLater(operation: string, question: () => MaybePromise<unknown>): Promise<void> {
    try {
      await this.#ask(operation, question);
    } catch {
      // #ask has reported it.
    }
  }

  async #await<T>(operation: string, answer: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`No answer after ${this.#storeTimeout} ms.`)),
      this.#storeTimeout,
    );
    try {
      return await Promise.race([answer, late]);
    } catch (cause) {
      throw this.#fail(operation, cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(operation: string, cause: unknown): SessionStoreError {
    this.#events.emit({ type: "failed", operation, error: cause });
    return new SessionStoreError(`The session store failed to ${operation}.`, { cause });
  }
}

function storeOf(backend: SessionBackend, now: () => number): SessionStore {
  if (backend instanceof SessionStore) return backend;
  if (typeof backend?.load === "function" && typeof backend.save === "function") {
    return new LoadSaveStore(backend, now);
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

function atLeastZero(options: SessionOptions, name: keyof typeof DEFAULTS): number {
  return options[name] === 0 ? 0 : positive(options, name);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function runSynchronously(change: (data: SessionData) => unknown, data: SessionData): void {
  if (isPromise(change(data))) {
    throw new TypeError(
      "session.update() needs a synchronous function: it may run again. Fetch what it needs before.",
    );
  }
}

function unavailable(error: SessionStoreError): Response {
  console.error(error);
  return new Response("Sessions are unavailable at the moment. Please try again.", {
    status: error.status,
  });
}
