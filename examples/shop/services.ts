import type { Database } from "bun:sqlite";

import type { SessionEvent } from "bunpie";

import { ExpiringMap } from "./expiring-map.ts";
import { Messages } from "./messages.ts";
import { Activity } from "./observe/activity.ts";
import type { Trace } from "./observe/traces.ts";
import { Traces } from "./observe/traces.ts";
import type { CrashTrial } from "./proofs/crash.ts";
import { Users } from "./users.ts";

/** How long a link for another browser works, in milliseconds. */
const PASS_LIFETIME = 5 * 60_000;
const HOUR = 60 * 60_000;

/** What the shop is configured with. */
export interface ShopFacts {
  readonly db: Database;
  /** The name of the session backend. */
  readonly backendName: string;
  /** Runs the crash trial, or says why it cannot run. */
  readonly crash: CrashTrial | string;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Which device ended a session, and when. */
interface SignOut {
  readonly by: string;
  readonly at: number;
}

/** What the shop's apps share beside the session. */
export class Services {
  readonly facts: ShopFacts;
  readonly users: Users;
  readonly messages: Messages;
  readonly activity: Activity;
  readonly traces = new Traces();
  /** What the last form of each visitor stored, by handle, for the next page. */
  readonly forms: ExpiringMap<Trace>;
  /** User ids, by the secret of a link that logs in another browser. */
  readonly passes: ExpiringMap<string>;
  /** Who ended a session, by its handle, for the windows of that session. */
  readonly signOuts: ExpiringMap<SignOut>;

  constructor(facts: ShopFacts) {
    const { db, now } = facts;
    this.facts = facts;
    this.users = new Users(db);
    this.messages = new Messages(db);
    this.activity = new Activity(now, (userId) => this.users.find(userId)?.name);
    this.forms = new ExpiringMap(HOUR, 1_000, now);
    this.passes = new ExpiringMap(PASS_LIFETIME, 1_000, now);
    this.signOuts = new ExpiringMap(HOUR, 1_000, now);
  }

  /** For the sessions' `onEvent`. */
  noteEvent(event: SessionEvent): void {
    this.traces.noteEvent(event);
    this.activity.noteEvent(event);
  }
}
