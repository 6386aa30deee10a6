import type { SessionRecord } from "../store/record.ts";
import type { Contents } from "./contents.ts";

/** A stored session, and the id that opens it. */
export interface Stored {
  readonly at: "store";
  readonly id: string;
  /** The session's key in the store: a hash of the id. */
  readonly key: string;
  /** The stored record, as far as this request knows. */
  readonly record: SessionRecord;
}

/** The session has been given another id: a forwarding note is in its place. */
interface Superseded {
  readonly at: "superseded";
  readonly key: string;
  /** The key that the note names. */
  readonly by: string;
  /** The user of the session that this request had open; `null` if it was anonymous or none was. */
  readonly userId: string | null;
  /** As for a lapsed session. */
  readonly others?: readonly Place[];
}

/** Where a session is, as far as its request knows. */
export type Place =
  /** Nothing is stored. A write creates the session. */
  | { readonly at: "nowhere" }
  /** Nothing is stored, although the request has a cookie: it opened no session. */
  | {
      readonly at: "lapsed";
      /** Whether the cookie had the form of an id. */
      readonly isId: boolean;
      /** The key of a session that has expired by this process's clock; another's may differ. */
      readonly key: string | null;
      /** Sessions that other cookies of the request name, and that end when this one does. */
      readonly others?: readonly Place[];
    }
  | Stored
  | Superseded
  /** Another request has ended the session while this one ran. Nothing is written any more. */
  | { readonly at: "ended"; readonly key: string | null; readonly userId: string | null };

export const NOWHERE: Place = { at: "nowhere" };

/** A new id for the session, and what the handler wants recorded with it. */
export type Renewal =
  | { readonly kind: "regenerate" }
  | {
      readonly kind: "login";
      readonly userId: string;
      /** The time of the login, in Unix milliseconds. */
      readonly at: number;
      /** In seconds. `undefined` keeps the value of the same user, and means `null` for another. */
      readonly remember: number | undefined;
      /** `undefined` means the same as for `remember`. */
      readonly label: string | undefined;
    };

export type Login = Extract<Renewal, { kind: "login" }>;

/**
 * One session of a request: from when the request opened it, or destroyed the session before, until
 * the request destroys this one. Work in progress for a destroyed life is still completed on it.
 */
export class Life {
  place: Place;
  renewal: Renewal | undefined;
  /** Whether the request has destroyed it. Nothing that was meant for it may change the next one. */
  isDestroyed: boolean;

  constructor(place: Place) {
    this.place = place;
    this.renewal = undefined;
    this.isDestroyed = false;
  }
}

/** When a write restarts the idle timeout. */
export interface Use {
  /** When the session was used, in Unix milliseconds. */
  readonly at: number;
  /**
   * `due`: only once a tenth of the timeout has passed. `late`: the same, after the response, which
   * can no longer send the cookie again.
   */
  readonly restarts: "due" | "late" | "always" | "never";
}

/** What has to be done to the store for a life. */
export type Attempt =
  | { readonly kind: "none" }
  | { readonly kind: "drop"; readonly from: Place }
  | { readonly kind: "touch"; readonly from: Stored; readonly use: Use }
  /**
   * In a socket or stream: asks whether the session still exists, and restarts its timeout if due.
   */
  | { readonly kind: "check"; readonly from: Stored; readonly use: Use }
  | {
      readonly kind: "create";
      readonly from: Place;
      readonly contents: Contents;
      readonly login: Login | undefined;
    }
  | Swap;

/** Replaces what is stored, under the same id or, with a renewal, under a new one. */
export interface Swap {
  readonly kind: "replace" | "rotate";
  readonly from: Stored | Superseded;
  /** What the request has read. */
  readonly base: Contents;
  /** What the dictionary holds now. The changes from `base` to these contents are stored. */
  readonly contents: Contents;
  /** For `session.update()`: computes the contents to store from the stored ones. */
  readonly update: ((current: Contents) => Contents) | undefined;
  readonly renewal: Renewal | undefined;
  readonly use: Use;
}
