import type { Html, ListedSession } from "bunpie";
import { html } from "bunpie";

import type { CrashResult } from "../proofs/crash.ts";
import type { RaceResult } from "../proofs/race.ts";
import { RACERS } from "../proofs/race.ts";
import type { User } from "../users.ts";
import { formatCount, formatDuration } from "./format.ts";
import { tryAs } from "./login.ts";
import { qrCode } from "./qr-code.ts";
import { timeAgo } from "./time.ts";

/** What the first page shows of the proofs. */
export interface ProofsView {
  readonly now: number;
  readonly race: RaceResult | undefined;
  /** The code of the two ways. */
  readonly source: { readonly loadThenSave: string; readonly update: string };
  readonly crash: CrashResult | undefined;
  /** Why the crash trial cannot run here, if it cannot. */
  readonly crashRefusal: string | undefined;
  readonly user: User | undefined;
  /** Whether the user logged in recently enough to sign others out. */
  readonly isFresh: boolean;
  /** The link for another browser, if it was just made: for a window here, and for a phone. */
  readonly link: { readonly here: string; readonly phone: string } | undefined;
  /** The user's sessions in other browsers. */
  readonly others: readonly ListedSession[];
}

/** How many other browsers are listed: the newest. */
const SHOWN = 3;

/** Three cards, each with a button and a number. */
export function proofsView(view: ProofsView): Html {
  return html`<div class="proofs">
    ${raceCard(view)} ${crashCard(view)} ${elsewhereCard(view)}
  </div>`;
}

function raceCard({ race, source }: ProofsView): Html {
  return html`<section class="card proof" id="race" aria-labelledby="race-title">
    <div class="what">
      <h2 id="race-title">Race</h2>
      <p>${RACERS} requests add a pie to the same session at the same moment.</p>
      <form method="post" action="/proofs/race" data-in-place data-busy="Adding…">
        <button>Add ${RACERS} pies at once</button>
      </form>
    </div>
    <dl class="scores" data-part="race">
      ${score("Load, then save", race?.loadThenSave, "lost")}
      ${score("session.update", race?.update, "kept")}
    </dl>
    <div class="codes">
      ${code("Load, then save", source.loadThenSave)} ${code("session.update", source.update)}
    </div>
  </section>`;
}

function score(label: string, count: number | undefined, kind: "kept" | "lost"): Html {
  return html`<div class="score ${count === undefined ? "open" : kind}">
    <dt>${label}</dt>
    <dd><strong>${count ?? "?"}</strong> of ${RACERS}</dd>
  </div>`;
}

function code(label: string, text: string): Html {
  return html`<figure>
    <figcaption>${label}</figcaption>
    <pre><code>${text}</code></pre>
  </figure>`;
}

function crashCard({ crash, crashRefusal }: ProofsView): Html {
  return html`<section class="card proof" id="crash" aria-labelledby="crash-title">
    <div class="what">
      <h2 id="crash-title">Crash</h2>
      <p>
        Two processes serve one port. Ann puts three pies into her cart, and the process that
        answers her gets <code>SIGKILL</code>.
      </p>
      ${
        crashRefusal === undefined
          ? html`<form method="post" action="/proofs/crash" data-in-place data-busy="Killing…">
              <button>Kill a process</button>
            </form>`
          : html`<p class="hint">${crashRefusal}</p>`
      }
    </div>
    <div class="scores" data-part="crash">
      ${crash === undefined ? crashOpen() : crashScore(crash)}
    </div>
  </section>`;
}

function crashOpen(): Html {
  return html`<p class="score open"><strong>?</strong> until the next answer</p>`;
}

function crashScore({ killed, survivor, down, name, pies }: CrashResult): Html {
  return html`
    <p class="score kept"><strong>${formatDuration(down)}</strong> down</p>
    <p class="score kept">
      <strong>${name === null ? "A stranger" : `Still ${name}`}</strong> with
      ${formatCount(pies, "pie")}
    </p>
    <p class="hint">Process ${killed} was killed, ${survivor} answered next.</p>
  `;
}

function elsewhereCard(view: ProofsView): Html {
  const { user, others, link } = view;
  return html`<section class="card proof" id="elsewhere" aria-labelledby="elsewhere-title">
    <div class="what">
      <h2 id="elsewhere-title">Sign out there</h2>
      <p>
        Log in with a second browser, and end its session from here. Within a second, that browser
        shows it.
      </p>
      ${
        user === undefined
          ? tryAs("/login?returnTo=/%23elsewhere")
          : html`<form method="post" action="/proofs/other" data-in-place>
              <button>Open a second browser</button>
            </form>`
      }
    </div>
    <div class="scores" data-part="elsewhere" data-follows-sessions>
      <p class="score ${others.length > 0 ? "kept" : "open"}">
        <strong>${user === undefined ? "?" : others.length}</strong> other
        ${others.length === 1 ? "browser" : "browsers"}
      </p>
      ${link && linkView(link)}
      ${
        others.length > 0 &&
        html`<ul class="others">
          ${others.slice(0, SHOWN).map((other) => otherView(other, view))}
        </ul>`
      }
      ${others.length > SHOWN && html`<p class="hint">All are on <a href="/account">your account</a>.</p>`}
    </div>
  </section>`;
}

function linkView({ here, phone }: { readonly here: string; readonly phone: string }): Html {
  return html`<div class="pass">
    ${qrCode(phone)}
    <p>
      Scan this with a phone in the same network, or
      <a href="${here}" target="_blank" rel="noopener">open the link in another window</a>. It works
      once, within five minutes.
    </p>
  </div>`;
}

function otherView({ handle, label, touchedAt }: ListedSession, view: ProofsView): Html {
  return html`<li>
    <span>${label ?? "Another browser"}, ${timeAgo(touchedAt, view.now)}</span>
    ${
      view.isFresh
        ? html`<form method="post" action="/account/end" data-in-place>
            <input type="hidden" name="handle" value="${handle}" />
            <button class="quiet">Sign out there</button>
          </form>`
        : html`<a class="button quiet" href="/login?returnTo=/%23elsewhere"
            >Confirm your password</a
          >`
    }
  </li>`;
}
