import type { Html, ListedSession } from "bunpie";
import { html } from "bunpie";

import type { User } from "../users.ts";
import { timeAgo, timeOfDay } from "./time.ts";

/** A user, and where they are logged in. */
interface AccountView {
  readonly user: User;
  /** The present one first. */
  readonly sessions: readonly ListedSession[];
  /** Whether the last login is recent enough to sign others out. */
  readonly isFresh: boolean;
  readonly now: number;
}

/** The user's sessions, and how to end them. */
export function accountPage({ user, sessions, isFresh, now }: AccountView): Html {
  return html`
    <p class="lead">
      ${user.name}, you are logged in with
      ${sessions.length === 1 ? "this browser" : "these browsers"}.
      ${sessions.length > 1 && "Sign out any that you do not know."}
    </p>
    ${
      !isFresh &&
      html`<p class="notice info">
        To sign out browsers, <a href="/login?returnTo=/account">confirm your password</a> first.
      </p>`
    }
    <ul class="lines account">
      ${sessions.map((session) => sessionLine(session, isFresh, now))}
    </ul>
    ${
      isFresh &&
      html`<div class="actions">
        ${
          sessions.length > 1 &&
          html`<form method="post" action="/account/others">
            <button>Sign out everywhere else</button>
          </form>`
        }
        <form method="post" action="/account/all">
          <button class="quiet">Sign out everywhere</button>
        </form>
      </div>`
    }
  `;
}

function sessionLine(session: ListedSession, isFresh: boolean, now: number): Html {
  const { handle, label, current, touchedAt, expiresAt } = session;
  const loginAt = session.authenticatedAt ?? session.createdAt;
  return html`<li class="card">
    <div class="what">
      <h2>${label ?? "Unknown browser"}</h2>
      <p>
        Last seen ${timeAgo(touchedAt, now)}. Logged in ${timeAgo(loginAt, now)}, at
        ${timeOfDay(loginAt)}. Ends ${timeAgo(expiresAt, now)} if unused.
      </p>
      <p class="small">Session <code>${handle.slice(0, 6)}</code></p>
    </div>
    ${current && html`<p class="tag">This browser</p>`}
    ${
      !current &&
      isFresh &&
      html`<form method="post" action="/account/end">
        <input type="hidden" name="handle" value="${handle}" />
        <button class="quiet">Sign out there<span class="hidden">: ${label}</span></button>
      </form>`
    }
  </li>`;
}

/** The page of a window whose session was ended elsewhere. */
export function signedOutPage(by: { readonly by: string; readonly at: number } | undefined): Html {
  return html`
    <p class="lead">
      ${
        by === undefined
          ? "This session has ended."
          : html`Signed out from ${by.by} at ${timeOfDay(by.at)}.`
      }
    </p>
    <p><a class="button" href="/login">Log in again</a></p>
  `;
}
