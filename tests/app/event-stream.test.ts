import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { EventEmitter, on } from "node:events";

import type { ServerSentEvent } from "bunpie";
import { App, eventStream, html } from "bunpie";

import { TestClient } from "../../src/testing/client.ts";
import { FakeClock } from "../support/clock.ts";
import { Connection } from "../support/connection.ts";
import { head } from "../support/raw.ts";
import { serve } from "../support/serve.ts";

/** An app with one event stream, which yields what the test wants. */
class Site extends App<{ n: number }> {
  readonly reports: unknown[] = [];
  readonly reported = Promise.withResolvers<void>();
  readonly ended = Promise.withResolvers<void>();
  reason: unknown;
  events: readonly unknown[] = [];
  heartbeat = 1_000;

  /** Yields its events, and then waits for the signal. */
  live() {
    const { session } = this.request;
    session.n = 1;
    return eventStream(
      async function* (this: Site, signal: AbortSignal) {
        try {
          for (const event of this.events) yield event as ServerSentEvent;
          await new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error));
          });
        } finally {
          this.reason = signal.reason;
          this.ended.resolve();
        }
      }.bind(this),
      { heartbeat: this.heartbeat },
    );
  }

  last() {
    return { last: this.request.lastEventId };
  }

  login() {
    this.request.session.login("ann");
  }

  /** What it waits for fails with an error of its own, caused by the signal's reason. */
  emitter() {
    const { ended } = this;
    return eventStream(async function* (signal) {
      try {
        yield { data: 1 };
        for await (const [data] of on(new EventEmitter(), "data", { signal })) yield { data };
      } finally {
        ended.resolve();
      }
    });
  }

  wrong() {
    return eventStream(function* () {}, { heartbeat: 0 });
  }

  misspelt() {
    return eventStream(function* () {}, { hartbeat: 1 } as object);
  }

  override onReport(error: unknown) {
    this.reports.push(error);
    this.reported.resolve();
  }
}

let clock: FakeClock;
let site: Site;
let client: TestClient;

beforeEach(() => {
  clock = new FakeClock();
  site = new Site({ session: { now: clock.now, timeout: 60, watchInterval: 1 } });
  client = new TestClient(site);
});

afterEach(() => site.close());

/** What is sent for these events, without what comes first. */
async function sent(...events: unknown[]): Promise<string> {
  site.events = events;
  const response = await client.send("/live");
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  expect(decoder.decode((await reader?.read())?.value)).toBe(":\n\n");
  let text = "";
  for (const _ of events) text += decoder.decode((await reader?.read())?.value);
  await reader?.cancel();
  return text;
}

describe("eventStream", () => {
  test("has its content type, and is neither cached nor buffered by proxies", async () => {
    const { headers, body } = await client.send("/live");
    expect(headers.get("content-type")).toBe("text/event-stream;charset=utf-8");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.getSetCookie()).toHaveLength(1);
    await body?.cancel();
  });

  test.each<[string, ServerSentEvent, string]>([
    ["text", { data: "a" }, "data: a\n\n"],
    ["text of several lines", { data: "a\r\nb\rc\n" }, "data: a\ndata: b\ndata: c\ndata: \n\n"],
    ["no text", { data: "" }, "data: \n\n"],
    ["JSON", { data: { a: ["b\nc"] } }, 'data: {"a":["b\\nc"]}\n\n'],
    ["html", { data: html`<b>${"&"}</b>` }, "data: <b>&amp;</b>\n\n"],
    ["null", { data: null }, "data: null\n\n"],
    ["a name without data", { event: "ping" }, "event: ping\ndata: \n\n"],
    [
      "everything",
      { id: 7, event: "a", data: 1, retry: 0 },
      "event: a\nid: 7\nretry: 0\ndata: 1\n\n",
    ],
    ["an empty id, which resets it", { id: "" }, "id: \n\n"],
  ])("sends %s", async (_, event, text) => {
    expect(await sent(event)).toBe(text);
    expect(site.reports).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ["a line break in an id", { id: "1\ndata: x" }, "The `id` of an event is"],
    ["a carriage return in an id", { id: "1\r" }, "The `id` of an event is"],
    ["NUL in an id", { id: "1\0" }, "The `id` of an event is"],
    ["a line break in a name", { event: "a\n\ndata: x" }, "The `event` of an event is"],
    ["a carriage return in a name", { event: "a\rb" }, "The `event` of an event is"],
    ["a fraction of a millisecond", { retry: 0.5 }, "The `retry` of an event is 0.5"],
    ["a time before now", { retry: -1 }, "The `retry` of an event is -1"],
    ["an unknown field", { dada: 1 }, "An event has no option `dada`. Did you mean `data`?"],
    ["what JSON would lose", { data: new Map() }, "An event stream yielded a Map"],
    ["text alone", "text", "An event stream yielded something that is not an event."],
    ["nothing", null, "An event stream yielded something that is not an event."],
    ["a list", [1], "An event stream yielded something that is not an event."],
  ])("ends at %s, and reports it", async (_, event, message) => {
    await expect(sent(event)).rejects.toThrow(message);
    expect(site.reports).toHaveLength(1);
    await site.ended.promise;
  });

  test("sends a comment after a while without events", async () => {
    site.heartbeat = 0.001;
    const response = await client.send("/live");
    const reader = response.body?.getReader();
    for (let count = 0; count < 3; count++) {
      expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(":\n\n");
    }
    await reader?.cancel();
  });

  test("sends no comment at once if `heartbeat` is longer than a timer can be", async () => {
    jest.useFakeTimers();
    site.heartbeat = 2 ** 40;
    const response = await client.send("/live");
    const reader = response.body?.getReader();
    await reader?.read();
    let comment: unknown;
    void reader?.read().then((result) => (comment = result.value));
    jest.advanceTimersByTime(1_000);
    await Promise.resolve();
    jest.useRealTimers();
    await reader?.cancel();
    expect(comment).toBeUndefined();
  });

  test("has a signal that aborts when the client disconnects", async () => {
    site.events = [{ id: 1, data: "a" }];
    for await (const { data } of client.events("/live")) {
      expect(data).toBe("a");
      break;
    }
    await site.ended.promise;
    expect(String(site.reason)).toBe("AbortError: The client has disconnected.");
    expect(site.reports).toEqual([]);
  });

  test("ends without a report while it waits for an event of node:events", async () => {
    const response = await fetch(new URL("/emitter", serve(site).url));
    const closing = site.close();
    expect(await response.text()).toContain("data: 1\n\n");
    await site.ended.promise;
    await closing;
    expect(site.reports).toEqual([]);
  });

  test("ends cleanly at shutdown, so that the browser reconnects", async () => {
    const response = await fetch(new URL("/live", serve(site).url));
    const closing = site.close();
    expect(await response.text()).toBe(":\n\n");
    await site.ended.promise;
    expect(String(site.reason)).toBe("AbortError: The server is shutting down.");
    await closing;
    expect(site.reports).toEqual([]);
  });

  test.each<[string, () => unknown]>([
    ["destroyed", () => site.sessions.revokeAll("ann")],
    ["expired", () => clock.advance(60_000)],
  ])("X6: ends with the session: %s", async (how, end) => {
    await client.send("/login");
    const response = await client.send("/live");
    const reader = response.body?.getReader();
    await reader?.read();
    await end();
    expect((await reader?.read())?.done).toBeTrue();
    await site.ended.promise;
    expect(String(site.reason)).toBe(`AbortError: The session has ended: ${how}.`);
  });

  test("refuses what is no generator function", () => {
    expect(() => eventStream("live" as never)).toThrow(
      "eventStream() takes a generator function: eventStream(async function* (signal) { … }).",
    );
  });

  test("is only for pages", () => {
    expect(() => eventStream(function* () {})).toThrow(
      "eventStream() was called outside a request. Call it in a page, and return it.",
    );
  });

  test.each([
    ["/wrong", "`heartbeat` is 0; it has to be a number of seconds above 0."],
    ["/misspelt", "eventStream() has no option `hartbeat`. Did you mean `heartbeat`?"],
  ])("refuses an invalid option: %s", async (path, message) => {
    expect((await client.send(path)).status).toBe(500);
    expect(site.reports).toEqual([new TypeError(message)]);
  });
});

describe("lastEventId", () => {
  test("is the last id that the browser received", async () => {
    expect(await client.json("/last")).toEqual({ last: null });
    const headers = { "last-event-id": "7" };
    expect(await client.json("/last", { headers })).toEqual({ last: "7" });
  });

  test("is decoded as UTF-8, as browsers send it", async () => {
    const connection = await Connection.open(serve(site).port);
    const id = Buffer.from("grün").toString("latin1");
    connection.send(head("GET /last HTTP/1.1", { "last-event-id": id }), "latin1");
    expect((await connection.answer())?.body).toBe(
      Buffer.from('{"last":"grün"}').toString("latin1"),
    );
    connection.close();
  });
});
