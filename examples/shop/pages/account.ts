import { on } from "node:events";

import type { ListedSession } from "bunpie";
import { eventStream } from "bunpie";

import { done, info } from "../session.ts";
import { FRESH, Site } from "../site.ts";
import type { User } from "../users.ts";
import { accountPage, signedOutPage } from "../views/account.ts";

/** The user's sessions, and how to end them. */
export class Account extends Site {
  async index(): Promise<Response> {
    const user = this._requireUser();
    const isFresh = this.request.session.meta.authenticatedWithin(FRESH);
    const sessions = await this.#list(user);
    const now = this._services.facts.now();
    return this._page("Your account", accountPage({ user, sessions, isFresh, now }));
  }

  end = {
    /** Ends one of the user's sessions. */
    POST: async (): Promise<Response> => {
      const back = this.#findWayBack();
      const user = this._requireUser({ fresh: FRESH, back });
      const handle = (await this.request.form()).get("handle");
      // revoke() ends any session: check that this one is the user's own.
      const session = (await this.#list(user)).find((own) => own.handle === handle);
      if (session === undefined) return this._goTo(back, info("That session has ended already."));
      this._noteEnd(session.handle);
      await this.sessions.revoke(session.handle);
      if (session.current) return this._goTo("/", done("You are signed out."));
      return this._goTo(back, done(`Signed out: ${session.label ?? "another browser"}.`));
    },
  };

  others = {
    /** Ends all of the user's sessions but this one. */
    POST: async (): Promise<Response> => {
      const user = this._requireUser({ fresh: FRESH, back: "/account" });
      for (const { handle } of await this.#list(user)) this._noteEnd(handle);
      const except = this.request.session.meta.handle;
      const count = await this.sessions.revokeAll(user.id, { except });
      return this._goTo("/account", done(`Sessions signed out: ${count}.`));
    },
  };

  all = {
    /** Ends all of the user's sessions. */
    POST: async (): Promise<Response> => {
      const user = this._requireUser({ fresh: FRESH, back: "/account" });
      for (const { handle } of await this.#list(user)) this._noteEnd(handle);
      await this.sessions.revokeAll(user.id);
      this.request.session.destroy();
      return this._goTo("/", done("You are signed out everywhere."));
    },
  };

  /**
   * Tells an open page of changes to the user's sessions, and of its own end: the stream ends with the session,
   * and the browser reconnects and learns that it is logged out.
   */
  watch(_handle: string): Response {
    const { userId } = this.request.session.meta;
    const { users } = this._services.activity;
    return eventStream(async function* (signal) {
      if (userId === null) return yield { event: "ended", data: "" };
      yield { retry: 200 };
      for await (const _ of on(users, userId, { signal })) yield { event: "sessions", data: "" };
    });
  }

  /** Where a page goes when its session was ended elsewhere. */
  ended(handle: string): Promise<Response> {
    const { session } = this.request;
    if (session.meta.userId !== null) return this._goTo("/account");
    if (session.meta.lapsed) session.isTold = true;
    return this._page("Signed out", signedOutPage(this._services.signOuts.get(handle)));
  }

  /** The user's sessions: this one first, then by last use. */
  async #list(user: User): Promise<readonly ListedSession[]> {
    const current = this.request.session.meta.handle;
    const sessions = await this.sessions.list(user.id, { current });
    return sessions.toSorted(
      (one, other) =>
        Number(other.current) - Number(one.current) || other.touchedAt - one.touchedAt,
    );
  }

  /** The page of the form: the first page has a button to end a session too. */
  #findWayBack(): string {
    const referer = URL.parse(this.request.headers.get("referer") ?? "");
    return referer?.pathname === "/" ? "/#elsewhere" : "/account";
  }
}
