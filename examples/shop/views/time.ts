import type { Html } from "bunpie";
import { html } from "bunpie";

import { formatClock, formatDistance } from "./format.ts";

/** A time as a distance: "2 hours ago". */
export function timeAgo(time: number, now: number): Html {
  return html`<time datetime="${new Date(time).toISOString()}">${formatDistance(time, now)}</time>`;
}

/** A time on the clock: "10:42". */
export function timeOfDay(time: number): Html {
  return html`<time datetime="${new Date(time).toISOString()}">${formatClock(time)}</time>`;
}
