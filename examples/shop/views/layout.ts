import { html } from "bunpie";

import type { User } from "../users.ts";

import css from "./style.css" with { type: "text" };

/** A page, or a piece of one. */
export type Html = ReturnType<typeof html>;

/** What the next page tells the visitor, once. */
export interface Notice {
  readonly kind: "done" | "problem";
  readonly text: string;
}

/** A page, and what its frame shows of the visitor. */
export interface Page {
  readonly title: string;
  readonly content: Html;
  readonly notice: Notice | undefined;
  readonly cartCount: number;
  readonly user: User | undefined;
}

/** The style sheet, which changes its address along with its text and can be cached for ever. */
export const STYLE = css;
const STYLE_PATH = `/style/${Bun.hash(css).toString(36)}`;

/** Nothing but our own style sheet, pictures and forms: an injected script would not run. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE_HEADERS = {
  "content-type": "text/html;charset=utf-8",
  "content-security-policy": POLICY,
  // Every page shows whose it is. Neither the back button nor a cache may show it after a logout.
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

/** The response with a page in the shop's frame. */
export function page(view: Page, status = 200): Response {
  return new Response(frame(view).toString(), { status, headers: PAGE_HEADERS });
}

/** A file that is the same for everyone. */
export function asset(text: string, type: string): Response {
  return new Response(text, {
    headers: {
      "content-type": type,
      "cache-control": "max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
    },
  });
}

function frame({ title, content, notice, cartCount, user }: Page): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Bunpie</title>
        <link rel="icon" href="/icon" type="image/svg+xml" />
        <link rel="stylesheet" href="${STYLE_PATH}" />
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <header>
          <a class="brand" href="/"><img src="/icon" alt="" width="32" height="32" />Bunpie</a>
          <nav aria-label="Main">
            <a href="/cart"
              >Cart <span class="count">${cartCount}<span class="hidden"> pies</span></span></a
            >
            ${
              user === undefined
                ? html`<a href="/login">Log in</a>`
                : html`<a href="/devices">Devices</a>
                    <form method="post" action="/logout">
                      <button class="quiet">
                        Log out<span class="hidden"> ${user.name}</span>
                      </button>
                    </form>`
            }
          </nav>
        </header>
        <main id="content" tabindex="-1">
          <div role="status" aria-live="polite">
            ${notice && html`<p class="notice ${notice.kind}">${notice.text}</p>`}
          </div>
          <h1>${title}</h1>
          ${content}
        </main>
        <footer>
          <p>A demo of sessions. No pie is sold here, sadly.</p>
        </footer>
      </body>
    </html>`;
}
