import { Sessions } from "../../src/http/sessions.ts";
import type { SessionStore } from "../../src/store/session-store.ts";
import { Visitor } from "../support/visitor.ts";

type Random = (limit: number) => number;

interface Owner {
  readonly visitor: Visitor;
  /** The last number that the visitor has written, and how much was written beside it. */
  values: object;
}

const OWNERS = 6;

/**
 * Writes sessions, and keeps what all of them held after each commit: whatever a store holds later has
 * to be one of these states.
 */
export class Ledger {
  /** The states, as texts, and the number of the commit behind which each was seen last. */
  readonly #states = new Map<string, number>();
  readonly #owners: Owner[];
  /** Every id there ever was: those that were replaced or ended have to stay dead. */
  readonly #ids = new Set<string>();
  #commits = 0;

  constructor(store: SessionStore) {
    const sessions = new Sessions({ backend: store, sweepInterval: 0 });
    this.#owners = Array.from({ length: OWNERS }, () => ({
      visitor: new Visitor(sessions),
      values: {},
    }));
    this.#note();
  }

  /** How many commits there were. */
  get commits(): number {
    return this.#commits;
  }

  /** One commit: several visitors at once, each with a write of its own. */
  async commit(random: Random): Promise<void> {
    this.#commits++;
    const first = random(OWNERS);
    const busy = Array.from({ length: 1 + random(3) }, (_, index) => first + index);
    await Promise.all(busy.map((index) => this.#write(this.#owners[index % OWNERS], random)));
    this.#note();
  }

  /** The number of the commit behind which a store was left like this; -1 if there is none. */
  async find(store: SessionStore): Promise<number> {
    const sessions = new Sessions({ backend: store, sweepInterval: 0 });
    const rows: [id: string, values: object][] = [];
    for (const id of this.#ids) {
      const request = new Request("http://localhost/", { headers: { cookie: `session_id=${id}` } });
      const { arrived, session } = await sessions.open(request);
      if (arrived.at === "store") rows.push([id, { ...session }]);
    }
    await sessions.close();
    return this.#states.get(serialize(rows)) ?? -1;
  }

  async #write(owner: Owner | undefined, random: Random): Promise<void> {
    if (owner === undefined) return;
    const { visitor } = owner;
    const choice = visitor.hasCookie ? random(8) : 2;
    const values = { commit: this.#commits, ballast: "x".repeat(random(6000)) };
    await visitor.visit((session) => {
      if (choice === 0) session.destroy();
      else Object.assign(session, values);
      if (choice === 1) session.regenerate();
    });
    owner.values = values;
  }

  #note(): void {
    const rows: [id: string, values: object][] = [];
    for (const { visitor, values } of this.#owners) {
      if (!visitor.hasCookie) continue;
      this.#ids.add(visitor.id);
      rows.push([visitor.id, values]);
    }
    this.#states.set(serialize(rows), this.#commits);
  }
}

function serialize(rows: readonly [id: string, values: object][]): string {
  return JSON.stringify(rows.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
