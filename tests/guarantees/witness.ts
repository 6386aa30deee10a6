import { expect } from "bun:test";

import type { Fetcher } from "../../src/testing/client.ts";
import { TestClient } from "../../src/testing/client.ts";

/** The connection broke: whether the server has done what was asked is open. */
class ServerGone extends Error {}

/** What the page `/` of tests/support/processes/children/serve.ts says of a session. */
interface Page {
  readonly user: string | null;
  readonly values: Readonly<Record<string, number>>;
}

const NOTHING: Page = { user: null, values: {} };
const KEYS = ["a", "b", "c"] as const;

/**
 * A browser that writes down what was acknowledged to it, and outlives the server. Sets keys of its
 * session to ever greater numbers; now and then it gets a new id, logs in, or ends the session.
 */
export class Witness {
  /** How many changes were acknowledged. */
  changes = 0;
  /** What it found wrong. */
  readonly lost: string[] = [];
  readonly revived: string[] = [];
  /** Browsers with ids that were acknowledged to be dead: since the last check, and ever. */
  ended: TestClient[] = [];
  readonly allEnded: TestClient[] = [];

  readonly #user: string;
  readonly #server: Fetcher;
  #client: TestClient;
  /** The last number that was sent, and by key those that were acknowledged. */
  #sent = 0;
  #acknowledged = new Map<string, number>();
  #loggedIn = false;
  /** A request is under way after which the session goes on under another id, or not at all. */
  #mayBeGone = false;

  constructor(user: string, server: Fetcher) {
    this.#user = user;
    this.#server = server;
    this.#client = new TestClient(server);
  }

  /** Works until the server is gone. */
  async run(random: (limit: number) => number): Promise<void> {
    try {
      for (;;) await this.#step(random);
    } catch (error) {
      if (!(error instanceof ServerGone)) throw error;
    }
  }

  /** Compares what the server knows, after a restart, with what it acknowledged. */
  async check(): Promise<void> {
    for (const client of this.ended) await this.#checkEnded(client);
    this.ended = [];
    const { user, values } = await look(this.#client);
    const isThere = Object.keys(values).length > 0 || user !== null;
    if (isThere || !this.#mayBeGone) this.#compare(user, values);
    this.#mayBeGone = false;
    if (isThere) this.#acknowledged = new Map(Object.entries(values));
    else this.#forget();
  }

  async #checkEnded(client: TestClient): Promise<void> {
    const page = await look(client);
    if (!Bun.deepEquals(page, NOTHING)) this.revived.push(JSON.stringify(page));
  }

  #compare(user: string | null, values: Page["values"]): void {
    for (const [key, acknowledged] of this.#acknowledged) {
      const value = values[key] ?? 0;
      if (value >= acknowledged && value <= this.#sent) continue;
      this.lost.push(`${key} is ${value}, ${acknowledged} was acknowledged, ${this.#sent} sent`);
    }
    if (this.#loggedIn && user !== this.#user) this.lost.push(`the login is ${user}`);
  }

  async #step(random: (limit: number) => number): Promise<void> {
    const choice = random(20);
    if (this.#client.sessionId === undefined || choice > 2)
      return this.#set(KEYS[random(3)] ?? "a");
    if (choice === 0) return this.#end();
    await this.#replaceId(choice === 1 ? "/regenerate" : `/login/${this.#user}`);
  }

  async #set(key: string): Promise<void> {
    this.#sent++;
    const value = this.#sent;
    await this.#ask(`/set/${key}/${value}`, () => this.#acknowledged.set(key, value));
  }

  async #end(): Promise<void> {
    const former = this.#client.clone();
    this.#mayBeGone = true;
    await this.#ask("/end", () => {
      this.#bury(former);
      this.#forget();
    });
  }

  async #replaceId(path: string): Promise<void> {
    const former = this.#client.clone();
    this.#mayBeGone = true;
    await this.#ask(path, () => {
      this.#bury(former);
      this.#loggedIn ||= path !== "/regenerate";
    });
  }

  /** A change is acknowledged by the first byte of the answer. */
  async #ask(path: string, acknowledge: () => void): Promise<void> {
    const response = await this.#client.send(path);
    expect(response.status).toBe(200);
    this.changes++;
    this.#mayBeGone = false;
    acknowledge();
    await response.text().catch(gone);
  }

  #bury(former: TestClient): void {
    this.ended.push(former);
    this.allEnded.push(former);
  }

  #forget(): void {
    this.#client = new TestClient(this.#server);
    this.#acknowledged = new Map();
    this.#loggedIn = false;
  }
}

async function look(client: TestClient): Promise<Page> {
  const response = await client.send("/");
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

/** For a `fetch` that fails: says that it was the connection. */
export function gone(cause: unknown): never {
  throw new ServerGone("The connection broke.", { cause });
}
