import type { Html } from "bunpie";
import { html } from "bunpie";

import type { Message } from "../messages.ts";
import type { User } from "../users.ts";
import { timeOfDay } from "./time.ts";

/** The chat: the last lines, and a form for users. */
export function chatPage(messages: readonly Message[], user: User | undefined): Html {
  return html`
    <p class="lead">
      ${
        user === undefined
          ? html`Everyone may read. <a href="/login?returnTo=/chat">Log in</a> to write.`
          : html`You write as ${user.name}.`
      }
      <noscript>Scripts are off: <a href="/chat#last">refresh</a> to see what is new.</noscript>
    </p>
    <div class="card messages" role="log" aria-label="Messages" tabindex="0">
      <ol data-chat="/chat">
        ${messages.map(messageLine)}
      </ol>
    </div>
    <p class="small" id="last" role="status" data-chat-state>
      ${messages.length === 0 && "Nobody has said anything yet."}
    </p>
    ${
      user !== undefined &&
      html`<form class="say" method="post" action="/chat" data-chat-form>
        <label>
          <span class="hidden">Message</span>
          <input
            name="text"
            maxlength="300"
            autocomplete="off"
            placeholder="Say something about pies"
            required
          />
        </label>
        <button>Send</button>
      </form>`
    }
  `;
}

/** One line; the socket sends it as it is. */
export function messageLine({ id, name, text, at }: Message): Html {
  return html`<li data-id="${id}"><b>${name}</b> ${timeOfDay(at)}<br />${text}</li>`;
}
