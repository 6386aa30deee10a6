import type { SessionBackend, SessionData } from "../store/backend.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import type { SessionStore } from "../store/session-store.ts";
import { isSessionStore } from "../store/session-store.ts";
import { MovableClock } from "./clock.ts";
import { randomId } from "./records.ts";

/** Creates a backend, which may use this clock. */
export type Create<Backend> = (now: () => number) => MaybePromise<Backend>;

/**
 * The fixture of one test: its own backend, its own clock, and ids that no other test uses.
 * Disposal removes everything that was stored under the ids.
 */
export class Trial<Backend extends SessionBackend = SessionBackend> implements AsyncDisposable {
  readonly backend: Backend;
  readonly clock: MovableClock;
  readonly #create: Create<Backend>;
  readonly #opened: Backend[];
  readonly #ids: string[] = [];

  constructor(backend: Backend, clock: MovableClock, create: Create<Backend>) {
    this.backend = backend;
    this.clock = clock;
    this.#create = create;
    this.#opened = [backend];
  }

  /** Returns a new session id and registers it for removal; a test may pass its own. */
  newId(id = randomId()): string {
    this.#ids.push(id);
    return id;
  }

  /**
   * A second backend, as another process would have. Whether it shares sessions with the first
   * depends on `create`.
   */
  async another(): Promise<Backend> {
    const other = await this.#create(this.clock.now);
    this.#opened.push(other);
    return other;
  }

  /** The data under an id; `{}` for none, in whichever way the backend reports that. */
  async load(id: string): Promise<SessionData> {
    return (await this.backend.load(id)) ?? {};
  }

  /**
   * Removes what the test has stored, and closes the backends. Ignores failures, which have tests
   * of their own.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.#opened) {
      await Promise.allSettled(this.#ids.map(async (id) => backend.save(id, {}, 0)));
    }
    await Promise.allSettled(this.#opened.map(close));
  }
}

/** Begins a trial with a backend that `create` makes for it. */
export async function beginTrial<Backend extends SessionBackend>(
  create: Create<Backend>,
): Promise<Trial<Backend>> {
  const clock = new MovableClock();
  return new Trial(await create(clock.now), clock, create);
}

/**
 * Wraps `create` to refuse a store that it has returned before.
 *
 * @throws Error for such a store.
 */
export function neverTwice(create: Create<SessionBackend>): Create<SessionBackend> {
  const made = new WeakSet<SessionStore>();
  return async (now) => {
    const backend = await create(now);
    if (!isSessionStore(backend)) return backend;
    if (made.has(backend)) {
      throw new Error(
        "`create` returned the same store twice. Make it return a new store each time: every test closes its own.",
      );
    }
    made.add(backend);
    return backend;
  };
}

async function close(backend: SessionBackend): Promise<void> {
  if (isSessionStore(backend)) await backend.close();
}
