import type { SessionBackend, SessionData } from "./backend.ts";
import type { Turn } from "./keyed-queue.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import { andThen } from "./maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "./record.ts";
import { isNote, NOTE_LIFETIME, parseData } from "./record.ts";
import { SessionStore } from "./session-store.ts";
import { Tombstones } from "./tombstones.ts";

/**
 * How long a session that Bunpie did not write counts as live before its first touch, in
 * milliseconds.
 */
const FOREIGN_LIFETIME = 60_000;

/** The key under which two-method backends keep the session's own facts. */
export const FACTS_KEY = "$";

/** The session's own facts, as stored in the data of a two-method backend. */
type Facts = Omit<SessionRecord, "data">;

/** What all stores of one backend share. */
interface Shared {
  readonly queue: KeyedQueue;
  readonly ended: Tombstones;
}

const SHARED = new WeakMap<SessionBackend, Shared>();

/**
 * Makes a store of a two-method backend. Inside this process every guarantee holds, also between
 * several stores of one backend object: operations on one session run one after the other, what was
 * destroyed stays destroyed, and forwarding notes are kept in memory. Between processes a small
 * window stays open between `load` and `save`; and a `save` that takes effect late overwrites what
 * others have saved since.
 */
export class LoadSaveStore extends SessionStore {
  readonly #backend: SessionBackend;
  readonly #timeout: number | undefined;
  readonly #queue: KeyedQueue;
  readonly #ended: Tombstones;

  /** `timeout` is how long, in milliseconds, one call may block others of its session. */
  constructor(backend: SessionBackend, now?: () => number, timeout?: number) {
    super(now);
    this.#backend = backend;
    this.#timeout = timeout;
    const { queue, ended } = findShared(backend);
    this.#queue = queue;
    this.#ended = ended;
  }

  read(id: string): MaybePromise<SessionRecord | ForwardingNote | undefined> {
    return this.#run(id, () => this.#read(id));
  }

  create(id: string, record: SessionRecord): MaybePromise<boolean> {
    return this.#run(id, (turn) =>
      andThen(this.#readLive(id), (found) => {
        if (found !== undefined || this.#findNote(id) !== undefined) return false;
        this.#ended.delete(id);
        return this.#write(turn, id, record);
      }),
    );
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): MaybePromise<boolean> {
    return this.#run(id, (turn) =>
      andThen(this.#readLive(id), (found) =>
        found?.version === old.version ? this.#write(turn, id, record) : false,
      ),
    );
  }

  rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): MaybePromise<boolean> {
    // The old session has this id, and queueing a task inside a task of the same key would
    // deadlock.
    if (newId === oldId) return false;
    return this.#run(oldId, (turn) =>
      andThen(this.#readLive(oldId), (found) => {
        if (found?.version !== old.version) return false;
        turn.hold();
        return andThen(this.create(newId, record), (created) => {
          if (!created) return false;
          const note = { supersededBy: newId, expiresAt: this.now() + NOTE_LIFETIME };
          return andThen(this.#erase(turn, oldId, note), () => true);
        });
      }),
    );
  }

  touch(id: string, expiresAt: number): MaybePromise<boolean> {
    return this.#run(id, (turn) =>
      andThen(this.#readLive(id), (found) => {
        if (found === undefined) return false;
        const touchedAt = this.now();
        return this.#write(turn, id, {
          ...found,
          touchedAt,
          expiresAt,
          version: found.version + 1,
        });
      }),
    );
  }

  delete(id: string): MaybePromise<string | undefined> {
    return this.#run(id, (turn) => {
      const note = this.#findNote(id);
      return andThen(this.#erase(turn, id), () => note?.supersededBy);
    });
  }

  list(): readonly SessionInfo[] {
    throw needsSessionStore("list a user's sessions");
  }

  deleteAll(): readonly string[] {
    throw needsSessionStore("revoke all of a user's sessions");
  }

  /**
   * Does nothing: a two-method backend expires sessions itself, after the timeout passed to `save`.
   */
  sweep(): number {
    return 0;
  }

  /** Does nothing: the caller owns the backend. */
  close(): void {}

  #run<T>(id: string, task: (turn: Turn) => MaybePromise<T>): MaybePromise<T> {
    return this.#queue.run(id, task, this.#timeout);
  }

  #read(id: string): MaybePromise<SessionRecord | ForwardingNote | undefined> {
    if (this.#ended.has(id)) return this.#findNote(id);
    return andThen(this.#backend.load(id), (data) => this.#toRecord(data));
  }

  #readLive(id: string): MaybePromise<SessionRecord | undefined> {
    return andThen(this.#read(id), (found) =>
      found === undefined || isNote(found) || found.expiresAt <= this.now() ? undefined : found,
    );
  }

  #findNote(id: string): ForwardingNote | undefined {
    const note = this.#ended.findNote(id);
    return note !== undefined && note.expiresAt > this.now() ? note : undefined;
  }

  /**
   * Holds the turn first: after a timed-out load, another task may have changed or destroyed the
   * session.
   */
  #write(turn: Turn, id: string, record: SessionRecord): MaybePromise<true> {
    turn.hold();
    const { data, ...facts } = record;
    const seconds = Math.ceil((record.expiresAt - this.now()) / 1000);
    const kept = { ...parseData(data), [FACTS_KEY]: facts };
    return andThen(this.#backend.save(id, kept, seconds), () => true as const);
  }

  /**
   * The session counts as ended once the backend has confirmed it, and not before: after a delete
   * that failed or timed out, the next one must find the session and delete it again.
   */
  #erase(turn: Turn, id: string, note?: ForwardingNote): MaybePromise<void> {
    turn.hold();
    const noteBefore = this.#ended.findNote(id);
    return andThen(this.#backend.save(id, {}, 0), () => {
      // If this comes late, the session may have been rotated meanwhile: that note stays.
      if (this.#ended.findNote(id) === noteBefore) this.#ended.add(id, note);
    });
  }

  #toRecord(loaded: SessionData | null | undefined): SessionRecord | undefined {
    if (loaded === null || loaded === undefined) return undefined;
    // Anything but a dictionary becomes unparsable text, so that the session is reported as
    // unreadable.
    if (typeof loaded !== "object" || Array.isArray(loaded)) {
      return { ...this.#foreignFacts(), data: toText(loaded) };
    }
    if (Object.keys(loaded).length === 0) return undefined;
    const { [FACTS_KEY]: facts = this.#foreignFacts(), ...data } = loaded;
    return { ...NO_FACTS, ...(facts as Facts), data: toText(data) };
  }

  /** The facts of a session that Bunpie did not write: the backend returned it, so it is live. */
  #foreignFacts(): Facts {
    const now = this.now();
    return {
      ...NO_FACTS,
      version: 0,
      createdAt: now,
      touchedAt: now,
      // A near expiry makes a touch due, which stores the missing facts.
      expiresAt: now + FOREIGN_LIFETIME,
    };
  }
}

function findShared(backend: SessionBackend): Shared {
  const found = SHARED.get(backend);
  if (found !== undefined) return found;
  const shared = { queue: new KeyedQueue(), ended: new Tombstones() };
  SHARED.set(backend, shared);
  return shared;
}

/** Some databases drop `null` values. */
const NO_FACTS = {
  flash: null,
  userId: null,
  authenticatedAt: null,
  remember: null,
  label: null,
} as const;

/** JSON text of the loaded value; `""`, which does not parse, if there is none. */
function toText(loaded: unknown): string {
  try {
    return JSON.stringify(loaded) ?? "";
  } catch {
    return "";
  }
}

function needsSessionStore(purpose: string): Error {
  return new Error(
    `A backend with only load() and save() cannot ${purpose}: it does not store user ids. ` +
      "Extend SessionStore, or use a built-in backend such as SqliteSessionBackend.",
  );
}
