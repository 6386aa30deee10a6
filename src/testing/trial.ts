import type { SessionBackend, SessionData } from "../store/backend.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import type { SessionStore } from "../store/session-store.ts";
import { isSessionStore } from "../store/session-store.ts";
import { MovableClock } from "./clock.ts";
import { randomId } from "./records.ts";

/** Makes a backend, which may go by this clock. */
export type Create<Backend> = (now: () => number) => MaybePromise<Backend>;

/**
 * What one test has to itself: a backend, a clock, and ids that nobody else uses. Nothing is
 * left of it in the end.
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

  /** An id for a session; the one given, if a test makes it up by itself. */
  newId(id = randomId()): string {
    this.#ids.push(id);
    return id;
  }

  /** A second backend, as another process would have one. Whether the two share is up to `create`. */
  async another(): Promise<Backend> {
    const other = await this.#create(this.clock.now);
    this.#opened.push(other);
    return other;
  }

  /** The data under an id; `{}` for none, however the backend says so. */
  async load(id: string): Promise<SessionData> {
    return (await this.backend.load(id)) ?? {};
  }

  /** Removes what the test has stored, and closes. Failures of that have tests of their own. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.#opened) {
      await Promise.allSettled(this.#ids.map(async (id) => backend.save(id, {}, 0)));
    }
    await Promise.allSettled(this.#opened.map(close));
  }
}

/** Begins a trial of the backend that `create` makes for it. */
export async function beginTrial<Backend extends SessionBackend>(
  create: Create<Backend>,
): Promise<Trial<Backend>> {
  const clock = new MovableClock();
  return new Trial(await create(clock.now), clock, create);
}

/**
 * The same, but refuses to make one store twice.
 *
 * @throws Error for a store that it has made before.
 */
export function neverTwice(create: Create<SessionBackend>): Create<SessionBackend> {
  const made = new WeakSet<SessionStore>();
  return async (now) => {
    const backend = await create(now);
    if (!isSessionStore(backend)) return backend;
    if (made.has(backend)) {
      throw new Error(
        "`create` has returned the same store twice. It has to make a new one each time: every test closes its own.",
      );
    }
    made.add(backend);
    return backend;
  };
}

async function close(backend: SessionBackend): Promise<void> {
  if (isSessionStore(backend)) await backend.close();
}
