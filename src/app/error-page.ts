import { addVary } from "../http/headers.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { andThen } from "../store/maybe-promise.ts";
import { status } from "./answers.ts";
import { isDevelopment } from "./development.ts";
import type { HttpError } from "./errors.ts";
import type { Html } from "./html.ts";
import { html } from "./html.ts";
import { toPath } from "./request.ts";
import type { Visit } from "./visit.ts";

/** The form in which an error is shown. */
type Form = "text" | "html" | "problem";

/**
 * The default response to an error: a page for browsers, `application/problem+json` (RFC 9457) for
 * clients that accept JSON, and text for others. In development, browsers see the details of a bug,
 * and pages similar to a path that matches none.
 */
export function showError(error: HttpError, visit: Visit): MaybePromise<Response> {
  return andThen(chooseForm(error, visit), (value) => {
    const response = value instanceof Response ? value : status(error.status, value, error.headers);
    // One URL has three forms: caches must not send one to a client that accepts another (RFC 9110,
    // 12.5.5).
    addVary(response.headers, "Accept");
    return response;
  });
}

function chooseForm(error: HttpError, visit: Visit): MaybePromise<string | Html | Response> {
  switch (toForm(visit.raw.headers.get("accept") ?? "")) {
    case "html":
      return isDevelopment() ? showInDevelopment(error, visit) : toPage(error);
    case "problem":
      return toProblem(error);
    case "text":
      return error.message;
  }
}

function showInDevelopment(error: HttpError, visit: Visit): MaybePromise<Html | Response> {
  const isBug = error.status === 500 && "cause" in error;
  const isUnknown = error.status === 404 && visit.match?.page === null;
  return isBug || isUnknown ? explain(error, visit) : toPage(error);
}

/**
 * Uses optional packages, which bundles do not contain; without them, shows the same page as
 * production.
 */
async function explain(error: HttpError, visit: Visit): Promise<Html | Response> {
  try {
    const { findNear, showBug } = await import("./dev-page.ts");
    if (error.status === 500) return await showBug(error, visit);
    return toPage(error, await findNear(toPath(visit.raw.url), visit.site.table.listPatterns()));
  } catch {
    return toPage(error);
  }
}

function toForm(accept: string): Form {
  const wanted = accept.toLowerCase();
  if (wanted.includes("text/html")) return "html";
  return /\bapplication\/(?:problem\+)?json\b/.test(wanted) ? "problem" : "text";
}

function toProblem(error: HttpError): Response {
  const problem = { title: error.message, status: error.status, ...error.details };
  return new Response(JSON.stringify(problem), {
    status: error.status,
    headers: { ...error.headers, "content-type": "application/problem+json" },
  });
}

function toPage(error: HttpError, near: readonly string[] = []): Html {
  const list = near.map((pattern) => html`<li><code>${pattern}</code></li>`);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${error.message}</title>
        <style>
          :root {
            color-scheme: light dark;
            font:
              1.1em/1.5 system-ui,
              sans-serif;
          }
          body {
            max-width: 36rem;
            margin: 15vh auto 0;
            padding: 0 1rem;
          }
        </style>
      </head>
      <body>
        <main>
          <h1>${error.message}</h1>
          <p>Error ${error.status}</p>
          ${
            near.length > 0 &&
            html`<p>Similar pages:</p>
              <ul>
                ${list}
              </ul>`
          }
        </main>
      </body>
    </html>`;
}
