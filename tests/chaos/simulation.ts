import { pick, seededRandom } from "../support/arbitraries/random.ts";
import type { Exchange, History, Page } from "./checker/history.ts";
import { KEYS } from "./checker/history.ts";

const DEVICES = 4;
const REQUESTS = 400;
/** In a hundred answers so many are lost, and so many are a 503, half of them after their work was done. */
const TROUBLE = { lost: 6, refused: 6 };
/** A fault occurs in one of so many requests that could have it. */
const RARITY = 4;

const PAGES: readonly Page[] = [
  ...(["add", "add", "add", "add", "set", "set", "write", "read", "read", "read"] as const),
  ...(["regenerate", "renew", "login", "login", "logout", "everywhere", "elsewhere"] as const),
];

/** What a service may do wrong. */
export type Mistake =
  | "loses updates"
  | "adds twice"
  | "adds after a 503"
  | "tells two updates the same"
  | "loses writes"
  | "invents values"
  | "keeps sessions that were logged out"
  | "keeps sessions that were revoked"
  | "keeps old ids"
  | "shows another session"
  | "forgets logins"
  | "drops sessions"
  | "answers with 500";

interface Session {
  readonly nonce: string;
  readonly owner: string;
  user: string | null;
  count: number;
  values: Record<string, string>;
}

/** A request on its way: sent, opened, carried out, and answered. */
interface Flight {
  readonly order: Omit<Exchange, "end" | "outcome" | "detail" | "answer" | "issued" | "isCleared">;
  stage: "sent" | "opened" | "done";
  seen?: Session | undefined;
  kept: boolean;
  counted: number;
  issued: string | null;
  after: string | null;
}

/**
 * The history of a service that is imagined, with several requests under way at once; a right one, but for
 * the mistake. The same seed makes the same history.
 */
export function simulate(seed: number, mistake?: Mistake): History {
  const service = new Service(seed, mistake);
  while (service.history.length < REQUESTS) service.step();
  service.tryAll();
  return service.history;
}

class Service {
  readonly history: Exchange[] = [];
  readonly #random: (limit: number) => number;
  readonly #mistake: Mistake | undefined;
  readonly #sessions = new Map<string, Session>();
  readonly #notes = new Map<string, string>();
  readonly #jars = new Map<string, string>();
  readonly #cookies: { cookie: string; device: string }[] = [];
  readonly #late: Session[] = [];
  #flights: Flight[] = [];
  #clock = 0;
  #made = 0;

  constructor(seed: number, mistake: Mistake | undefined) {
    this.#random = seededRandom(seed);
    this.#mistake = mistake;
  }

  step(): void {
    this.#clock++;
    if (this.#flights.length < 6 && this.#random(3) === 0) {
      const device = this.#random(DEVICES);
      const cookie = this.#jars.get(`device-${device}`) ?? null;
      this.#send(device, cookie === null ? "begin" : pick(PAGES, this.#random), cookie);
    } else if (this.#flights.length > 0) this.#advance(pick(this.#flights, this.#random));
    const late = this.#random(20) === 0 ? this.#late.pop() : undefined;
    if (late !== undefined) late.count++;
    if (this.#errs("drops sessions", 50)) {
      const id = [...this.#sessions.keys()][0];
      if (id !== undefined) this.#sessions.delete(id);
    }
  }

  tryAll(): void {
    while (this.#flights[0] !== undefined) this.#advance(this.#flights[0]);
    for (const late of this.#late.splice(0)) late.count++;
    for (const { cookie, device } of this.#cookies) {
      this.#send(Number(device.slice("device-".length)), "read", cookie);
      while (this.#flights[0] !== undefined) this.#advance(this.#flights[0]);
    }
  }

  #send(index: number, page: Page, cookie: string | null): void {
    const write = page === "set" || page === "write" ? { key: pick(KEYS, this.#random) } : {};
    const order = {
      id: -1,
      device: `device-${index}`,
      account: `account-${index >> 1}`,
      server: 0,
      page,
      cookie,
      value: `value-${this.#made++}`,
      start: this.#clock++,
      ...write,
    };
    const nothing = { kept: false, counted: 0, issued: null, after: null };
    this.#flights.push({ order, stage: "sent", ...nothing });
  }

  #advance(flight: Flight): void {
    this.#clock++;
    if (flight.stage === "sent") {
      flight.seen = structuredClone(this.#open(flight.order.cookie));
      flight.stage = "opened";
    } else if (flight.stage === "opened") {
      const trouble = this.#random(100);
      const isInTrouble = trouble < TROUBLE.lost + TROUBLE.refused;
      if (!isInTrouble || this.#random(2) === 0) this.#carryOut(flight);
      flight.stage = "done";
      if (!isInTrouble) return;
      this.#end(flight, trouble < TROUBLE.lost ? "lost" : "refused");
    } else this.#end(flight, this.#errs("answers with 500") ? "odd" : "answered");
  }

  #open(cookie: string | null): Session | undefined {
    if (cookie === null) return undefined;
    if (this.#errs("shows another session"))
      return pick([...this.#sessions.values()], this.#random);
    return this.#sessions.get(cookie);
  }

  #carryOut(flight: Flight): void {
    const { page, cookie, account, value = "", key = "a" } = flight.order;
    const session = this.#sessions.get(cookie ?? "");
    const isOpen = session !== undefined && flight.seen !== undefined;
    switch (page) {
      case "add":
        if (isOpen) this.#add(flight, session);
        break;
      case "set":
      case "write":
        flight.kept = isOpen;
        if (isOpen && !this.#errs("loses writes")) session.values[key] = value;
        break;
      case "regenerate":
      case "renew":
        flight.kept = isOpen;
        if (isOpen) flight.issued = this.#move(cookie ?? "", session);
        break;
      case "begin":
        this.#create(flight, null);
        break;
      case "login":
        this.#logIn(flight);
        break;
      case "logout":
        if (!this.#errs("keeps sessions that were logged out")) {
          this.#sessions.delete(this.#follow(cookie ?? ""));
        }
        break;
      case "everywhere":
      case "elsewhere":
        if (flight.seen === undefined || flight.seen.user === null) break;
        flight.kept = true;
        if (!this.#errs("keeps sessions that were revoked"))
          this.#revoke(account, page === "elsewhere" ? cookie : null);
    }
  }

  #add(flight: Flight, session: Session): void {
    flight.kept = true;
    flight.counted = this.#errs("tells two updates the same") ? session.count : session.count + 1;
    if (!this.#errs("loses updates")) session.count++;
    if (this.#errs("adds twice")) session.count++;
  }

  #logIn(flight: Flight): void {
    const { cookie, account } = flight.order;
    const id = this.#follow(cookie ?? "");
    const session = this.#sessions.get(id);
    if (session === undefined) {
      // One that was the user's, and was ended meanwhile, stays ended.
      if (flight.seen?.user !== account) this.#create(flight, account);
      return;
    }
    if (!this.#errs("forgets logins")) session.user = account;
    flight.kept = true;
    flight.after = session.nonce;
    flight.issued = this.#move(id, session);
  }

  #create(flight: Flight, user: string | null): void {
    const { device, value: nonce = "" } = flight.order;
    const session = { nonce, owner: device, user, count: 0, values: {} };
    flight.kept = true;
    flight.after = nonce;
    flight.issued = this.#issue(session);
  }

  #move(id: string, session: Session): string {
    const issued = this.#issue(session);
    if (!this.#errs("keeps old ids")) this.#sessions.delete(id);
    this.#notes.set(id, issued);
    return issued;
  }

  #issue(session: Session): string {
    const cookie = `cookie-${this.#made++}`;
    this.#sessions.set(cookie, session);
    return cookie;
  }

  #follow(cookie: string): string {
    const next = this.#sessions.has(cookie) ? undefined : this.#notes.get(cookie);
    return next === undefined ? cookie : this.#follow(next);
  }

  #revoke(account: string, except: string | null): void {
    for (const [id, { user }] of this.#sessions) {
      if (user === account && id !== except) this.#sessions.delete(id);
    }
  }

  #end(flight: Flight, outcome: Exchange["outcome"]): void {
    this.#flights = this.#flights.filter((each) => each !== flight);
    const { order, seen, kept, counted, issued, after } = flight;
    const isAnswered = outcome === "answered";
    const session = this.#sessions.get(order.cookie ?? "");
    if (outcome === "refused" && order.page === "add" && session !== undefined) {
      if (this.#mistake === "adds after a 503" && !kept) this.#late.push(session);
    }
    const values = { ...seen?.values, ...(this.#errs("invents values") ? { a: "nothing" } : {}) };
    const answer = {
      nonce: seen?.nonce ?? null,
      owner: seen?.owner ?? null,
      user: seen?.user ?? null,
      count: seen?.count ?? 0,
      values,
      ...(order.page === "write" ? {} : { kept }),
      ...(order.page === "add" && kept ? { counted } : {}),
      ...(after === null ? {} : { after }),
    };
    this.history.push({
      ...order,
      id: this.history.length,
      end: this.#clock,
      outcome,
      detail: outcome,
      answer: isAnswered ? answer : null,
      issued: isAnswered ? issued : null,
      isCleared: isAnswered && order.page === "logout",
    });
    if (!isAnswered) return;
    if (issued !== null) this.#cookies.push({ cookie: issued, device: order.device });
    if (order.page === "logout") this.#jars.delete(order.device);
    // Without a session the visitor begins anew, but for a while tries the old cookie.
    else if (seen === undefined && issued === null && this.#random(2) === 0) {
      this.#jars.delete(order.device);
    } else if (issued !== null) this.#jars.set(order.device, issued);
  }

  #errs(mistake: Mistake, rarity = RARITY): boolean {
    return this.#mistake === mistake && this.#random(rarity) === 0;
  }
}
