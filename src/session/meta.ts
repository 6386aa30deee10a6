import type { SessionRecord } from "../store/record.ts";
import type { Login, Place } from "./life.ts";
import type { SessionMeta } from "./session.ts";

/** A snapshot of a session's facts: what `session.meta` returns. */
export class SessionFacts implements SessionMeta {
  readonly isNew: boolean;
  readonly lapsed: boolean;
  readonly handle: string | null;
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly userId: string | null;
  readonly authenticatedAt: number | null;
  readonly #now: number;

  /**
   * `login` is a login that is still to be stored, `userId` the stored session's user, and `now`
   * the present time in Unix milliseconds.
   */
  constructor(
    arrived: Place,
    place: Place,
    login: Login | undefined,
    userId: string | null,
    now: number,
  ) {
    const record: SessionRecord | undefined = place.at === "store" ? place.record : undefined;
    this.isNew = record === undefined;
    this.lapsed = arrived.at === "superseded" || (arrived.at === "lapsed" && arrived.isId);
    this.handle = place.at === "store" ? place.key : null;
    this.createdAt = record?.createdAt ?? null;
    this.expiresAt = record?.expiresAt ?? null;
    this.userId = login?.userId ?? userId;
    this.authenticatedAt = login?.at ?? record?.authenticatedAt ?? null;
    this.#now = now;
  }

  authenticatedWithin(seconds: number): boolean {
    return this.authenticatedAt !== null && this.#now - this.authenticatedAt <= seconds * 1000;
  }
}
