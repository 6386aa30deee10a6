import type { SessionLedger } from "./ledger.ts";
import type { Turn } from "./scheduled.ts";
import type { Happening } from "./serial-order.ts";
import { findSerialOrder } from "./serial-order.ts";
import type { SerialSessions, Sight } from "./serial-sessions.ts";

/** What all requests of an overlap have in common. */
export class History {
  readonly turn: Turn;
  readonly ledger: SessionLedger;
  /** Every id that was handed out, the first one first. */
  readonly ids: string[] = [];
  /** The id that the browser holds. */
  newest: string | undefined;
  /** What was acknowledged of keys that only one request writes, and of the counter. */
  readonly kept: Record<string, unknown> = {};
  readonly #happenings: Happening<SerialSessions>[] = [];
  readonly #initial: SerialSessions = { rows: {}, notes: {}, open: {}, revoking: {}, revoked: {} };
  /** The store may hold sessions of other histories, and of their users. */
  readonly #name = crypto.randomUUID();
  #ticks = 0;

  constructor(turn: Turn, ledger: SessionLedger) {
    this.turn = turn;
    this.ledger = ledger;
  }

  get firstId(): string {
    return this.ids[0] ?? "";
  }

  toUserId(user: string): string {
    return `${user} of ${this.#name}`;
  }

  tick(): number {
    return ++this.#ticks;
  }

  begin(handle: string, row: SerialSessions["rows"][string]): void {
    this.#initial.rows[handle] = row;
  }

  /** Something that was begun at this tick is acknowledged by now. */
  happened(
    actor: number,
    what: string,
    begun: number,
    does: (state: SerialSessions) => boolean,
  ): void {
    this.#happenings.push({ actor, what, begun, ended: this.tick(), does });
  }

  /** The browser takes a response's cookies. Gives the id among them. */
  receive(lines: readonly string[]): string | undefined {
    const [line] = lines;
    if (line === undefined) return undefined;
    const { value } = Bun.Cookie.parse(line);
    this.newest = value === "" ? undefined : value;
    if (value === "") return undefined;
    this.ledger.check("cookie", !this.ids.includes(value), () => "an id was handed out twice");
    this.ids.push(value);
    return value;
  }

  /** Where no request ends the session, it holds whatever was acknowledged. */
  checkKept({ data }: Sight): void {
    const own = Object.fromEntries(Object.entries(data).filter(([key]) => !key.includes("shared")));
    this.ledger.check(
      "lost",
      Bun.deepEquals(own, this.kept),
      () => `${JSON.stringify(this.kept)} became ${JSON.stringify(own)}`,
    );
  }

  checkOrder(): void {
    const order = findSerialOrder(this.#happenings, this.#initial);
    this.ledger.check("order", order !== undefined, () => `\n${this.#describe()}`);
  }

  #describe(): string {
    return this.#happenings
      .toSorted((one, other) => one.begun - other.begun)
      .map(({ actor, what, begun, ended }) => `  ${begun} to ${ended}: request ${actor} ${what}`)
      .join("\n");
  }
}
