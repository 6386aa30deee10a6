import type { GuardedStore } from "../store/guarded-store.ts";
import { KeyedQueue } from "../store/keyed-queue.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen, isPromise } from "../store/maybe-promise.ts";
import type { ForwardingNote, SessionRecord } from "../store/record.ts";
import { isNote, isRecord, NEW_RECORD } from "../store/record.ts";
import type { Contents, Merged } from "./contents.ts";
import { EMPTY, isEmpty, isSame, mergeContents } from "./contents.ts";
import { SessionDataError } from "./errors.ts";
import type { EventLog } from "./events.ts";
import { createId } from "./id.ts";
import type { Attempt, Login, Place, Renewal, Stored, Swap, Use } from "./life.ts";
import { NOWHERE } from "./life.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { isSilent } from "./lifetimes.ts";
import type { Names } from "./names.ts";
import type { Settings } from "./options.ts";
import { UserLimit } from "./user-limit.ts";

/** Repeated collisions mean that the random source is broken. */
const ID_ATTEMPTS = 4;

/** What the store has under a key. */
type Found = SessionRecord | ForwardingNote | undefined;

/** The state of a write that may have to be retried. */
interface Progress {
  /** When to give up, by `performance.now()`. */
  readonly deadline: number;
  /** How many new ids were already in use. */
  collisions: number;
}

/**
 * Performs a session's {@link Attempt} on the store, and returns where the session is afterwards.
 * One compare-and-swap loop with one deadline serves every write to a stored session.
 */
export class Writer {
  readonly #settings: Settings;
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #events: EventLog;
  readonly #names: Names;
  /**
   * Writes of this process that lost a swap take turns, so that each needs only one more attempt.
   */
  readonly #conflicts = new KeyedQueue();

  constructor(
    settings: Settings,
    store: GuardedStore,
    lifetimes: Lifetimes,
    events: EventLog,
    names: Names,
  ) {
    this.#settings = settings;
    this.#store = store;
    this.#lifetimes = lifetimes;
    this.#events = events;
    this.#names = names;
  }

  /**
   * @throws SessionStoreError if the store fails, or if other processes keep changing the session
   *   for `storeTimeout`.
   * @throws SessionDataError if the contents are too large.
   */
  perform(attempt: Exclude<Attempt, { readonly kind: "none" }>): MaybePromise<Place> {
    switch (attempt.kind) {
      case "drop":
        return this.#drop(attempt.from);
      case "touch":
        return this.#touch(attempt.from, attempt.use);
      case "check":
        return this.#check(attempt.from, attempt.use);
      case "create":
        return this.#create(attempt.from, attempt.contents, attempt.login);
      case "replace":
      case "rotate":
        return this.#swap(attempt);
    }
  }

  /** Ends the session at a place, and every session that it was rotated to. */
  end(place: Place): MaybePromise<void> {
    if (!("key" in place) || place.key === null) return;
    const userId = place.at === "store" ? place.record.userId : null;
    return this.endKey(place.key, this.#names.toUserId(userId));
  }

  /** The same, by its key. */
  endKey(key: string, userId: string | null): MaybePromise<void> {
    return andThen(this.#deleteChain([key]), (handles) =>
      this.#events.emit({ type: "destroyed", handles, userId, count: 1 }),
    );
  }

  /**
   * The same for a handle, whose session may have ended before: then there is no event. Reads
   * first, because a store's `delete` does not tell whether the record existed.
   */
  async revoke(key: string): Promise<void> {
    const isThere = await this.#mayExist(key);
    // Deletes in any case: a session that has expired here may be live by another process's clock.
    const handles = await this.#deleteChain([key]);
    if (!isThere && handles.length === 1) return;
    this.#events.emit({ type: "destroyed", handles, userId: null, count: 1 });
  }

  /** A session that cannot be read may exist, and is ended too. */
  async #mayExist(key: string): Promise<boolean> {
    try {
      return (await this.#store.ask("read", key)) !== undefined;
    } catch {
      return true; // ask() has reported it.
    }
  }

  /** Deletes what is under the last key and, if that is a note, what the note leads to. */
  #deleteChain(keys: readonly [string, ...string[]]): MaybePromise<readonly string[]> {
    const key = keys.at(-1) ?? keys[0];
    return andThen(this.#store.ask("delete", key), (next) =>
      next === undefined || keys.includes(next) ? keys : this.#deleteChain([...keys, next]),
    );
  }

  /** Reports that the handler's changes are dropped. */
  #drop(from: Place): Place {
    const key = "key" in from ? from.key : null;
    this.#events.emit({ type: "dropped", handle: key });
    return from.at === "superseded" || from.at === "ended" ? from : toEnded(from);
  }

  /**
   * Restarts the idle timeout. The response waits for the write only if its cookie depends on it:
   * visitors who only read are served while the store cannot be written.
   */
  #touch(from: Stored, use: Use): MaybePromise<Place> {
    if (isSilent(from.record, use)) return from;
    const record = this.#lifetimes.touch(from.record, use);
    return record === from.record ? from : this.#touchDue(from, record);
  }

  #touchDue(from: Stored, record: SessionRecord): MaybePromise<Place> {
    const touched = this.#store.tell("touch", from.key, record.expiresAt);
    // The version stays: the touch may fail, or take effect after another request's write.
    if (record.remember === null) return { ...from, record };
    return andThen(touched, (isDone) => {
      if (isDone === undefined) return from;
      return isDone ? { ...from, record } : toEnded(from);
    });
  }

  /**
   * Finds out whether the session still exists, and what it holds, and restarts its idle timeout if
   * due.
   */
  #check(from: Stored, use: Use): MaybePromise<Place> {
    const { key, record } = from;
    const next = isSilent(record, use) ? record : this.#lifetimes.touch(record, use);
    const touched = next !== record && this.#store.ask("touch", key, next.expiresAt);
    return andThen(touched, () =>
      andThen(this.#read(key), (found) => {
        if (found === undefined) return toEnded(from);
        if (isNote(found)) return toSuperseded(from, found);
        const current = { ...from, record: found };
        return isSilent(found, use) ? this.#prolong(current, use) : current;
      }),
    );
  }

  /**
   * Restarts the idle timeout without sending the cookie again, unless another request has written
   * the session since it was read: then the next use does.
   */
  #prolong(from: Stored, use: Use): MaybePromise<Place> {
    const record = this.#lifetimes.toNext(from.record, from.record, use);
    if (record.expiresAt === from.record.expiresAt) return from;
    return andThen(this.#store.ask("replace", from.key, record, from.record), (isDone) =>
      isDone ? { ...from, record } : from,
    );
  }

  #create(from: Place, contents: Contents, login: Login | undefined): MaybePromise<Place> {
    // A login ends the expired session too: by another process's clock it may be live.
    const former = login !== undefined && from.at === "lapsed" && this.end(from);
    return andThen(former, () => this.#insert(this.#checkSize(contents), login, 1));
  }

  #insert(contents: Contents, login: Login | undefined, attempt: number): MaybePromise<Place> {
    const id = createId();
    const key = this.#names.toKey(id);
    const record = this.#renew(NEW_RECORD, contents, login, true);
    const limit = this.#limit(login);
    return andThen(this.#store.ask("create", key, record), (isCreated) => {
      if (!isCreated) {
        if (attempt === ID_ATTEMPTS) throw this.#failWithoutId();
        return this.#insert(contents, login, attempt + 1);
      }
      const userId = this.#names.toUserId(record.userId);
      this.#events.emit({ type: "created", handle: key, userId });
      return this.#trim({ at: "store", id, key, record }, limit);
    });
  }

  /** Tries with the record that the request has read and, if that is out of date, reads it again. */
  #swap(swap: Swap): MaybePromise<Place> {
    const { from } = swap;
    if (from.at === "superseded") return this.#retry(swap, from.by, this.#begin(), undefined);
    // Updates start from what is stored: they take turns, so that each needs only one write.
    if (swap.update !== undefined) return this.#queue(swap, from, this.#begin(), undefined);
    const place = this.#try(swap, from.key, from.record);
    return isPromise(place)
      ? this.#swapLater(swap, from, place, this.#begin())
      : (place ?? this.#queue(swap, from, this.#begin(), from.record));
  }

  #swapLater(
    swap: Swap,
    from: Stored,
    tried: Promise<Place | undefined>,
    progress: Progress,
  ): Promise<Place> {
    return tried.then((place) => place ?? this.#queue(swap, from, progress, from.record));
  }

  #queue(
    swap: Swap,
    { key }: Stored,
    progress: Progress,
    last: SessionRecord | undefined,
  ): MaybePromise<Place> {
    return this.#conflicts.run(key, () => this.#retry(swap, key, progress, last));
  }

  #begin(): Progress {
    return { deadline: performance.now() + this.#settings.storeTimeout, collisions: 0 };
  }

  #retry(
    swap: Swap,
    key: string,
    progress: Progress,
    last: SessionRecord | undefined,
  ): MaybePromise<Place> {
    if (performance.now() >= progress.deadline) {
      throw this.#store.fail("replace", new Error("Other processes kept changing the session."));
    }
    return andThen(this.#read(key), (found) => {
      if (found === undefined || isNote(found)) return this.#handleGone(swap, key, found, progress);
      // A forwarding note has led here: only the session's own user may follow it.
      if (key !== swap.from.key && !this.#logsIn(swap, found.userId)) return this.#handleLost(swap);
      // The session has not changed, so the swap failed because the new id was already in use.
      const isTaken = swap.renewal !== undefined && found.version === last?.version;
      if (isTaken && ++progress.collisions === ID_ATTEMPTS) throw this.#failWithoutId();
      return andThen(
        this.#try(swap, key, found),
        (place) => place ?? this.#retry(swap, key, progress, found),
      );
    });
  }

  /**
   * One compare-and-swap. `undefined`: `current` is out of date, or the new id is already in use.
   */
  #try(swap: Swap, key: string, current: SessionRecord): MaybePromise<Place | undefined> {
    const change = this.#checkSize(findChange(swap, current));
    return swap.renewal === undefined
      ? this.#replace(swap, key, current, change)
      : this.#rotate(swap.renewal, key, current, change, swap.use);
  }

  #replace(
    swap: Swap,
    key: string,
    current: SessionRecord,
    change: Contents | Merged,
  ): MaybePromise<Place | undefined> {
    const next = this.#lifetimes.toNext(current, change, swap.use);
    if (isEmpty(change) && current.userId === null && !isEmpty(current)) {
      return this.#expire(key, current, next);
    }
    const replaced = this.#store.ask("replace", key, next, current);
    return isPromise(replaced)
      ? this.#finishReplaceLater(swap, key, next, change, replaced)
      : this.#finishReplace(swap, key, next, change, replaced);
  }

  #finishReplaceLater(
    swap: Swap,
    key: string,
    next: SessionRecord,
    change: Contents | Merged,
    replaced: Promise<boolean>,
  ): Promise<Place | undefined> {
    return replaced.then((isDone) => this.#finishReplace(swap, key, next, change, isDone));
  }

  #finishReplace(
    { from }: Swap,
    key: string,
    record: SessionRecord,
    change: Contents | Merged,
    isDone: boolean,
  ): Place | undefined {
    if (!isDone || from.at !== "store") return undefined;
    this.#events.emit({ type: "updated", handle: key });
    if ("overwritten" in change) {
      const { overwritten: keys } = change;
      const type = keys.length === 0 ? "merged" : "overwritten";
      this.#events.emit(type === "merged" ? { type, handle: key } : { type, handle: key, keys });
    }
    return { at: "store", id: from.id, key, record };
  }

  /**
   * Ends a session that its handler has emptied, unless another request has written it meanwhile.
   * First replaces the record by an expired one, which no other write can revive, then deletes it.
   */
  #expire(
    key: string,
    current: SessionRecord,
    next: SessionRecord,
  ): MaybePromise<Place | undefined> {
    const expired = { ...next, expiresAt: this.#settings.now() };
    return andThen(this.#store.ask("replace", key, expired, current), (isDone) =>
      isDone ? andThen(this.endKey(key, null), () => NOWHERE) : undefined,
    );
  }

  #rotate(
    renewal: Renewal,
    key: string,
    current: SessionRecord,
    contents: Contents,
    use: Use,
  ): MaybePromise<Place | undefined> {
    const id = createId();
    const newKey = this.#names.toKey(id);
    const login = renewal.kind === "login" ? renewal : undefined;
    const record = this.#renew(current, contents, login, use.restarts !== "never");
    const limit = this.#limit(login);
    return andThen(this.#store.ask("rotate", key, newKey, record, current), (isDone) => {
      if (!isDone) return undefined;
      const userId = this.#names.toUserId(record.userId);
      this.#events.emit({ type: "rotated", handle: newKey, from: key, userId });
      return this.#trim({ at: "store", id, key: newKey, record }, limit);
    });
  }

  /** Handles that the session to change is gone, or that a note is in its place. */
  #handleGone(
    swap: Swap,
    key: string,
    note: ForwardingNote | undefined,
    progress: Progress,
  ): MaybePromise<Place> {
    if (note === undefined) return this.#handleLost(swap);
    if (swap.renewal?.kind === "login") {
      return this.#retry(swap, note.supersededBy, progress, undefined);
    }
    this.#events.emit({ type: "dropped", handle: key });
    return swap.from.at === "store" ? toSuperseded(swap.from, note) : swap.from;
  }

  /**
   * Handles that the session has ended, or belongs to another user by now. A login begins a session
   * of its own, with what this request wrote and nothing of the old one. But not for the old
   * session's user: what they, or an administrator, ended stays ended.
   */
  #handleLost(swap: Swap): MaybePromise<Place> {
    const { from, renewal, contents } = swap;
    const isTheirs = from.at === "store" && this.#logsIn(swap, from.record.userId);
    if (renewal?.kind !== "login" || isTheirs) return this.#drop(toEnded(from));
    const own = from.at === "store" ? mergeContents(from.record, contents, EMPTY) : contents;
    return this.#create(from, own, renewal);
  }

  /** Whether the swap logs in this stored user. */
  #logsIn({ renewal }: Swap, userId: string | null): boolean {
    return renewal?.kind === "login" && this.#names.toStoredUser(renewal.userId) === userId;
  }

  /**
   * The record to store under a new id. A login restarts the absolute lifetime, and always the idle
   * timeout.
   */
  #renew(
    current: SessionRecord | typeof NEW_RECORD,
    { data, flash }: Contents,
    login: Login | undefined,
    isUse: boolean,
  ): SessionRecord {
    const now = this.#settings.now();
    const isNew = !("createdAt" in current);
    const base = isNew
      ? { ...current, createdAt: now, touchedAt: now, expiresAt: now }
      : { ...current, version: current.version + 1 };
    const record = { ...base, data, flash };
    if (login === undefined) return isUse ? this.#lifetimes.restart(record, now) : record;
    const userId = this.#names.toStoredUser(login.userId);
    const former = record.userId === userId ? record : NEW_RECORD;
    const { remember = former.remember, label = former.label, at } = login;
    const facts = { userId, authenticatedAt: at, remember, label, createdAt: now };
    return this.#lifetimes.restart({ ...record, ...facts }, now);
  }

  #limit(login: Login | undefined): UserLimit | undefined {
    const { maxPerUser, knowsUsers } = this.#settings;
    const isLimited = login !== undefined && knowsUsers && maxPerUser !== Infinity;
    return isLimited ? new UserLimit(maxPerUser) : undefined;
  }

  /** Ends the user's least recently used sessions beyond `maxPerUser`, after a login. */
  #trim(place: Stored, limit: UserLimit | undefined): MaybePromise<Place> {
    const { userId } = place.record;
    if (limit === undefined || userId === null) return place;
    return andThen(this.#store.tell("list", userId, limit.listed), (sessions = []) => {
      const surplus = limit.findSurplus(sessions, place.key, this.#settings.now());
      const ended = surplus.length === 0 ? undefined : this.#endAll(surplus, userId);
      return andThen(ended, () => {
        if (surplus.includes(place.key)) return toEnded(place);
        limit.complete(place.key);
        return place;
      });
    });
  }

  async #endAll(keys: readonly string[], stored: string): Promise<void> {
    const handles: string[] = [];
    try {
      for (const key of keys) {
        // With a successor, another request has given the session a new id: it goes on.
        const successor = await this.#store.ask("delete", key);
        if (successor === undefined) handles.push(key);
      }
    } catch {
      // ask() has reported it. The user's next login ends the rest.
    }
    if (handles.length === 0) return;
    const userId = this.#names.toUserId(stored);
    this.#events.emit({ type: "destroyed", handles, userId, count: handles.length });
  }

  /** The live record or note under a key. */
  #read(key: string): MaybePromise<Found> {
    return andThen(this.#store.ask("read", key), (found) => {
      if (found === undefined) return undefined;
      const isLive = isNote(found)
        ? found.expiresAt > this.#settings.now()
        : isRecord(found) && !this.#lifetimes.isExpired(found);
      return isLive ? found : undefined;
    });
  }

  /** @throws SessionDataError for contents that exceed `maxBytes`. */
  #checkSize<T extends Contents>(contents: T): T {
    const { data, flash } = contents;
    const { maxBytes } = this.#settings;
    // In UTF-8 a text has at most three bytes per UTF-16 unit: most texts need no counting.
    const length = data.length + (flash?.length ?? 0);
    if (length * 3 <= maxBytes) return contents;
    const bytes = Buffer.byteLength(data) + (flash === null ? 0 : Buffer.byteLength(flash));
    if (bytes <= maxBytes) return contents;
    throw new SessionDataError(
      `The session takes ${bytes} bytes of JSON, more than the ${maxBytes} that \`maxBytes\` ` +
        "allows. Keep large values in a database, and only their keys in the session.",
    );
  }

  #failWithoutId(): Error {
    return this.#store.fail(
      "create",
      new Error(`${ID_ATTEMPTS} new ids in a row were taken: the random source is broken.`),
    );
  }
}

/**
 * What a swap stores in place of `current`, which another request may have changed since `base`.
 */
function findChange({ base, contents, update }: Swap, current: SessionRecord): Contents | Merged {
  if (update !== undefined) return update(current);
  const isUnchanged = current === base || isSame(current, base);
  return isUnchanged ? contents : mergeContents(base, contents, current);
}

function toEnded(from: Place): Place {
  const key = "key" in from ? from.key : null;
  const userId = from.at === "store" ? from.record.userId : null;
  return { at: "ended", key, userId };
}

function toSuperseded({ key, record }: Stored, note: ForwardingNote): Place {
  return { at: "superseded", key, by: note.supersededBy, userId: record.userId };
}
