import type { Sessions } from "../../../src/http/sessions.ts";
import { hashId } from "../../../src/session/id.ts";
import type { Session } from "../../../src/session/session.ts";
import type { History } from "./history.ts";
import type { SessionLedger } from "./ledger.ts";
import { toValue } from "./ledger.ts";
import type { RequestPlan, Step } from "./plan.ts";
import type { SerialSessions, Sight } from "./serial-sessions.ts";
import * as serial from "./serial-sessions.ts";

/** So many ids of one session are followed where it is ended by an earlier one. */
const MOST_IDS = 4;

/** What a handler of a plan throws. */
class PlannedError extends Error {}

/** What a handler does to its own session: nobody else can see it until it is stored. */
type Edit = (state: SerialSessions) => boolean;

/** A call that stores something, when it is made. */
interface Call {
  readonly begun: number;
  /** The session's handle before it, and whose it is to be. */
  readonly before: string | null;
  readonly userId: string | null;
  readonly edits: readonly Edit[];
  /** What the handler does while the call is under way. */
  readonly meanwhile: Edit[];
  readonly values: readonly string[];
  /** The keys that nobody else writes, and what they hold. */
  readonly own: Readonly<Record<string, unknown>>;
  readonly doomed: readonly string[];
}

/** One request of a plan. */
export class PlannedRequest {
  readonly #history: History;
  readonly #ledger: SessionLedger;
  readonly #plan: RequestPlan;
  readonly #number: number;
  /** What the handler has done by itself since the session was last read or stored. */
  #edits: Edit[] = [];
  #values: string[] = [];
  #doomed: string[] = [];
  #hasDestroyed = false;
  #hasCookie = false;
  /** A save() that the handler did not wait for. */
  #saving: Promise<void> | undefined;

  constructor(history: History, plan: RequestPlan, number: number) {
    this.#history = history;
    this.#ledger = history.ledger;
    this.#plan = plan;
    this.#number = number;
  }

  async serve(manager: Sessions): Promise<void> {
    const { steps, ending, cookie } = this.#plan;
    await this.#history.turn(`request ${this.#number} begins`);
    const id = cookie === "first" ? this.#history.firstId : this.#history.newest;
    const request = requestWith(id);
    this.#hasCookie = id !== undefined;
    const begun = this.#history.tick();
    let opened: Sight | undefined;
    let session: Session | undefined;
    let call: Call | undefined;
    const page = manager.wrap(async (_, given) => {
      session = given;
      opened = this.#open(given, id, begun);
      for (const [index, step] of steps.entries()) {
        await this.#history.turn(`request ${this.#number} goes on`);
        await this.#take(step, toValue(this.#number, index), given, manager);
      }
      call = this.#call(given);
      if (ending === "throws") throw new PlannedError();
      return new Response(null, { status: ending === "answers" ? 200 : 500 });
    });
    const response = await Promise.resolve(page(request)).catch((error: unknown) => {
      if (error instanceof PlannedError) return new Response(null, { status: 500 });
      throw error;
    });
    if (session === undefined || opened === undefined || call === undefined) {
      throw new Error(`The handler has not come to its end: ${response.status}.`);
    }
    if (ending === "answers") this.#stored(call, session);
    else this.#finished(call);
    this.#checkCookie(opened, session.meta.handle, [
      ...response.headers.getSetCookie(),
      ...request.cookies.toSetCookieHeaders(),
    ]);
  }

  /** The handler gets its session. */
  #open(session: Session, id: string | undefined, begun: number): Sight {
    const number = this.#number;
    const handle = id === undefined ? null : hashId(id);
    const sight = readSight(session);
    if (handle !== null) this.#ledger.saw(handle, begun, sight);
    this.#history.happened(number, `opens ${JSON.stringify(sight)}`, begun, (state) => {
      serial.begin(state, number, handle);
      return serial.looksLike(state, number, sight);
    });
    return sight;
  }

  async #take(step: Step, value: string, session: Session, manager: Sessions): Promise<void> {
    const number = this.#number;
    switch (step.does) {
      case "write":
        this.#values.push(value);
        return this.#change(session, (data) => (data[this.#name(step.key)] = value));
      case "nest":
        this.#values.push(value);
        return this.#change(session, (data) => {
          const key = `nested ${this.#name(step.key)}`;
          ((data[key] ??= { list: [] }) as { list: unknown[] }).list.push(value);
        });
      case "remove":
        return this.#change(session, (data) => delete data[this.#name(step.key)]);
      case "flash": {
        const name = this.#name(step.name);
        session.flash(name, value);
        return this.#edit((state) => {
          serial.findContents(state, number).flash[name] = value;
          return true;
        });
      }
      case "take": {
        const name = step.name === "shared" ? "shared" : `own${(number + 1) % 5}`;
        const message = session.flash(name);
        return this.#edit((state) => {
          const { flash } = serial.findContents(state, number);
          const isSame = flash[name] === message;
          delete flash[name];
          return isSame;
        });
      }
      case "regenerate":
        session.regenerate();
        return this.#edit((state) => serial.regenerate(state, number));
      case "destroy":
        this.#dooms(session);
        session.destroy();
        return this.#edit((state) => serial.destroy(state, number));
      case "log in": {
        const userId = this.#history.toUserId(step.user);
        const former = session.meta.userId;
        if (former !== null && former !== userId) this.#dooms(session);
        session.login(userId);
        return this.#edit((state) => serial.logIn(state, number, userId));
      }
      case "save":
        return this.#save(session);
      case "save meanwhile":
        await this.#saving;
        this.#saving = this.#save(session);
        // What it has destroyed goes first, and until then more may come to be saved.
        if (this.#hasDestroyed) await this.#saving;
        return;
      case "count":
        return this.#count(session);
      case "revoke":
        await this.#saving;
        return this.#revoke(session, manager, step.whose);
      case "revoke all":
        await this.#saving;
        return this.#revokeAll(session, manager, step);
    }
  }

  #edit(does: (state: SerialSessions) => boolean | void): void {
    this.#edits.push((state) => does(state) ?? true);
  }

  #change(session: Session, change: (data: Record<string, unknown>) => unknown): void {
    change(session);
    this.#edit((state) => void change(serial.findContents(state, this.#number).data));
  }

  #dooms(session: Session): void {
    const { handle } = session.meta;
    if (handle !== null) this.#doomed.push(handle);
    this.#hasDestroyed = true;
  }

  /** What the handler has done up to now is to be stored. */
  #call(session: Session): Call {
    const [edits, values, doomed] = [this.#edits, this.#values, this.#doomed];
    const meanwhile: Edit[] = [];
    [this.#edits, this.#values, this.#doomed] = [meanwhile, [], []];
    const { handle: before, userId, data } = readSight(session);
    const own = Object.fromEntries(this.#ownKeys.map((key) => [key, data[key]]));
    const begun = this.#history.tick();
    return { begun, before, userId, edits, meanwhile, values, own, doomed };
  }

  /** Whatever is stored, the handler's own doings come first, and what it destroyed goes first. */
  #finished({ begun, edits, doomed }: Call): void {
    this.#history.happened(this.#number, "deletes what it has destroyed", begun, (state) => {
      const cameSo = edits.every((edit) => edit(state));
      serial.finishDestroy(state, this.#number);
      return cameSo;
    });
    for (let step = 1; this.#hasDestroyed && step < MOST_IDS; step++) {
      this.#history.happened(this.#number, "deletes what that led to", begun, (state) => {
        serial.finishDestroy(state, this.#number);
        return true;
      });
    }
    for (const handle of doomed) this.#ledger.ended("destroyed", handle, this.#history.tick());
  }

  /** All that the handler had changed is stored, if there still was a session to store it in. */
  #stored(call: Call, session: Session, saved?: boolean): void {
    const number = this.#number;
    const sight = readSight(session);
    // A later call may be waiting for this one. It has no part in what was done before this one's end.
    const meanwhile = call.meanwhile.splice(0);
    // An id that was destroyed before anybody learned of it.
    const newHandle = sight.handle ?? `unknown ${this.#history.tick()}`;
    this.#finished(call);
    this.#history.happened(number, `stores ${JSON.stringify(sight)}`, call.begun, (state) => {
      const wish = serial.findWish(state, number);
      const cameSo = meanwhile.every((edit) => edit(state));
      // The handler's own destroy() may come before the store is asked: then nothing is stored.
      const isOvertaken = saved === false && serial.isDestroyed(state, number, wish);
      if (!isOvertaken) serial.fulfil(state, number, wish, newHandle);
      const isSame =
        saved === undefined || saved !== (isOvertaken || serial.hasEnded(state, number));
      return cameSo && isSame && serial.looksLike(state, number, sight);
    });
    this.#told(call, sight);
  }

  /** The ledger learns what the handler was told. */
  #told({ before, userId, values, own }: Call, { handle }: Sight): void {
    if (handle === null) return;
    if (before !== null && before !== handle) {
      this.#ledger.ended("left", before, this.#history.tick());
      this.#ledger.moved(before, handle);
    }
    this.#ledger.stored(handle, userId, values);
    for (const key of Object.keys(own)) {
      if (own[key] === undefined) delete this.#history.kept[key];
      else this.#history.kept[key] = own[key];
    }
  }

  async #save(session: Session): Promise<void> {
    const call = this.#call(session);
    const saved = await session.save();
    this.#stored(call, session, saved);
  }

  async #count(session: Session): Promise<void> {
    const number = this.#number;
    const call = this.#call(session);
    const { begun } = call;
    const counted = await session.update(countUp);
    const sight = readSight(session);
    this.#finished(call);
    this.#history.happened(number, "renews", call.begun, (state) => {
      serial.renew(state, number, sight.handle ?? `unknown ${begun}`);
      return true;
    });
    this.#history.happened(number, `counts ${JSON.stringify(sight)}`, call.begun, (state) => {
      const isSame = serial.update(state, number, countUp, sight.handle) === counted;
      return isSame && serial.looksLike(state, number, sight);
    });
    if (counted) this.#history.kept["count"] = Number(this.#history.kept["count"] ?? 0) + 1;
    // What else the handler has changed is stored only with a session that is new.
    if (call.before === null) this.#told(call, sight);
    else this.#values.unshift(...call.values);
    if (call.before !== null) this.#told({ ...call, values: [], own: {} }, sight);
  }

  async #revoke(session: Session, manager: Sessions, whose: "own" | "first"): Promise<void> {
    const handle = whose === "first" ? hashId(this.#history.firstId) : session.meta.handle;
    if (handle === null) return;
    const begun = this.#history.tick();
    await manager.revoke(handle);
    for (let step = 0; step < MOST_IDS; step++) {
      this.#history.happened(this.#number, `revokes ${handle}, step ${step}`, begun, (state) => {
        const key = `${this.#number} revokes ${handle} ${begun}`;
        const next = step === 0 ? handle : state.revoking[key];
        if (next !== null && next !== undefined) state.revoking[key] = serial.revoke(state, next);
        return true;
      });
    }
    this.#ledger.ended("destroyed", handle, this.#history.tick());
  }

  async #revokeAll(
    session: Session,
    manager: Sessions,
    { user, butOwn }: Extract<Step, { does: "revoke all" }>,
  ): Promise<void> {
    const userId = this.#history.toUserId(user);
    const except = butOwn ? session.meta.handle : null;
    const known = this.#ledger.findSessions(userId).filter((handle) => handle !== except);
    const begun = this.#history.tick();
    const count = await manager.revokeAll(userId, { except });
    // It looks again until none is left: meanwhile others may log in, or move a session.
    for (let step = 1; step <= MOST_IDS; step++) {
      this.#history.happened(
        this.#number,
        `revokes ${count} of ${user}'s, step ${step}`,
        begun,
        (state) => {
          const key = `${this.#number} revokes all ${begun}`;
          const sum = (state.revoked[key] ?? 0) + serial.revokeAll(state, userId, except);
          state.revoked[key] = sum;
          return step < MOST_IDS || sum === count;
        },
      );
    }
    for (const handle of known) this.#ledger.ended("destroyed", handle, this.#history.tick());
  }

  #checkCookie(opened: Sight, handle: string | null, lines: readonly string[]): void {
    const id = this.#history.receive(lines);
    const fault = (): string => `${JSON.stringify(lines)} for ${handle}, from ${opened.handle}`;
    const isRight = ((): boolean => {
      if (id !== undefined) return hashId(id) === handle;
      if (lines.length === 1) return handle === null;
      return handle === null ? !(this.#hasDestroyed && this.#hasCookie) : handle === opened.handle;
    })();
    this.#ledger.check("cookie", lines.length <= 1 && isRight, fault);
  }

  get #ownKeys(): readonly string[] {
    return [this.#name("own"), `nested ${this.#name("own")}`];
  }

  #name(of: "own" | "shared"): string {
    return of === "own" ? `own${this.#number}` : of;
  }
}

/** A request as Bun hands it to a handler in `routes`: with what is to be set even if that throws. */
export function requestWith(id: string | undefined): Request & { readonly cookies: Bun.CookieMap } {
  const headers = id === undefined ? {} : { cookie: `session_id=${id}` };
  const request = new Request("http://localhost/", { headers });
  return Object.assign(request, { cookies: new Bun.CookieMap() });
}

export function readSight(session: Session): Sight {
  const { handle, userId } = session.meta;
  return { handle, userId, data: structuredClone({ ...session }) };
}

function countUp(data: Record<string, unknown>): void {
  data["count"] = Number(data["count"] ?? 0) + 1;
}
