import { html } from "bunpie";

import { DEMO_LOGIN } from "../users.ts";
import type { Html } from "./layout.ts";

/** What somebody tried to log in with. The password is not sent back. */
interface FailedLogin {
  readonly login: string;
  readonly isRemembered: boolean;
}

/** The login form, after a failed attempt with what was typed. */
export function loginPage(failed?: FailedLogin): Html {
  const wrong = failed && html`aria-invalid="true" aria-describedby="wrong"`;
  return html`
    <form class="card login" method="post" action="/login">
      ${
        failed &&
        html`<p class="notice problem" id="wrong" role="alert">
          This name and password do not belong together.
        </p>`
      }
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
          ${wrong}
          ${failed === undefined && html`autofocus`}
        />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          autocomplete="current-password"
          maxlength="200"
          required
          ${wrong}
          ${failed && html`autofocus`}
        />
      </label>
      <label class="check">
        <input name="remember" type="checkbox" ${failed?.isRemembered && html`checked`} />
        Stay logged in for two weeks
      </label>
      <button>Log in</button>
      <p class="hint">
        To try it: <strong>${DEMO_LOGIN.login}</strong> with the password
        <strong>${DEMO_LOGIN.password}</strong>
      </p>
    </form>
  `;
}
