import type { Html, Problem } from "bunpie";
import { html } from "bunpie";
import { z } from "zod";

const MIN_PASSWORD = 8;

/** What the sign-up form has to say. */
export const Signup = z.object({
  name: z
    .string()
    .trim()
    .regex(/^\p{L}[\p{L}\p{N} .-]{1,19}$/u, "Choose a name of 2 to 20 letters or digits."),
  password: z
    .string()
    .min(MIN_PASSWORD, `Choose a password of at least ${MIN_PASSWORD} characters.`)
    .max(200, "Choose a password of at most 200 characters."),
});

/** The sign-up form, after a failed attempt with its problems. The password is not sent back. */
export function signupPage(
  problems: readonly Problem[] = [],
  fields: URLSearchParams = new URLSearchParams(),
): Html {
  const find = (path: string): string | undefined =>
    problems.find((problem) => problem.path === path)?.message;
  return html`<div class="card narrow">
    <form class="fields" method="post">
      <label>
        Name
        <input
          name="name"
          autocomplete="username"
          spellcheck="false"
          maxlength="20"
          value="${fields.get("name")}"
          required
          ${describe("name", find("name"))}
        />
      </label>
      ${message("name", find("name"))}
      <label>
        Password, ${MIN_PASSWORD} characters or more
        <input
          name="password"
          type="password"
          autocomplete="new-password"
          minlength="${MIN_PASSWORD}"
          maxlength="200"
          required
          ${describe("password", find("password"))}
        />
      </label>
      ${message("password", find("password"))}
      <button>Sign up</button>
    </form>
    <p class="hint">Have an account? <a href="/login">Log in</a></p>
  </div>`;
}

function describe(name: string, problem: string | undefined): Html | undefined {
  if (problem === undefined) return undefined;
  return html`aria-invalid="true" aria-describedby="${name}-problem"`;
}

function message(name: string, problem: string | undefined): Html | undefined {
  if (problem === undefined) return undefined;
  return html`<p class="notice problem" id="${name}-problem" role="alert">${problem}</p>`;
}
