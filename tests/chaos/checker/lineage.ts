import type { Exchange, History, Page, Promises } from "./history.ts";

/** In milliseconds: how long, at least, a superseded id still leads a logout to the session. */
const FORWARDED_FOR = 29_000;

const RENEWALS: ReadonlySet<Page> = new Set(["login", "regenerate", "renew"]);
const REVOCATIONS: ReadonlySet<Page> = new Set(["everywhere", "elsewhere"]);

/** Whether it may have given the session another id. */
export function mayRenew({ page }: Exchange): boolean {
  return RENEWALS.has(page);
}

/** Whether it may have ended the session. */
export function mayEnd(exchange: Exchange, lineage: Lineage): boolean {
  if (exchange.page === "logout" || exchange.page === "everywhere") return true;
  if (exchange.page !== "elsewhere") return false;
  if (!lineage.owns(exchange.cookie)) return true;
  // It spares the id that it was sent with, and not one that the session gets meanwhile.
  return lineage.attempts.some(
    (each) => mayRenew(each) && each.start < exchange.end && lineage.latest(each) > exchange.start,
  );
}

/** One session, through all ids that it has had, and what was asked of it. */
export class Lineage {
  readonly nonce: string;
  readonly device: string;
  readonly account: string;
  /** By the cookie that each of them answered with. */
  readonly issues = new Map<string, Exchange>();
  /** All requests that began it, or had one of its cookies. */
  readonly exchanges: Exchange[] = [];
  /** Those that say whether they have seen it, by when they began. */
  readonly sightings: Exchange[] = [];
  /** What may have ended it, or given it another id, revocations from elsewhere included. */
  readonly attempts: Exchange[] = [];
  /** Updates that may have been carried out. */
  readonly adds: Exchange[] = [];
  /** Writes of keys that may have been. */
  readonly writes: Exchange[] = [];
  /** Acknowledged ones. */
  readonly logins: Exchange[] = [];
  readonly renewals: Exchange[] = [];
  readonly ends: Exchange[] = [];
  readonly #promises: Promises;

  constructor(nonce: string, { device, account }: Exchange, promises: Promises) {
    this.nonce = nonce;
    this.device = device;
    this.account = account;
    this.#promises = promises;
  }

  owns(cookie: string | null): boolean {
    return cookie !== null && this.issues.has(cookie);
  }

  /** By when the request was carried out, if it was: never known of one that was not answered. */
  latest({ outcome, end }: Exchange): number {
    if (outcome === "answered") return end;
    return outcome === "refused" && this.#promises.isRefusalFinal ? end : Infinity;
  }

  /** Whether a write was acknowledged for good. */
  isKept(write: Exchange): boolean {
    if (write.answer === null) return false;
    if (write.page === "set") return true;
    // What a request leaves to be stored in its end is dropped if the session has ended or moved by then.
    return !this.attempts.some((each) => each.start < write.end && this.latest(each) > write.start);
  }

  /** Whether this logout has ended the session. */
  isEnd(logout: Exchange): boolean {
    const { answer, cookie, end } = logout;
    if (answer === null || cookie === null) return false;
    if (answer.nonce !== null) return true;
    const issue = this.issues.get(cookie);
    const renewals = this.attempts.filter(
      (each) =>
        mayRenew(each) && each.id !== issue?.id && this.latest(each) > (issue?.start ?? Infinity),
    );
    return renewals.every(({ start }) => start > end - FORWARDED_FOR);
  }
}

/** The sessions of a history. */
export class Lineages {
  readonly #byNonce = new Map<string, Lineage>();
  readonly #byCookie = new Map<string, Lineage>();

  constructor(history: History, promises: Promises) {
    for (const exchange of history) this.#noteIssue(exchange, promises);
    const byStart = history.toSorted((one, other) => one.start - other.start);
    for (const exchange of byStart) this.#noteExchange(exchange);
    this.#noteRevocations(byStart.filter(({ page }) => REVOCATIONS.has(page)));
    for (const lineage of this.all) {
      const logouts = lineage.attempts.filter(({ page }) => page === "logout");
      lineage.ends.push(...logouts.filter((logout) => lineage.isEnd(logout)));
    }
  }

  get all(): Lineage[] {
    return [...this.#byNonce.values()];
  }

  find(cookie: string | null): Lineage | undefined {
    return cookie === null ? undefined : this.#byCookie.get(cookie);
  }

  #noteIssue(exchange: Exchange, promises: Promises): void {
    const { issued, answer } = exchange;
    const nonce = answer?.after ?? answer?.nonce;
    if (issued === null || nonce === null || nonce === undefined) return;
    let lineage = this.#byNonce.get(nonce);
    if (lineage === undefined) {
      lineage = new Lineage(nonce, exchange, promises);
      this.#byNonce.set(nonce, lineage);
    }
    lineage.issues.set(issued, exchange);
    this.#byCookie.set(issued, lineage);
    if (exchange.page === "login") lineage.logins.push(exchange);
    if (this.find(exchange.cookie) === lineage) lineage.renewals.push(exchange);
    else lineage.exchanges.push(exchange);
  }

  #noteExchange(exchange: Exchange): void {
    const { page, outcome, answer } = exchange;
    const lineage = this.find(exchange.cookie);
    if (lineage === undefined || outcome === "unsent") return;
    lineage.exchanges.push(exchange);
    if (answer !== null) lineage.sightings.push(exchange);
    if (mayRenew(exchange) || page === "logout") lineage.attempts.push(exchange);
    const isWritten = answer === null || (answer.nonce !== null && answer.kept !== false);
    if (page === "add" && isWritten) lineage.adds.push(exchange);
    if ((page === "set" || page === "write") && isWritten) lineage.writes.push(exchange);
  }

  #noteRevocations(revocations: readonly Exchange[]): void {
    for (const lineage of this.all) {
      for (const revocation of revocations) {
        const { account, answer, outcome, page, cookie, start } = revocation;
        const isNothing = outcome === "unsent" || answer?.kept === false;
        if (account !== lineage.account || isNothing) continue;
        lineage.attempts.push(revocation);
        const isSpared = page === "elsewhere" && lineage.owns(cookie);
        const isDone = answer?.kept === true && !isSpared;
        const isLoggedIn = lineage.logins.some(({ end }) => end < start);
        if (isDone && isLoggedIn) lineage.ends.push(revocation);
      }
    }
  }
}
