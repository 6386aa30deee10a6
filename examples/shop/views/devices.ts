import type { SessionInfo } from "bunpie";
import { html } from "bunpie";

import { formatDistance } from "./format.ts";
import type { Html } from "./layout.ts";

/** One of a user's sessions, as it is shown. */
export interface Device extends Pick<SessionInfo, "handle" | "createdAt" | "expiresAt"> {
  readonly device: string | undefined;
  readonly isCurrent: boolean;
}

/** Where the user is logged in, and the means to end it. */
export function devicesPage(devices: readonly Device[], now: number): Html {
  return html`
    <p class="lead">You are logged in on these devices. Log out any that you do not know.</p>
    <ul class="lines">
      ${devices.map(
        ({ handle, device, isCurrent, createdAt, expiresAt }) => html`
          <li class="card">
            <div class="what">
              <h2>${device ?? "Unknown device"}</h2>
              <p>
                Logged in
                <time datetime="${isoOf(createdAt)}">${formatDistance(createdAt, now)}</time>, ends
                <time datetime="${isoOf(expiresAt)}">${formatDistance(expiresAt, now)}</time> if
                unused
              </p>
            </div>
            ${
              isCurrent
                ? html`<p class="tag">This device</p>`
                : html`<form method="post" action="/devices">
                    <button class="quiet" name="handle" value="${handle}">
                      Log out<span class="hidden"> ${device}</span>
                    </button>
                  </form>`
            }
          </li>
        `,
      )}
    </ul>
    ${
      devices.length > 1 &&
      html`<form method="post" action="/elsewhere"><button>Log out everywhere else</button></form>`
    }
  `;
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}
