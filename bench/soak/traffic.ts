import { TestClient } from "../../src/testing/client.ts";

/** In milliseconds: a visitor waits up to so long between two requests. */
const PAUSE = 200;

/** A cookie of the right form that opens nothing. */
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
  // A visitor who never comes back leaves a session behind, which expires.
  [5, (client) => abandon(client).send("/visit")],
  [2, (client) => client.send("/read", { headers: { cookie: `session_id=${UNKNOWN_ID}` } })],
];

/** Visitors of a server, with some of everything that sessions are for. */
export class Traffic {
  requests = 0;
  /**
   * How often there was a 503, or none at all: the store may be late on a machine that others keep busy, and
   * a connection be closed for want of use just when a request is sent.
   */
  unanswered = 0;
  /** Statuses of answers that should not have been, and how often each came. */
  readonly faults = new Map<string, number>();
  #isOver = false;
  readonly #visitors: readonly Promise<void>[];

  constructor(url: string, visitors: number) {
    this.#visitors = Array.from({ length: visitors }, () => this.#visit(new TestClient(url)));
  }

  /** Settles once the last answer is there. */
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
