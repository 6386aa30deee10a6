import type { Sight } from "./serial-sessions.ts";

/** What has to hold in whatever order requests are served. */
export const RULES = {
  destroyed: "reads of a session after its destroy() or revoke was acknowledged",
  left: "reads with an id after its regenerate() or login() was acknowledged",
  after: "sights of what was stored under a later id, or as another user",
  lost: "acknowledged writes of different keys lost",
  cookie: "responses with two session cookies, or the wrong one",
  order: "histories that no order of single steps explains",
} as const;

export type Rule = keyof typeof RULES;

/** What was seen with an id. */
interface Look {
  readonly handle: string;
  readonly values: readonly string[];
}

/**
 * Keeps what clients were told about sessions, and compares with it what they see. Knows nothing of
 * how sessions are stored.
 */
export class SessionLedger {
  /** How often there was occasion for a rule to be broken. */
  readonly occasions: Record<Rule, number> = {
    destroyed: 0,
    left: 0,
    after: 0,
    lost: 0,
    cookie: 0,
    order: 0,
  };
  /** Each begins with the name of the rule that was broken. */
  readonly faults: string[] = [];
  readonly #deaths = new Map<
    string,
    { readonly rule: "destroyed" | "left"; readonly at: number }
  >();
  readonly #owners = new Map<string, string | null>();
  /** From which id a session came to this one. */
  readonly #former = new Map<string, string>();
  /** Under which id each value was stored. */
  readonly #homes = new Map<string, string>();
  readonly #looks: Look[] = [];

  /** Counts an occasion for a rule to be broken, and notes if it was. */
  check(rule: Rule, holds: boolean, fault: () => string): void {
    this.occasions[rule]++;
    if (!holds) this.faults.push(`${rule}: ${fault()}`);
  }

  /** Somebody was told that this session, or this id of it, has ended. */
  ended(rule: "destroyed" | "left", handle: string, at: number): void {
    if (!this.#deaths.has(handle)) this.#deaths.set(handle, { rule, at });
  }

  /** Somebody was told that values were stored under this id, whoever it belongs to. */
  stored(handle: string, userId: string | null, values: readonly string[]): void {
    if (!this.#owners.has(handle)) this.#owners.set(handle, userId);
    for (const value of values) this.#homes.set(value, handle);
  }

  /** Somebody was told that a session has a new id. */
  moved(from: string, to: string): void {
    this.#former.set(to, from);
  }

  /** The user's sessions, as far as anybody was told of them. */
  findSessions(userId: string): string[] {
    return [...this.#owners].flatMap(([handle, owner]) => (owner === userId ? [handle] : []));
  }

  /** A request that began at this tick, with this id, has seen this. */
  saw(handle: string, begun: number, sight: Sight): void {
    const death = this.#deaths.get(handle);
    if (death !== undefined && death.at < begun) {
      const isNothing =
        sight.handle === null && sight.userId === null && Object.keys(sight.data).length === 0;
      this.check(death.rule, isNothing, () => `${JSON.stringify(sight)} was still there`);
    }
    if (sight.handle === null) return;
    const owner = this.#owners.get(handle) ?? null;
    this.check("after", sight.userId === owner, () => `${owner}'s id showed ${sight.userId}`);
    this.#looks.push({ handle, values: valuesIn(sight.data) });
  }

  /** At the end, when it is known where everything was stored: has anybody looked ahead? */
  checkLooks(): void {
    for (const { handle, values } of this.#looks) {
      const ahead = values.filter((value) => this.#isLater(this.#homes.get(value), handle));
      this.check("after", ahead.length === 0, () => `${ahead.join()} came to an earlier id`);
    }
  }

  #isLater(home: string | undefined, handle: string): boolean {
    let former = home === undefined ? undefined : this.#former.get(home);
    while (former !== undefined && former !== handle) former = this.#former.get(former);
    return former === handle;
  }
}

/** Values that requests write look like this, so that they are found wherever they turn up. */
export function toValue(request: number, step: number): string {
  return `<${request}.${step}>`;
}

function valuesIn(data: object): string[] {
  return JSON.stringify(data).match(/<\d+\.\d+>/g) ?? [];
}
