import type { Html, HttpError } from "bunpie";
import { html } from "bunpie";

import { drawing } from "./drawing.ts";

const TEXTS: Readonly<Record<number, readonly [title: string, text: string]>> = {
  403: ["Request refused", "This request comes from another site, and was refused."],
  404: ["No such page", "Nothing is baked at this address."],
  405: ["Not allowed here", "This address does not accept such requests."],
  500: ["Something went wrong", "The fault is ours, and was logged. Your cart is as it was."],
  503: [
    "Back in a moment",
    "The shop cannot reach its sessions. Your session is safe: try again soon.",
  ],
};

/** A title for an error, and what to tell the visitor. */
export function describeError(error: HttpError): { readonly title: string; readonly text: string } {
  const { status, message } = error;
  // A handler's own 404 says what is missing.
  const isOwn = status === 404 && message !== "Not Found";
  const [title, text] = (isOwn ? undefined : TEXTS[status]) ?? ["That did not work", message];
  return { title, text };
}

/** The error, and a link back to the shop. */
export function errorPage(status: number, text: string): Html {
  return html`
    <div class="pumpkin broken">${drawing("open")}</div>
    <p class="lead">${text}</p>
    <p><a class="button" href="/">Back to the pies</a></p>
    <p class="small after">Error ${status}</p>
  `;
}
