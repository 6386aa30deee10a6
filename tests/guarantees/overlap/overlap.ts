import type { Sessions } from "../../../src/http/sessions.ts";
import { hashId } from "../../../src/session/id.ts";
import { History } from "./history.ts";
import { SessionLedger } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import { isPeaceful } from "./plan.ts";
import { PlannedRequest, readSight, requestWith } from "./request.ts";
import type { Turn } from "./scheduled.ts";
import type { Sight } from "./serial-sessions.ts";
import * as serial from "./serial-sessions.ts";

/** Serves the requests of a plan, in turns that somebody else gives, and judges what came of it. */
export class Overlap {
  readonly ledger = new SessionLedger();
  readonly #plan: Plan;
  readonly #managers: readonly Sessions[];
  readonly #history: History;

  /** The managers share a store, as processes would. */
  constructor(plan: Plan, managers: readonly Sessions[], turn: Turn) {
    this.#plan = plan;
    this.#managers = managers;
    this.#history = new History(turn, this.ledger);
  }

  /** Makes the session that all requests are about. */
  async begin(): Promise<void> {
    const userId = this.#plan.isLoggedIn ? this.#history.toUserId("ann") : null;
    const [data, flash] = [{ shared: "<seed>" }, { shared: "<note>" }];
    const begin = this.#manager(0).wrap(async (_, session) => {
      Object.assign(session, data);
      session.flash("shared", flash.shared);
      if (userId !== null) session.login(userId);
      return new Response();
    });
    const response = await begin(new Request("http://localhost/"));
    const handle = hashId(this.#history.receive(response.headers.getSetCookie()) ?? "");
    this.#history.begin(handle, { data, flash, userId });
    this.ledger.stored(handle, userId, []);
  }

  /** Serves all requests at once, each as `run` wants it run. */
  async serve(
    run: (serve: () => Promise<void>) => Promise<void> = (serve) => serve(),
  ): Promise<void> {
    const requests = this.#plan.requests.map((plan, number) => {
      const request = new PlannedRequest(this.#history, plan, number);
      return run(() => request.serve(this.#manager(plan.process)));
    });
    await Promise.all(requests);
  }

  /** Looks at what is left under every id that was handed out, and judges all that was seen. */
  async judge(): Promise<void> {
    const { length } = this.#plan.requests;
    const names = ["shared", ...Array.from({ length }, (_, index) => `own${index}`)];
    let number = length;
    for (const id of this.#history.ids) {
      for (const manager of this.#managers) {
        const sight = await this.#look(manager, id, names, number++);
        if (isPeaceful(this.#plan)) this.#history.checkKept(sight);
      }
    }
    this.ledger.checkLooks();
    this.#history.checkOrder();
  }

  /** Looks at a session and at its messages, and leaves them there. */
  async #look(
    manager: Sessions,
    id: string,
    names: readonly string[],
    number: number,
  ): Promise<Sight> {
    const { promise, resolve } = Promise.withResolvers<Sight>();
    const begun = this.#history.tick();
    const look = manager.wrap(async (_, session) => {
      const sight = readSight(session);
      const flash = Object.fromEntries(
        names.flatMap((name) => {
          const message = session.flash(name);
          return message === undefined ? [] : [[name, message]];
        }),
      );
      this.ledger.saw(hashId(id), begun, sight);
      this.#history.happened(number, "looks", begun, (state) => {
        serial.begin(state, number, hashId(id));
        return (
          serial.looksLike(state, number, sight) &&
          Bun.deepEquals(serial.findContents(state, number).flash, flash)
        );
      });
      resolve(sight);
      return new Response(null, { status: 500 });
    });
    await look(requestWith(id));
    return promise;
  }

  #manager(index: number): Sessions {
    const manager = this.#managers[index];
    if (manager === undefined) throw new Error(`There is no manager ${index}.`);
    return manager;
  }
}
