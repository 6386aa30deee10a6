import { HttpError, routes } from "bunpie";

import { done } from "../session.ts";
import { FRESH, Site } from "../site.ts";
import type { User } from "../users.ts";
import { DEMO_USERS } from "../users.ts";
import { confirmPage, joinPage, loginPage } from "../views/login.ts";
import { Signup, signupPage } from "../views/signup.ts";

/** How long "stay logged in" lasts without a visit, in seconds: two weeks. */
const REMEMBER = 14 * 24 * 60 * 60;

/** Logging in, signing up, logging out. */
export abstract class LoginPages extends Site {
  login = {
    GET: (): Promise<Response> => {
      const user = this._user();
      const isSent = this.request.query("returnTo") !== undefined;
      if (user === undefined) return this._page("Log in", loginPage({ isSent }));
      if (this.request.session.meta.authenticatedWithin(FRESH)) {
        return this._goTo(isSent ? this.#findWayBack("/") : "/");
      }
      return this._page("Confirm your password", confirmPage(user));
    },

    POST: async (): Promise<Response> => {
      const form = await this.request.form();
      const demoUser = DEMO_USERS.find(({ login }) => login === form.get("as"));
      if (demoUser !== undefined) return this.#logIn(demoUser);

      const present = this._user();
      const login = form.get("login") ?? "";
      const isRemembered = form.has("remember");
      const password = form.get("password") ?? "";
      const user = await this._services.users.authenticate(login, password);
      if (user !== undefined) return this.#logIn(user, isRemembered);
      return form.has("confirm") && present !== undefined
        ? this._page("Confirm your password", confirmPage(present, true), 401)
        : this._page("Log in", loginPage({ failed: { login, isRemembered } }), 401);
    },
  };

  signup = {
    GET: (): Promise<Response> => this._page("Sign up", signupPage()),

    POST: async (): Promise<Response> => {
      const { name, password } = await this.request.form(Signup, (problems, fields) =>
        this._page("Sign up", signupPage(problems, fields), 422),
      );
      const user = await this._services.users.register(name, password);
      if (user !== undefined) return this.#logIn(user);
      const problems = [{ path: "name", message: `The name ${name} is taken. Choose another.` }];
      return this._page("Sign up", signupPage(problems, await this.request.form()), 422);
    },
  };

  logout = {
    POST: (): Promise<Response> => {
      const { session } = this.request;
      if (session.meta.handle !== null) this._noteEnd(session.meta.handle);
      session.destroy();
      // The notice is enough, even if the session had ended before.
      if (session.meta.lapsed) session.isTold = true;
      // The old session is gone. The notice begins a new one.
      return this._goTo("/", done("You are logged out."));
    },
  };

  /** A link that logs in another browser, but only by its button, because link previews fetch pages too. */
  join = routes({
    "/:secret": {
      GET: (secret: string) => {
        const owner = this._services.users.find(this._services.passes.get(secret) ?? null);
        if (owner === undefined) throw expiredLink();
        return this._page("Another browser", joinPage(owner, this._user()));
      },
      POST: (secret: string) => {
        const owner = this._services.users.find(this._services.passes.take(secret) ?? null);
        if (owner === undefined) throw expiredLink();
        return this.#logIn(owner);
      },
    },
  });

  #findWayBack(fallback: string): string {
    return this.redirectBack(fallback).headers.get("location") ?? fallback;
  }

  async #logIn(user: User, isRemembered = false): Promise<Response> {
    const { session } = this.request;
    const isConfirmed = session.meta.userId === user.id;
    // An anonymous visitor's cart is kept; another user's is not.
    const label = this._device();
    session.login(user.id, isRemembered ? { remember: REMEMBER, label } : { label });
    const back = this.#findWayBack(isConfirmed ? "/account" : "/");
    return this._goTo(back, done(isConfirmed ? "Confirmed." : `Welcome, ${user.name}.`));
  }
}

function expiredLink(): HttpError {
  return new HttpError(410, "This link has been used, or is older than five minutes.");
}
