import type { Html } from "bunpie";
import { html } from "bunpie";

import type { Trace } from "../observe/traces.ts";
import type { User } from "../users.ts";
import { formatCount } from "./format.ts";
import { timeAgo } from "./time.ts";

/** What the strip shows of the request behind a page. */
export interface Strip {
  readonly backendName: string;
  /** Identifies the session for `sessions.revoke()`; `null` for a session that is not stored. */
  readonly handle: string | null;
  readonly expiresAt: number | null;
  readonly now: number;
  readonly trace: Trace;
  /** The form before this page, if it was answered with a redirect to here. */
  readonly form: Trace | undefined;
}

/** Shows under every page what its request did to the session. */
export function stripView(strip: Strip, user: User | undefined): Html {
  const { backendName, handle, expiresAt, now, trace, form } = strip;
  return html`<details class="strip" data-part="strip">
    <summary>
      <span class="label">Behind this page</span>
      <span>${backendName}</span>
      <span>process ${process.pid}</span>
      <span>${user?.name ?? "nobody logged in"}</span>
      <span>${describeStored(form ?? trace)}</span>
    </summary>
    <dl>
      <div>
        <dt>Backend</dt>
        <dd>${backendName}</dd>
      </div>
      <div>
        <dt>Process</dt>
        <dd>${process.pid}</dd>
      </div>
      <div>
        <dt>User</dt>
        <dd>${user?.name ?? "nobody"}</dd>
      </div>
      <div>
        <dt>Handle</dt>
        <dd>${handle === null ? "none: nothing is stored yet" : html`<code>${handle}</code>`}</dd>
      </div>
      <div>
        <dt>Expires</dt>
        <dd>${expiresAt === null ? "never: there is no session" : timeAgo(expiresAt, now)}</dd>
      </div>
      ${form && traceView(form)} ${traceView(trace)}
    </dl>
  </details>`;
}

function traceView(trace: Trace): Html {
  return html`<div>
    <dt>${trace.request}</dt>
    <dd>${describeStored(trace)}, ${trace.setsCookie ? "set the cookie" : "set no cookie"}</dd>
  </div>`;
}

function describeStored({ bytes }: Trace): string {
  return bytes === undefined ? "stored nothing" : `stored ${formatCount(bytes, "byte")}`;
}
