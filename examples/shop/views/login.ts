import type { Html } from "bunpie";
import { html } from "bunpie";

import type { User } from "../users.ts";
import { DEMO_USERS } from "../users.ts";

/** What somebody tried to log in with. The password is not sent back. */
interface FailedLogin {
  readonly login: string;
  readonly isRemembered: boolean;
}

/** What the login page depends on. */
interface LoginView {
  readonly failed?: FailedLogin;
  /** Whether a page has sent the visitor here. */
  readonly isSent?: boolean;
}

/** Buttons that log in as a demo user, with one click. */
export function tryAs(action: string): Html {
  return html`<form class="try" method="post" action="${action}">
    ${DEMO_USERS.map(({ login, name }) => html`<button name="as" value="${login}">Try as ${name}</button>`)}
  </form>`;
}

/**
 * The login form; after a failed attempt, with what was typed. A form without an action keeps the query, which has
 * the page to return to.
 */
export function loginPage({ failed, isSent = false }: LoginView): Html {
  return html`
    ${isSent && html`<p class="lead">Log in to continue to the page that you asked for.</p>`}
    <div class="card narrow">
      ${tryAs("")}
      <p class="or">or with a password</p>
      <form class="fields" method="post">
        ${failed && wrongPassword("Wrong name or password.")}
        <label>
          Name
          <input
            name="login"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            maxlength="100"
            value="${failed?.login}"
            required
            ${failed && invalid()}
          />
        </label>
        ${passwordField(failed !== undefined)}
        <label class="check">
          <input name="remember" type="checkbox" ${failed?.isRemembered && html`checked`} />
          Stay logged in for two weeks
        </label>
        <button>Log in</button>
      </form>
      ${passwordHint(DEMO_USERS)}
      <p class="hint">No account yet? <a href="/signup">Sign up</a></p>
    </div>
  `;
}

/** Asks users to confirm their password. */
export function confirmPage(user: User, hasFailed = false): Html {
  return html`
    <p class="lead">
      ${user.name}, your last login was more than five minutes ago. To sign out other browsers,
      confirm your password.
    </p>
    <div class="card narrow">
      <form class="fields" method="post">
        ${hasFailed && wrongPassword("That is not your password.")}
        <input type="hidden" name="login" value="${user.login}" autocomplete="username" />
        <input type="hidden" name="confirm" value="yes" />
        ${passwordField(hasFailed)}
        <button>Confirm</button>
      </form>
      ${passwordHint(DEMO_USERS.filter(({ id }) => id === user.id))}
    </div>
  `;
}

/** Asks whether to log in this browser, by the link from another one. */
export function joinPage(owner: User, present: User | undefined): Html {
  return html`
    <p class="lead">
      ${
        present === undefined
          ? html`This link logs this browser in as ${owner.name}.`
          : html`This browser is logged in as ${present.name} already. For a second session, open
            the link in a private window, or on a phone.`
      }
    </p>
    <form method="post"><button>Log in as ${owner.name}</button></form>
  `;
}

function passwordField(hasFailed: boolean): Html {
  return html`<label>
    Password
    <input
      name="password"
      type="password"
      autocomplete="current-password"
      maxlength="200"
      required
      ${hasFailed && html`${invalid()} autofocus`}
    />
  </label>`;
}

function wrongPassword(text: string): Html {
  return html`<p class="notice problem" id="wrong" role="alert">${text}</p>`;
}

function invalid(): Html {
  return html`aria-invalid="true" aria-describedby="wrong"`;
}

function passwordHint(users: readonly (typeof DEMO_USERS)[number][]): Html | undefined {
  if (users.length === 0) return undefined;
  return html`<p class="hint">
    To try it:
    ${users.map(
      ({ name, password }, index) =>
        html`${index > 0 && ", "}${name} has the password <strong>${password}</strong>`,
    )}.
  </p>`;
}
