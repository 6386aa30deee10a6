import type { SessionInfo } from "../store/record.ts";

/** The maximum number of sessions that one login ends. */
const TRIM_BATCH = 100;

/** How many sessions beyond `maxPerUser` one login ranks, to end the least recently used of them. */
const TRIM_WINDOW = 1_000;

/** How many completed logins are kept. Only those of the same millisecond matter. */
const MAX_COMPLETED = 1_000;

/** When a login of this process began and was completed, in steps of `steps`. */
interface Span {
  readonly begun: number;
  readonly done: number;
}

let steps = 0;

/** The latest completed logins of this process, by handle, the latest last. */
const completed = new Map<string, Span>();

/**
 * One login's part in keeping a user's sessions within `maxPerUser`. Create it before the login is
 * stored.
 *
 * Concurrent logins must not end each other's sessions, whichever process serves them. So all rank
 * the sessions alike: by their last use, and within a millisecond by handle, unless this process
 * has seen one login end before the next began.
 */
export class UserLimit {
  readonly #maxPerUser: number;
  readonly #begun = ++steps;

  constructor(maxPerUser: number) {
    this.#maxPerUser = maxPerUser;
  }

  /** How many of the user's sessions have to be listed. */
  get listed(): number {
    return this.#maxPerUser + TRIM_WINDOW;
  }

  /**
   * Returns the handles of the sessions to end: of those beyond the limit, the least recently used.
   * The login's own session is spared unless as many later logins as the limit allows are stored.
   */
  findSurplus(sessions: readonly SessionInfo[], handle: string, now: number): readonly string[] {
    if (sessions.length <= this.#maxPerUser) return [];
    const ranked = sessions.toSorted((one, other) => this.#compare(one, other, handle));
    const rank = ranked.findIndex((session) => session.handle === handle);
    const later = ranked.slice(0, Math.max(rank, 0)).filter((session) => isLogin(session, now));
    const surplus = ranked.slice(this.#maxPerUser).map((session) => session.handle);
    return surplus
      .filter((each) => each !== handle || later.length >= this.#maxPerUser)
      .slice(-TRIM_BATCH);
  }

  /** Records that the login has ended what it had to. */
  complete(handle: string): void {
    completed.set(handle, { begun: this.#begun, done: ++steps });
    if (completed.size <= MAX_COMPLETED) return;
    const [first = ""] = completed.keys();
    completed.delete(first);
  }

  #compare(one: SessionInfo, other: SessionInfo, handle: string): number {
    if (one.touchedAt !== other.touchedAt) return other.touchedAt - one.touchedAt;
    if (this.#precedes(one.handle, other.handle, handle)) return 1;
    if (this.#precedes(other.handle, one.handle, handle)) return -1;
    return one.handle < other.handle ? 1 : -1;
  }

  #precedes(one: string, other: string, own: string): boolean {
    const begun = other === own ? this.#begun : completed.get(other)?.begun;
    const done = completed.get(one)?.done;
    return begun !== undefined && done !== undefined && done < begun;
  }
}

/**
 * Whether a session is as its login left it. One that was used since belongs to a login that ends
 * nothing any more; one from the future comes from a process with a fast clock, and proves nothing.
 */
function isLogin({ createdAt, touchedAt }: SessionInfo, now: number): boolean {
  return createdAt === touchedAt && touchedAt <= now;
}
