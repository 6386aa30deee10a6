import type { Html } from "bunpie";
import { html } from "bunpie";

import type { Lid } from "../catalogue.ts";

const CRUST = "#d9974a";
const EDGE = "#b8742c";
const FILLING = "#b3263a";

const BARS = [26, 42, 58, 74];
const EIGHTHS = [0, 45, 90, 135, 180, 225, 270, 315];

/**
 * A pie from above. The colour of its filling is the style sheet's to change, by
 * its class.
 */
export function drawing(lid: Lid): Html {
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" aria-hidden="true">
    <circle cx="50" cy="50" r="48" fill="${EDGE}" />
    <circle
      cx="50"
      cy="50"
      r="45"
      fill="none"
      stroke="${CRUST}"
      stroke-width="6"
      stroke-dasharray="7 2.4"
      stroke-linecap="round"
    />
    <circle class="filling" cx="50" cy="50" r="40" fill="${FILLING}" />
    ${LIDS[lid]()}
  </svg>`;
}

const LIDS: Readonly<Record<Lid, () => Html>> = {
  lattice: () =>
    html`<g stroke="${CRUST}" stroke-width="7" stroke-linecap="round">
      ${BARS.map((at) => {
        const half = Math.sqrt(39 ** 2 - (at - 50) ** 2);
        return html`<path d="M${at} ${50 - half}V${50 + half}M${50 - half} ${at}H${50 + half}" />`;
      })}
    </g>`,

  open: () =>
    html`<g fill="#fff6e5">
      ${EIGHTHS.map((angle) => html`<circle cx="50" cy="42" r="6" transform="rotate(${angle} 50 50)" />`)}
      <circle cx="50" cy="50" r="8" />
    </g>`,

  nuts: () =>
    html`<g fill="#8a4f1d" stroke="#5f3512" stroke-width="1.5">
      ${EIGHTHS.map(
        (angle) =>
          html`<g transform="rotate(${angle} 50 50)">
            <ellipse cx="50" cy="20" rx="5" ry="8" /><path d="M50 14V26" />
            <ellipse cx="50" cy="40" rx="4" ry="6" transform="rotate(22 50 50)" />
          </g>`,
      )}
    </g>`,
};
