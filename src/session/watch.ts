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

/** How often, in milliseconds, to see what has expired, and whether others have written to the store. */
const TICK = 250;

/** How many sessions are read in one step, between which requests are served. */
const BATCH = 100;

/** For how long the store is left alone after all were read: so many times what that took. */
const REST = 9;

/** For how long, in milliseconds, a store is believed that says that nobody else has written. */
const LONGEST_REST = 60_000;

/**
 * Finds out when sessions end. What this process ends, it sees at once. What others end, the store gives
 * notice of; and in case a notice was lost, all watched sessions are read again every `watchInterval`.
 * A notice is no more than a reason to read: a session has ended when the store says so, and a store
 * that fails says nothing.
 *
 * One timer serves all sessions, and nothing runs while none is watched.
 */
export class SessionWatch {
  readonly #settings: Settings;
  /** Its reads do not count among those of the requests. */
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #events: EventLog;
  readonly #list: Watchlist;
  #timer: ReturnType<typeof setInterval> | undefined;
  #subscription: Promise<StopWatching | undefined> | undefined;
  #isClosed = false;
  #isReading = false;
  /** Something may have ended of which there was no notice. */
  #isInDoubt = false;
  /** What the store had counted of others' writes before all sessions were last read. */
  #writes: number | undefined;
  // By performance.now(), in milliseconds:
  #readAt = 0;
  #restsUntil = 0;
  #failsUntil = 0;
  #emptySince: number | undefined;

  constructor(settings: Settings, lifetimes: Lifetimes, events: EventLog) {
    this.#settings = settings;
    this.#store = new GuardedStore(settings.store, () => undefined, settings.storeTimeout);
    this.#lifetimes = lifetimes;
    this.#events = events;
    this.#list = new Watchlist(lifetimes);
  }

  /** Calls `listener` once, when the session that the handler has now ends. Returns what prevents that. */
  add(open: SomeOpenSession, listener: (reason: SessionEnd) => unknown): () => void {
    const stop = this.#list.add(open, listener);
    this.#start();
    return stop;
  }

  /** After a request's own write: its session may be stored by now, have another id, or have ended. */
  follow(life: Life): void {
    this.#list.follow(life);
    this.#start();
  }

  /** Takes note of what this process has done. */
  take(event: SessionEvent): void {
    if (this.#list.size === 0) return;
    if (event.type === "destroyed") {
      for (const handle of event.handles) this.#list.end(handle, "destroyed");
    } else if (event.type === "rotated") {
      void this.#list.endForOthers(event.from, "superseded");
    }
  }

  /** Stops watching. Nobody is called any more. */
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

  /** Has the store give notice. Where that fails, it is tried again after the next reading. */
  #subscribe(): void {
    if (this.#subscription !== undefined) return;
    const { store } = this.#settings;
    const subscription = (async () => store.watchEnds((ids) => this.#hear(ids)))();
    this.#subscription = subscription;
    subscription.then(
      (stop) => {
        // Of what ended before that, there was no notice.
        if (stop !== undefined) this.#isInDoubt = true;
      },
      (error: unknown) => {
        if (this.#subscription === subscription) this.#subscription = undefined;
        this.#report(error);
      },
    );
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
      // A connection is not given up between two visitors.
      this.#emptySince ??= now;
      if (now - this.#emptySince >= this.#settings.watchInterval) this.#stop();
      return;
    }
    this.#emptySince = undefined;
    if (this.#isReading || now < this.#failsUntil) return;
    if (this.#isDue(now)) return void this.#readAll();
    const expired = this.#list.findExpired(this.#settings.now());
    if (expired.length > 0) void this.#readOnce(expired);
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
    await this.#readOnce(this.#list.keys);
    const now = performance.now();
    this.#restsUntil = now + REST * (now - this.#readAt);
    // A store that fails is left alone.
    if (now >= this.#failsUntil && this.#timer !== undefined) this.#subscribe();
  }

  /** Nothing else is read by the timer meanwhile. */
  async #readOnce(keys: readonly string[]): Promise<void> {
    this.#isReading = true;
    await this.#read(keys);
    this.#isReading = false;
  }

  /** Reads what is under these keys, and ends what is not there. Of some the store `told` that it is not. */
  async #read(keys: readonly string[], told = false): Promise<void> {
    try {
      for (let start = 0; start < keys.length; start += BATCH) {
        if (start > 0) await new Promise((resolve) => setImmediate(resolve));
        await this.#readBatch(keys.slice(start, start + BATCH), told);
      }
    } catch (error) {
      this.#isInDoubt = true;
      this.#failsUntil = performance.now() + this.#settings.watchInterval;
      // What was lost with the store's connection had better be made anew once the store is back.
      this.#unsubscribe();
      this.#report(error);
    }
  }

  async #readBatch(keys: readonly string[], told: boolean): Promise<void> {
    const times = await this.#store.ask("readTimes", keys);
    const now = this.#settings.now();
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
    // A sweep removes what has expired, and gives no notice.
    const isExpired = !told && this.#list.isPast(key, this.#settings.now());
    void this.#list.endForOthers(key, isExpired ? "expired" : "destroyed");
  }

  /** A store that fails here fails when it is read, too, and is reported then. */
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
