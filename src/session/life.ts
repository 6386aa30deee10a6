import type { SessionRecord } from "../store/record.ts";
import type { Contents } from "./contents.ts";

/** A session in the store, and the id that opens it. */
export interface Stored {
  readonly at: "store";
  readonly id: string;
  /** What the store knows it by. */
  readonly key: string;
  /** What is stored, as far as this request knows. */
  readonly record: SessionRecord;
}

/** The session has another id by now: a forwarding note is in its place. */
interface Superseded {
  readonly at: "superseded";
  readonly key: string;
  /** Where the note leads. */
  readonly by: string;
  /** Whose session this request had open; `null` for nobody's, or if it never opened one. */
  readonly userId: string | null;
}

/** Where a session is, as far as its request knows. */
export type Place =
  /** Nothing is stored. A write creates it. */
  | { readonly at: "nowhere" }
  /** The same, and the cookie opened nothing: it named a session that is over, or none at all. */
  | {
      readonly at: "lapsed";
      /** Whether the cookie had the form of an id. */
      readonly isId: boolean;
      /** What the store may still have, where only this process's clock calls it expired. */
      readonly key: string | null;
    }
  | Stored
  | Superseded
  /** Ended by somebody else while the request ran. Nothing is written any more. */
  | { readonly at: "ended"; readonly key: string | null; readonly userId: string | null };

export const NOWHERE: Place = { at: "nowhere" };

/** A new id for the session, and what else the handler wants recorded with it. */
export type Renewal =
  | { readonly kind: "regenerate" }
  | {
      readonly kind: "login";
      readonly userId: string;
      /** In Unix milliseconds. */
      readonly at: number;
      /** In seconds; `undefined` leaves it as it is for the same user, and is `null` for another. */
      readonly remember: number | undefined;
      /** The same holds. */
      readonly label: string | undefined;
    };

export type Login = Extract<Renewal, { kind: "login" }>;

/**
 * A session from where the request opened it, or destroyed the one before, to where it destroys this
 * one. What is under way for a life that was destroyed meanwhile still ends there.
 */
export class Life {
  place: Place;
  renewal: Renewal | undefined;

  constructor(place: Place) {
    this.place = place;
    this.renewal = undefined;
  }
}

/** When a write restarts the idle timeout. */
export interface Use {
  /** When the session was used, in Unix milliseconds. */
  readonly at: number;
  /** `due`: once a tenth of the timeout has passed; `always`, and `never`. */
  readonly restarts: "due" | "always" | "never";
}

/** What is to be done to the store for a life. */
export type Attempt =
  | { readonly kind: "none" }
  | { readonly kind: "drop"; readonly from: Place }
  | { readonly kind: "touch"; readonly from: Stored; readonly use: Use }
  /** In a socket or stream: whether the session still exists, and nothing else. */
  | { readonly kind: "check"; readonly from: Stored; readonly use: Use }
  | {
      readonly kind: "create";
      readonly from: Place;
      readonly contents: Contents;
      readonly login: Login | undefined;
    }
  | Swap;

/** Puts other contents into the place of what is stored, under its id or, with a renewal, a new one. */
export interface Swap {
  readonly kind: "replace" | "rotate";
  readonly from: Stored | Superseded;
  /** What the request has read, and what the dictionary holds now: what changed between them is stored. */
  readonly base: Contents;
  readonly contents: Contents;
  /** For `session.update()`: makes the contents to store of those that are stored. */
  readonly update: ((current: Contents) => Contents) | undefined;
  readonly renewal: Renewal | undefined;
  readonly use: Use;
}
