import { respondOnce } from "../http/headers.ts";
import { refuseUnknown } from "../store/known-options.ts";
import { Html } from "./html.ts";
import { toJsonText } from "./json-text.ts";
import type { Chunks } from "./live-body.ts";
import { LiveBody } from "./live-body.ts";
import { hosts } from "./live.ts";

/** One event, as an `EventSource` in the browser receives it. */
export interface ServerSentEvent {
  /** What the browser sends as `Last-Event-ID` when it reconnects. One line of text. */
  readonly id?: string | number;
  /** The event's name; `message` by default. One line of text. */
  readonly event?: string;
  /**
   * Text and `` html`…` `` are sent as they are, with any number of lines; anything else as JSON.
   */
  readonly data?: unknown;
  /** How long the browser waits before it reconnects, in milliseconds. */
  readonly retry?: number;
}

/** How an event stream is kept open. */
export interface EventStreamOptions {
  /**
   * After how many seconds without an event a comment is sent, so that proxies keep the connection
   * open; 15 by default.
   */
  readonly heartbeat?: number;
}

const FIELDS = [
  "id",
  "event",
  "data",
  "retry",
] as const satisfies readonly (keyof ServerSentEvent)[];

const encoder = new TextEncoder();
/** A comment, which browsers ignore. */
const COMMENT = encoder.encode(":\n\n");

/**
 * A response that streams server-sent events from a generator.
 *
 * ```ts
 * live() {
 *   return eventStream(async function* (signal) {
 *     for await (const price of prices(signal)) yield { event: "price", data: price };
 *   });
 * }
 * ```
 *
 * `signal` is aborted when the browser disconnects, when the session ends and when the app shuts
 * down; the generator's `finally` runs in each case. When the browser reconnects,
 * `this.request.lastEventId` says where to resume.
 *
 * @throws Error outside a request; TypeError for an unknown or invalid option.
 */
export function eventStream(
  source: (
    signal: AbortSignal,
  ) =>
    | Generator<ServerSentEvent, unknown, undefined>
    | AsyncGenerator<ServerSentEvent, unknown, undefined>,
  options: EventStreamOptions = {},
): Response {
  if (typeof source !== "function") {
    throw new TypeError(
      "eventStream() takes a generator function: eventStream(async function* (signal) { … }).",
    );
  }
  refuseUnknown("eventStream()", options, ["heartbeat"]);
  const { heartbeat: seconds = 15 } = options;
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new TypeError(`\`heartbeat\` is ${seconds}; it has to be a number of seconds above 0.`);
  }
  if (hosts.getStore() === undefined) {
    throw new Error(
      "eventStream() was called outside a request. Call it in a page, and return it.",
    );
  }
  const controller = new AbortController();
  const chunks: Chunks<ServerSentEvent> = source(controller.signal);
  const body = new LiveBody(chunks, {
    encode: encodeEvent,
    greeting: COMMENT,
    heartbeat: { seconds, bytes: COMMENT },
    controller,
  });
  return respondOnce(body.toStream(), {
    headers: {
      "content-type": "text/event-stream;charset=utf-8",
      "cache-control": "no-store",
      // nginx would buffer events until they fill a page.
      "x-accel-buffering": "no",
    },
  });
}

function encodeEvent(event: ServerSentEvent): Uint8Array {
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    throw new TypeError(
      "An event stream yielded something that is not an event. Yield an object such as { data: value }.",
    );
  }
  refuseUnknown("An event", event, FIELDS);
  const { id, event: name, data, retry } = event;
  const lines: string[] = [];
  if (name !== undefined) lines.push(`event: ${toLine("event", name)}`);
  if (id !== undefined) lines.push(`id: ${toLine("id", String(id))}`);
  if (retry !== undefined) lines.push(`retry: ${toMilliseconds(retry)}`);
  // Browsers drop an event without data.
  if (data !== undefined || name !== undefined)
    lines.push(...toDataLines(data === undefined ? "" : data));
  return encoder.encode(`${lines.join("\n")}\n\n`);
}

/**
 * Refuses line breaks, which would begin another field or event, and NUL, which makes browsers
 * ignore an id.
 */
function toLine(field: string, text: string): string {
  if (!/[\0\r\n]/.test(text)) return text;
  throw new TypeError(
    `The \`${field}\` of an event is ${JSON.stringify(text)}. It must not contain NUL or line breaks.`,
  );
}

function toMilliseconds(retry: number): number {
  if (Number.isInteger(retry) && retry >= 0) return retry;
  throw new TypeError(
    `The \`retry\` of an event is ${retry}; it has to be a whole number of milliseconds.`,
  );
}

function toDataLines(data: unknown): string[] {
  const isText = typeof data === "string" || data instanceof Html;
  const text = isText ? String(data) : toJsonText(data, "An event stream yielded");
  return text.split(/\r\n|\r|\n/).map((line) => `data: ${line}`);
}
