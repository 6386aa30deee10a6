import type { SessionBackend, SessionData } from "../../../src/store/backend.ts";
import type { MaybePromise } from "../../../src/store/maybe-promise.ts";
import type { ForwardingNote, SessionInfo, SessionRecord } from "../../../src/store/record.ts";
import { SessionStore } from "../../../src/store/session-store.ts";

/** Settles when it is the turn of whoever asks. Somebody else decides on the order. */
export type Turn = (what: string) => Promise<unknown>;

/**
 * A store at a distance: each call takes its time to get there, and its answer to come back. In
 * which order the calls of several requests arrive and are answered is for `turn` to say.
 */
export class ScheduledStore extends SessionStore {
  readonly #store: SessionStore;
  readonly #turn: Turn;

  constructor(store: SessionStore, turn: Turn) {
    super();
    this.#store = store;
    this.#turn = turn;
  }

  read(id: string): Promise<SessionRecord | ForwardingNote | undefined> {
    return travel(this.#turn, "read", () => this.#store.read(id));
  }

  create(id: string, record: SessionRecord): Promise<boolean> {
    return travel(this.#turn, "create", () => this.#store.create(id, record));
  }

  replace(id: string, record: SessionRecord, old: SessionRecord): Promise<boolean> {
    return travel(this.#turn, "replace", () => this.#store.replace(id, record, old));
  }

  rotate(
    oldId: string,
    newId: string,
    record: SessionRecord,
    old: SessionRecord,
  ): Promise<boolean> {
    return travel(this.#turn, "rotate", () => this.#store.rotate(oldId, newId, record, old));
  }

  touch(id: string, expiresAt: number): Promise<boolean> {
    return travel(this.#turn, "touch", () => this.#store.touch(id, expiresAt));
  }

  delete(id: string): Promise<string | undefined> {
    return travel(this.#turn, "delete", () => this.#store.delete(id));
  }

  list(userId: string, limit: number): Promise<readonly SessionInfo[]> {
    return travel(this.#turn, "list", () => this.#store.list(userId, limit));
  }

  deleteAll(
    userId: string,
    exceptId: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    return travel(this.#turn, "deleteAll", () => this.#store.deleteAll(userId, exceptId, limit));
  }

  sweep(limit: number, before?: number): Promise<number> {
    return travel(this.#turn, "sweep", () => this.#store.sweep(limit, before));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }
}

/** The same for a backend of two methods. */
class ScheduledBackend implements SessionBackend {
  readonly #backend: SessionBackend;
  readonly #turn: Turn;

  constructor(backend: SessionBackend, turn: Turn) {
    this.#backend = backend;
    this.#turn = turn;
  }

  load(sessionId: string): Promise<SessionData | null | undefined> {
    return travel(this.#turn, "load", () => this.#backend.load(sessionId));
  }

  save(sessionId: string, data: SessionData, timeout: number): Promise<unknown> {
    return travel(this.#turn, "save", () => this.#backend.save(sessionId, data, timeout));
  }
}

/** Puts a backend of either kind at a distance. */
export function scheduled(backend: SessionBackend, turn: Turn): SessionBackend {
  return backend instanceof SessionStore
    ? new ScheduledStore(backend, turn)
    : new ScheduledBackend(backend, turn);
}

async function travel<T>(turn: Turn, what: string, call: () => MaybePromise<T>): Promise<T> {
  await turn(`${what} arrives`);
  const answer = await call();
  await turn(`${what} is answered`);
  return answer;
}
