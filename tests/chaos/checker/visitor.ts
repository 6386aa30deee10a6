import type { Client } from "./client.ts";
import type { Exchange, Page } from "./history.ts";
import { KEYS } from "./history.ts";

/** Whole numbers below the limit. */
type Random = (limit: number) => number;

/** In milliseconds: a visitor waits for less than that between two requests. */
const PAUSE = 25;

type Habits = readonly (readonly [weight: number, page: Page | "forget"])[];

/** What a visitor with a cookie does, and how often in a hundred requests. */
const HABITS: Habits = [
  [30, "add"],
  [13, "set"],
  [13, "write"],
  [22, "read"],
  [4, "regenerate"],
  [4, "renew"],
  [6, "login"],
  [4, "logout"],
  [1, "everywhere"],
  [1, "elsewhere"],
  [2, "forget"],
];

/** The same in several tabs at once: more of what must not come between each other. */
const RUSH: Habits = [
  [25, "add"],
  [11, "set"],
  [11, "write"],
  [10, "read"],
  [9, "regenerate"],
  [9, "renew"],
  [11, "login"],
  [10, "logout"],
  [8, "everywhere"],
];

/** A cookie that was handed out, and to whom. */
export interface KnownCookie {
  readonly cookie: string;
  readonly device: string;
  readonly account: string;
}

/** A browser with its cookie jar, now and then with several tabs at work, until it is told to end. */
export class Visitor {
  readonly #client: Client;
  readonly #device: string;
  readonly #account: string;
  readonly #known: KnownCookie[];
  readonly #random: Random;
  #cookie: string | null = null;
  #written = 0;

  /** `known` is where each cookie is noted that the visitor gets. */
  constructor(
    client: Client,
    device: string,
    account: string,
    known: KnownCookie[],
    random: Random,
  ) {
    this.#client = client;
    this.#device = device;
    this.#account = account;
    this.#known = known;
    this.#random = random;
  }

  async visit(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await Bun.sleep(this.#random(PAUSE));
      if (this.#random(3) > 0) await this.#act(HABITS);
      else await Promise.all(Array.from({ length: 2 + this.#random(2) }, () => this.#act(RUSH)));
    }
  }

  async #act(habits: Habits): Promise<void> {
    const page = this.#choose(habits);
    if (page === "forget") this.#cookie = null;
    else this.#learn(await this.#send(page));
  }

  #choose(habits: Habits): Page | "forget" {
    if (this.#cookie === null) return this.#random(3) === 0 ? "login" : "begin";
    let left = this.#random(habits.reduce((sum, [weight]) => sum + weight, 0));
    return habits.find(([weight]) => (left -= weight) < 0)?.[1] ?? "read";
  }

  #send(page: Page): Promise<Exchange> {
    const order = {
      device: this.#device,
      account: this.#account,
      server: this.#random(this.#client.servers),
      page,
      cookie: this.#cookie,
    };
    const value = `${this.#device}-${this.#written++}`;
    if (page === "begin" || page === "login") return this.#client.send({ ...order, value });
    if (page !== "set" && page !== "write") return this.#client.send(order);
    const key = KEYS[this.#random(KEYS.length)] ?? "a";
    return this.#client.send({ ...order, key, value });
  }

  #learn({ cookie, answer, issued, isCleared }: Exchange): void {
    if (issued !== null) {
      this.#cookie = issued;
      this.#known.push({ cookie: issued, device: this.#device, account: this.#account });
    } else if (isCleared) this.#cookie = null;
    // Signed out: now and then a visitor logs in with the old cookie still in the jar.
    else if (answer?.nonce === null && cookie === this.#cookie && this.#random(3) > 0) {
      this.#cookie = null;
    }
  }
}

/** Tries cookies that were handed out at some time, until it is told to end. */
export async function replay(
  client: Client,
  known: readonly KnownCookie[],
  random: Random,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    await Bun.sleep(random(PAUSE));
    const old = known[random(Math.max(1, known.length))];
    if (old === undefined) continue;
    await client.send({ ...old, server: random(client.servers), page: "read" });
  }
}

/**
 * Tries each cookie once more, until it is answered.
 *
 * @throws Error if one is not answered for so many milliseconds.
 */
export async function replayAll(
  client: Client,
  known: readonly KnownCookie[],
  random: Random,
  patience: number,
): Promise<void> {
  const left = [...known];
  const work = async (): Promise<void> => {
    for (let old = left.pop(); old !== undefined; old = left.pop()) {
      const deadline = performance.now() + patience;
      for (;;) {
        const server = random(client.servers);
        const { outcome, detail } = await client.send({ ...old, server, page: "read" });
        if (outcome === "answered" || outcome === "odd") break;
        if (performance.now() > deadline) {
          throw new Error(`All faults are over, and server ${server} still answers ${detail}.`);
        }
        await Bun.sleep(PAUSE);
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
}
