import { GuardedStore } from "../store/guarded-store.ts";
import { isNote } from "../store/record.ts";
import type { StopWatching } from "../store/session-store.ts";
import type { EventLog, SessionEvent } from "./events.ts";
import type { Life } from "./life.ts";
import type { Lifetimes } from "./lifetimes.ts";
import type { SomeOpenSession } from "./open-session.ts";
import type { Settings } from "./options.ts";
import type { SessionEnd } from "./watchlist.ts";
import { Watchlist } from "./watchlist.ts";

/**
 * How often, in milliseconds, to look for expired and newly watched sessions, and for writes by
 * other processes.
 */
const TICK = 250;

/** How many sessions are read in one step. Requests are served between steps. */
const BATCH = 100;

/** After all sessions were read, the store rests for this many times as long as the reads took. */
const REST = 9;

/** How long, in milliseconds, to rely on a store that reports no writes by other processes. */
const LONGEST_REST = 60_000;

/**
 * Detects when sessions end. Sessions that this process ends are detected immediately. Of sessions
 * that other processes end, the store sends notices; in case a notice was lost, all watched
 * sessions are read again every `watchInterval`. A session is also read once after it was added: it
 * may have ended since its request read it. A notice only causes a read: a session has ended when
 * the store says so, and a failing store ends no session.
 *
 * One timer serves all sessions, and it runs only while sessions are watched.
 */
export class SessionWatch {
  readonly #settings: Settings;
  /** Separate from the manager's, so that reads by this class do not count in `stats()`. */
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #events: EventLog;
  readonly #list: Watchlist;
  #timer: ReturnType<typeof setInterval> | undefined;
  #subscription: Promise<StopWatching | undefined> | undefined;
  #isClosed = false;
  #isReading = false;
  /** Whether a session may have ended without a notice. */
  #isInDoubt = false;
  /** The store's count of other processes' writes, from before all sessions were last read. */
  #writes: number | undefined;
  // Times of performance.now(), in milliseconds:
  #readAt = 0;
  #restsUntil = 0;
  #failsUntil = 0;
  #emptySince: number | undefined;

  constructor(settings: Settings, lifetimes: Lifetimes, events: EventLog) {
    this.#settings = settings;
    this.#store = new GuardedStore(settings.store, () => undefined, settings.storeTimeout);
    this.#lifetimes = lifetimes;
    this.#events = events;
    this.#list = new Watchlist(lifetimes, settings.now);
  }

  /**
   * Calls `listener` once, when the handler's present session ends. Returns a function that removes
   * the listener.
   */
  add(open: SomeOpenSession, listener: (reason: SessionEnd) => unknown): () => void {
    const stop = this.#list.add(open, listener);
    this.#start();
    return stop;
  }

  /** See {@link Watchlist.follow}. */
  follow(life: Life): void {
    this.#list.follow(life);
    this.#start();
  }

  /** Receives the events of this process. */
  observe(event: SessionEvent): void {
    if (this.#list.size === 0) return;
    if (event.type === "destroyed") {
      for (const handle of event.handles) this.#list.end(handle, "destroyed");
    } else if (event.type === "rotated") {
      void this.#list.endForOthers(event.from, "superseded");
    }
  }

  /** Stops watching. No listener is called from then on. */
  close(): void {
    this.#isClosed = true;
    this.#list.clear();
    this.#stop();
  }

  #start(): void {
    if (this.#timer !== undefined || this.#list.size === 0 || this.#isClosed) return;
    this.#readAt = performance.now();
    this.#writes = this.#countWrites();
    this.#subscribe();
    this.#timer = setInterval(() => this.#tick(), Math.min(TICK, this.#settings.watchInterval));
    this.#timer.unref();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#emptySince = undefined;
    this.#unsubscribe();
  }

  #unsubscribe(): void {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    subscription?.then((stop) => stop?.()).catch((error: unknown) => this.#report(error));
  }

  /**
   * Subscribes to the store's notices. After a failure, the next read of all sessions tries again.
   */
  #subscribe(): void {
    if (this.#subscription !== undefined) return;
    const { store } = this.#settings;
    const subscription: Promise<StopWatching | undefined> = (async () =>
      store.watchEnds((ids) => this.#hear(ids)))().then(
      (stop) => {
        // There were no notices before the subscription.
        if (stop !== undefined) this.#isInDoubt = true;
        return stop;
      },
      (error: unknown) => {
        if (this.#subscription === subscription) this.#subscription = undefined;
        this.#report(error);
        return undefined;
      },
    );
    this.#subscription = subscription;
  }

  #hear(ids: readonly string[] | undefined): void {
    if (ids === undefined) {
      this.#isInDoubt = true;
      return;
    }
    const keys = ids.filter((id) => this.#list.has(id));
    if (keys.length > 0) void this.#read(keys, true);
  }

  #tick(): void {
    const now = performance.now();
    if (this.#list.size === 0) {
      // Keeps the store's connection during a pause between two visitors.
      this.#emptySince ??= now;
      if (now - this.#emptySince >= this.#settings.watchInterval) this.#stop();
      return;
    }
    this.#emptySince = undefined;
    if (this.#isReading || now < this.#failsUntil) return;
    if (this.#isDue(now)) return void this.#readAll();
    const doubtful = this.#list.takeDoubtful();
    if (doubtful.length > 0) void this.#readOnce(doubtful);
  }

  #isDue(now: number): boolean {
    if (now < this.#restsUntil) return false;
    if (this.#isInDoubt) return true;
    const { watchInterval } = this.#settings;
    const writes = this.#countWrites();
    const rest = writes === undefined ? watchInterval : Math.max(watchInterval, LONGEST_REST);
    return writes !== this.#writes || now - this.#readAt >= rest;
  }

  async #readAll(): Promise<void> {
    this.#isInDoubt = false;
    this.#readAt = performance.now();
    this.#writes = this.#countWrites();
    await this.#readOnce(this.#list.takeAll());
    const now = performance.now();
    this.#restsUntil = now + REST * (now - this.#readAt);
    // A failing store is left alone.
    if (now >= this.#failsUntil && this.#timer !== undefined) this.#subscribe();
  }

  /** Keeps the timer from starting another read meanwhile. */
  async #readOnce(keys: readonly string[]): Promise<void> {
    this.#isReading = true;
    await this.#read(keys);
    this.#isReading = false;
  }

  /**
   * Reads these sessions, and ends those that are gone. `told`: the store gave notice of their end.
   */
  async #read(keys: readonly string[], told = false): Promise<void> {
    try {
      for (let start = 0; start < keys.length; start += BATCH) {
        if (start > 0) await new Promise((resolve) => setImmediate(resolve));
        await this.#readBatch(keys.slice(start, start + BATCH), told);
      }
    } catch (error) {
      this.#isInDoubt = true;
      this.#failsUntil = performance.now() + this.#settings.watchInterval;
      // The subscription may be lost with the store's connection: it is renewed once the store is
      // back.
      this.#unsubscribe();
      this.#report(error);
    }
  }

  async #readBatch(keys: readonly string[], told: boolean): Promise<void> {
    // Read before the store is asked: other requests may use a session while the answer is on its way.
    const now = this.#settings.now();
    const times = await this.#store.ask("readTimes", keys);
    const gone = keys.filter((key) => {
      const found = times.get(key);
      if (found === undefined) return true;
      if (this.#lifetimes.isExpired(found, now)) this.#list.end(key, "expired");
      else this.#list.prolong(key, found);
      return false;
    });
    await Promise.all(gone.map((key) => this.#endGone(key, told)));
  }

  async #endGone(key: string, told: boolean): Promise<void> {
    const found = await this.#store.ask("read", key);
    if (found !== undefined && isNote(found))
      return void this.#list.endForOthers(key, "superseded");
    // A sweep removes expired sessions without a notice.
    const isExpired = !told && this.#list.seemsExpired(key);
    void this.#list.endForOthers(key, isExpired ? "expired" : "destroyed");
  }

  /** A failure here is ignored: the store then also fails when it is read, and is reported. */
  #countWrites(): number | undefined {
    try {
      return this.#settings.store.foreignWrites();
    } catch {
      return undefined;
    }
  }

  #report(error: unknown): void {
    this.#events.emit({ type: "failed", operation: "watch", error });
  }
}
