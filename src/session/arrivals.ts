import type { GuardedStore } from "../store/guarded-store.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import type { ForwardingNote, SessionRecord } from "../store/record.ts";
import { isNote, isRecord } from "../store/record.ts";
import type { EventLog } from "./events.ts";
import { isId } from "./id.ts";
import type { Place } from "./life.ts";
import type { Lifetimes } from "./lifetimes.ts";
import type { Names } from "./names.ts";

/** Finds the session that a request's cookie names, and reports cookies that open none. */
export class Arrivals {
  readonly #store: GuardedStore;
  readonly #lifetimes: Lifetimes;
  readonly #events: EventLog;
  readonly #names: Names;

  constructor(store: GuardedStore, lifetimes: Lifetimes, events: EventLog, names: Names) {
    this.#store = store;
    this.#lifetimes = lifetimes;
    this.#events = events;
    this.#names = names;
  }

  /** `value` holds the values of the request's cookies of the session's name: one, or several. */
  find(value: string | readonly string[], now: number): MaybePromise<Place> {
    return typeof value === "string" ? this.#find(value, now) : this.#findAny(value, now);
  }

  /** Reports a stored session that cannot be read. The request then has no session. */
  reportUnreadable(handle: string): void {
    const error = new Error(
      `The stored session ${handle} was ignored: its data is not a dictionary that can be stored ` +
        "again, or one of its facts has the wrong type. It is damaged or was not written by " +
        "Bunpie. To delete it, pass its handle to sessions.revoke().",
    );
    this.#events.emit({ type: "failed", operation: "decode", error });
  }

  #find(id: string, now: number): MaybePromise<Place> {
    if (!isId(id)) {
      this.#events.emit({ type: "rejected", reason: "malformed" });
      return { at: "lapsed", isId: false, key: null };
    }
    const key = this.#names.toKey(id);
    const found = this.#store.ask("read", key);
    return isPromise(found)
      ? this.#foundLater(id, key, found, now)
      : this.#found(id, key, found, now);
  }

  async #foundLater(
    id: string,
    key: string,
    found: Promise<SessionRecord | ForwardingNote | undefined>,
    now: number,
  ): Promise<Place> {
    return this.#found(id, key, await found, now);
  }

  #found(
    id: string,
    key: string,
    found: SessionRecord | ForwardingNote | undefined,
    now: number,
  ): Place {
    if (found === undefined) {
      this.#events.emit({ type: "rejected", reason: "unknown" });
      return { at: "lapsed", isId: true, key: null };
    }
    if (isNote(found)) {
      const isLive = found.expiresAt > now;
      const reason = isLive ? "superseded" : "unknown";
      this.#events.emit({ type: "rejected", reason });
      return isLive
        ? { at: "superseded", key, by: found.supersededBy, userId: null }
        : { at: "lapsed", isId: true, key: null };
    }
    if (!isRecord(found)) {
      this.reportUnreadable(key);
      return { at: "lapsed", isId: true, key: null };
    }
    if (this.#lifetimes.isExpired(found, now)) {
      this.#events.emit({ type: "expired", handle: key });
      return { at: "lapsed", isId: true, key };
    }
    return { at: "store", id, key, record: found };
  }

  /** The session that several cookies of the same name open. */
  #findAny(ids: readonly string[], now: number): MaybePromise<Place> {
    const places: Place[] = [];
    for (const [index, id] of ids.entries()) {
      const place = this.#find(id, now);
      if (isPromise(place)) {
        const others = ids.slice(index + 1).map(async (other) => this.#find(other, now));
        return Promise.all([...places, place, ...others]).then((found) => this.#choose(found));
      }
      places.push(place);
    }
    return this.#choose(places);
  }

  #choose(places: readonly Place[]): Place {
    const live = places.filter(({ at }) => at === "store");
    if (live.length > 1) this.#events.emit({ type: "rejected", reason: "ambiguous" });
    const [first, ...others] = live;
    if (first !== undefined && others.length === 0) return first;
    const sessions = places.filter((place) => namesSession(place) && !isSuccessor(place, places));
    const superseded = first === undefined ? sessions.find(isSuperseded) : undefined;
    if (superseded !== undefined) {
      return { ...superseded, others: sessions.filter((each) => each !== superseded) };
    }
    return {
      at: "lapsed",
      isId: places.some((place) => place.at !== "lapsed" || place.isId),
      key: null,
      others: sessions,
    };
  }
}

function isSuperseded(place: Place): place is Extract<Place, { at: "superseded" }> {
  return place.at === "superseded";
}

function namesSession(place: Place): boolean {
  return "key" in place && place.key !== null;
}

/** Whether a forwarding note among the places leads to this one, so that both are one session. */
function isSuccessor(place: Place, places: readonly Place[]): boolean {
  return places.some((each) => isSuperseded(each) && "key" in place && each.by === place.key);
}
