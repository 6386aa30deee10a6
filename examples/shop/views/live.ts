import type { Html, SessionStats, StoreUse } from "bunpie";
import { html } from "bunpie";

import type { ActivityLine, Second } from "../observe/activity.ts";
import { SECONDS } from "../observe/activity.ts";

const HEIGHT = 120;
const STEP = 10;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** Counters, the plot, and the last events. */
export function livePage(drawn: Html, lines: readonly ActivityLine[]): Html {
  return html`
    <p class="lead">
      What this process does with sessions, as it happens.
      <noscript>Scripts are off: <a href="/live">refresh</a> to see what is new.</noscript>
    </p>
    <div data-stream="/live/stream" data-last="${lines.at(-1)?.id ?? 0}">
      <div data-event="figures">${drawn}</div>
      <h2 class="section">Events</h2>
      <ol class="card events" data-event="line" data-most="40" tabindex="0" aria-label="Events">
        ${lines.toReversed().map(activityLine)}
      </ol>
    </div>
  `;
}

/** The counters since the process began, and the plot of the last minute. */
export function figures(stats: SessionStats, minute: readonly Second[]): Html {
  const counters = [
    ["Sessions begun", stats.created],
    ["Changes stored", stats.updated],
    ["Changes merged", stats.merged],
    ["New ids", stats.rotated],
    ["Sessions ended", stats.destroyed],
    ["Cookies refused", stats.rejected],
    ["Store reads", describeUse(stats.loads)],
    ["Store writes", describeUse(stats.stores)],
  ] as const;
  return html`
    <dl class="counters">
      ${counters.map(
        ([label, value]) =>
          html`<div class="card">
            <dt>${label}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${plot(minute)}
  `;
}

/** One event; the stream sends it as it is. */
export function activityLine({ first, at, text, times }: ActivityLine): Html {
  return html`<li data-first="${first}">
    <time datetime="${new Date(at).toISOString()}">${clock.format(at)}</time> ${text}
    ${times > 1 && html`<b>${times} times</b>`}
  </li>`;
}

function describeUse({ count, totalTime }: StoreUse): Html {
  if (count === 0) return html`0 <small>not used yet</small>`;
  const mean = totalTime / count;
  return html`${count} <small>${mean < 0.01 ? "< 0.01" : mean.toFixed(2)} ms each</small>`;
}

/** Two bars per second: requests, and writes in front of them. */
function plot(minute: readonly Second[]): Html {
  const highest = Math.max(5, ...minute.flatMap(({ requests, writes }) => [requests, writes]));
  const requests = minute.reduce((sum, second) => sum + second.requests, 0);
  const writes = minute.reduce((sum, second) => sum + second.writes, 0);
  return html`<figure class="card plot">
    <svg
      viewBox="0 0 ${SECONDS * STEP} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="The last ${SECONDS} seconds: ${requests} requests, ${writes} writes"
    >
      ${minute.map((second, index) => [
        bar("requests", index, second.requests / highest),
        bar("writes", index, second.writes / highest),
      ])}
    </svg>
    <figcaption>
      <span class="key requests">${requests} requests</span>
      <span class="key writes">${writes} writes</span>
      <span>in the last ${SECONDS} seconds, at most ${highest} a second</span>
    </figcaption>
  </figure>`;
}

function bar(kind: "requests" | "writes", index: number, share: number): Html | undefined {
  if (share === 0) return undefined;
  const height = Math.round(share * HEIGHT);
  const inset = kind === "writes" ? 3 : 1;
  return html`<rect
    class="${kind}"
    x="${index * STEP + inset}"
    y="${HEIGHT - height}"
    width="${STEP - 2 * inset}"
    height="${height}"
  />`;
}
