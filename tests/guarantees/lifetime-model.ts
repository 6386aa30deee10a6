/** How long sessions live in the tests of clocks, in milliseconds. No backend of theirs lives on less. */
export const IDLE = 30 * 60_000;
export const REMEMBERED = 2 * 60 * 60_000;
export const ABSOLUTE = 4 * 60 * 60_000;

/** What a request does to its session. */
export type Deed =
  "reads" | "writes" | "updates" | "regenerates" | "logs in" | "logs in, remembered" | "destroys";

/** What the cookie that a request answers with has to say. */
export type CookieNews = "none" | "an id" | "an id that outlives the browser" | "cleared";

/**
 * One visitor's session, told from the documentation alone: it ends when nobody has used it for its
 * idle timeout, and at the latest when its absolute lifetime is over. It counts as used when a request
 * comes later than a tenth of the idle timeout after it was last counted, and whenever it gets a new
 * id. Times are those of the server's clock, whatever that does.
 */
export class ModelSession {
  /** How often it was written; 0 while there is none. */
  count = 0;
  user: string | null = null;
  #isStored = false;
  #beganAt = 0;
  #usedAt = 0;
  #idle = IDLE;

  /** From this moment on it is absent. */
  get endsAt(): number {
    return Math.min(this.#usedAt + this.#idle, this.#beganAt + ABSOLUTE);
  }

  get lifetimeEndsAt(): number {
    return this.#beganAt + ABSOLUTE;
  }

  /** A request later than this counts as a use. */
  get freshUntil(): number {
    return this.#usedAt + this.#idle / 10;
  }

  get usedAt(): number {
    return this.#usedAt;
  }

  get beganAt(): number {
    return this.#beganAt;
  }

  /** Whether a request that begins now finds it. */
  isAliveAt(now: number): boolean {
    return this.#isStored && now < this.endsAt;
  }

  /** What had ended at `before` is removed. */
  sweep(before: number): void {
    if (!this.isAliveAt(before)) this.#isStored = false;
  }

  /** A request that began at `begun`, with a cookie or without, is answered at `now`. */
  serve(deed: Deed, begun: number, now: number, hasCookie: boolean): CookieNews {
    if (!this.isAliveAt(begun)) return this.#begin(deed, now, hasCookie);
    if (deed === "destroys") {
      this.#isStored = false;
      return "cleared";
    }
    const isLogin = deed.startsWith("logs in");
    // A login of the user whose session it was does not outlive its end.
    if (isLogin && (this.user === null || this.isAliveAt(now))) return this.#logIn(deed, now);
    // It ended while the request ran: what the request wrote has nowhere to go.
    if (!this.isAliveAt(now)) return "none";
    if (deed !== "reads") this.count++;
    const isUse = begun > this.freshUntil || (deed === "updates" && now > this.freshUntil);
    if (deed === "regenerates" || isUse) this.#usedAt = now;
    if (deed === "regenerates") return this.#idNews;
    return isUse && this.#isRemembered ? this.#idNews : "none";
  }

  /** Nothing is there. To read leaves it at that, and to destroy it clears the cookie for good. */
  #begin(deed: Deed, now: number, hasCookie: boolean): CookieNews {
    if (deed === "reads") return "none";
    if (deed === "destroys") {
      this.#isStored = false;
      return hasCookie ? "cleared" : "none";
    }
    this.count = 0;
    this.user = null;
    this.#idle = IDLE;
    if (deed.startsWith("logs in")) return this.#logIn(deed, now);
    this.count = 1;
    [this.#beganAt, this.#usedAt, this.#isStored] = [now, now, true];
    return "an id";
  }

  #logIn(deed: Deed, now: number): CookieNews {
    this.count++;
    const isKnown = this.user !== null;
    this.user = "ann";
    if (deed === "logs in, remembered") this.#idle = REMEMBERED;
    else if (!isKnown) this.#idle = IDLE;
    [this.#beganAt, this.#usedAt, this.#isStored] = [now, now, true];
    return this.#idNews;
  }

  get #isRemembered(): boolean {
    return this.#idle === REMEMBERED;
  }

  get #idNews(): CookieNews {
    return this.#isRemembered ? "an id that outlives the browser" : "an id";
  }
}
