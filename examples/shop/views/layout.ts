import type { Html } from "bunpie";
import { html, status } from "bunpie";

import type { Notice } from "../session.ts";
import type { User } from "../users.ts";
import type { Strip } from "./strip.ts";
import { stripView } from "./strip.ts";

/** What the frame shows of the visitor. */
export interface Visitor {
  readonly user: User | undefined;
  readonly cartCount: number;
  /** The strip below the page, if the session was opened. */
  readonly strip?: Strip;
}

/** A page, and what its frame shows. */
export interface Page {
  readonly path: string;
  readonly title: string;
  readonly content: Html;
  readonly notice: Notice | undefined;
  readonly visitor: Visitor;
}

/** Allows only the shop's own style sheet, scripts, pictures and forms: an injected script does not run. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  // Every page shows who is logged in. Neither the back button nor a cache may show it after a logout.
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
};

const SECTIONS = [
  ["/", "Pies"],
  ["/chat", "Chat"],
  ["/live", "Live"],
] as const;

/** The response with a page in the shop's frame. */
export function renderPage(
  page: Page,
  code: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return status(code, frame(page), { ...headers, ...HEADERS });
}

function frame({ path, title, content, notice, visitor }: Page): Html {
  const { user, cartCount, strip } = visitor;
  const handle = user === undefined ? undefined : strip?.handle;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title === "Bunpie" ? title : `${title} · Bunpie`}</title>
        <link rel="icon" href="/icon" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/style.css" />
        <script type="module" src="/assets/shop.js"></script>
        <script type="module" src="/assets/live.js"></script>
      </head>
      <body ${handle && html`data-handle="${handle}"`}>
        <a class="skip" href="#content">Skip to the content</a>
        <header class="top">
          <a class="brand" href="/"><img src="/icon" alt="" width="32" height="32" />Bunpie</a>
          <nav aria-label="Main">
            ${SECTIONS.map(([href, name]) => navLink(href, html`${name}`, path))}
          </nav>
          <div class="who">${navLink("/cart", cartLabel(cartCount), path)} ${who(user, path)}</div>
        </header>
        <main id="content" tabindex="-1">
          <div class="status" role="status" data-part="notice">
            ${notice && html`<p class="notice ${notice.kind}">${notice.text}</p>`}
          </div>
          ${
            path === "/"
              ? content
              : html`<h1>${title}</h1>
                  ${content}`
          }
        </main>
        <footer>
          ${strip && stripView(strip, user)}
          <p>A demo of sessions. No pie is sold here, sadly.</p>
        </footer>
      </body>
    </html>`;
}

function navLink(href: string, label: Html, path: string): Html {
  return html`<a href="${href}" ${href === path && html`aria-current="page"`}>${label}</a>`;
}

function cartLabel(count: number): Html {
  return html`Cart
    <span class="count" data-part="count">${count}<span class="hidden"> pies</span></span>`;
}

function who(user: User | undefined, path: string): Html {
  if (user === undefined) return navLink("/login", html`Log in`, path);
  return html`
    ${navLink("/account", html`<span class="hidden">Account of </span>${user.name}`, path)}
    <form method="post" action="/logout"><button class="plain">Log out</button></form>
  `;
}
