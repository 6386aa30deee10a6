import { TestClient } from "../../src/testing/client.ts";

/** The longest pause of a visitor between two requests, in milliseconds. */
const PAUSE = 200;

/** A well-formed cookie that opens no session. */
const UNKNOWN_ID = "A".repeat(43);

const USERS = 50;

/** What one visitor does next, and how often in a hundred requests. */
const STEPS: readonly (readonly [
  weight: number,
  step: (client: TestClient) => Promise<Response>,
])[] = [
  [40, (client) => client.send("/visit")],
  [22, (client) => client.send("/read")],
  [12, (client) => client.post("/update")],
  [6, (client) => client.post(`/login?user=user-${Math.floor(Math.random() * USERS)}`)],
  [4, (client) => client.send("/notice")],
  [4, (client) => client.post("/renew")],
  [4, (client) => client.post("/logout")],
  [1, (client) => client.post("/everywhere")],
  // A visitor who never comes back: their session expires.
  [5, (client) => abandon(client).send("/visit")],
  [2, (client) => client.send("/read", { headers: { cookie: `session_id=${UNKNOWN_ID}` } })],
];

/** Visitors of a server, who use every feature of sessions to some extent. */
export class Traffic {
  requests = 0;
  /**
   * How many requests got a 503 or no response: on a busy machine the store may be late, and an idle
   * connection may be closed just when a request is sent.
   */
  unanswered = 0;
  /** Unexpected statuses of responses, and how often each occurred. */
  readonly faults = new Map<string, number>();
  #isOver = false;
  readonly #visitors: readonly Promise<void>[];

  constructor(url: string, visitors: number) {
    this.#visitors = Array.from({ length: visitors }, () => this.#visit(new TestClient(url)));
  }

  /** Settles once the last response has arrived. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visitors);
  }

  async #visit(client: TestClient): Promise<void> {
    while (!this.#isOver) {
      await Bun.sleep(Math.random() * PAUSE);
      this.requests++;
      try {
        const response = await pickStep()(client);
        await response.arrayBuffer();
        if (response.status === 503) this.unanswered++;
        else if (!response.ok) this.#count(`status ${response.status}`);
      } catch {
        this.unanswered++;
      }
    }
  }

  #count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }
}

function abandon(client: TestClient): TestClient {
  client.cookies.clear();
  return client;
}

function pickStep(): (client: TestClient) => Promise<Response> {
  let left = Math.random() * STEPS.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, step] of STEPS) {
    left -= weight;
    if (left < 0) return step;
  }
  return pickStep();
}
