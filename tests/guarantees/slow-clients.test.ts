import { describe, expect } from "bun:test";
import type { Socket } from "node:net";
import { connect } from "node:net";

import { Sessions } from "../../src/http/sessions.ts";
import type { Session } from "../../src/session/session.ts";
import type { SessionBackend } from "../../src/store/backend.ts";
import { TestClient } from "../../src/testing/client.ts";
import { Child } from "../support/processes/child.ts";
import { head } from "../support/raw.ts";
import { BACKENDS } from "../support/stores/backends.ts";
import type { Page } from "../support/visitor.ts";
import { Visitor } from "../support/visitor.ts";
import { guarantee, number } from "./figure.ts";

/** A request that somebody sends as slowly as they can: a beginning, and then a byte a second. */
class Drip {
  /** When the server cut it off, in seconds after it began. */
  readonly cut: Promise<number>;
  readonly #socket: Socket;
  readonly #timer: Timer;

  constructor(port: number, beginning: string) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.cut = promise;
    const begun = performance.now();
    this.#socket = connect(port, "127.0.0.1", () => this.#socket.write(beginning));
    this.#timer = setInterval(() => this.#socket.write("x"), 1000);
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("close", () => {
      clearInterval(this.#timer);
      resolve((performance.now() - begun) / 1000);
    });
  }

  /** Gives up. */
  stop(): void {
    this.#socket.destroy();
  }
}

/** The time that all but a hundredth stay below. */
function p99(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length * 0.99)] ?? Infinity;
}

/**
 * Asks for a page every few milliseconds until something has happened, whether the page before has come
 * or not, and gives how long each took from when it was due. Whoever waited for an answer before asking
 * again would meet a server that stands still only once.
 */
async function visitUntil(over: AbortSignal, client: TestClient): Promise<number[]> {
  const PERIOD = 4;
  const answers: Promise<number>[] = [];
  const visit = async (due: number): Promise<number> => {
    const response = await client.send("/");
    await response.text();
    expect(response.status).toBe(200);
    return performance.now() - due;
  };
  for (let due = performance.now(); !over.aborted; due += PERIOD) {
    await Bun.sleep(Math.max(0, due - performance.now()));
    answers.push(visit(due));
  }
  return Promise.all(answers);
}

describe("clients that send slowly", () => {
  const FULL = 600;

  guarantee(
    "requests that arrive at a byte a second delay nobody else, and are cut off",
    { id: "G19", gate: 24, full: FULL, of: "slow requests" },
    async (trial) => {
      // Below 12 seconds, Bun's idleTimeout shortens what a body is given, but not what a head is.
      const isQuick = trial.size < FULL;
      await using child = new Child("serve-from-memory", isQuick ? "1" : "");
      const port = Number(await child.next());
      const client = new TestClient({
        fetch: ({ headers }) => fetch(`http://127.0.0.1:${port}/`, { headers }),
      });
      await client.send("/");
      const before = await visitUntil(AbortSignal.timeout(500), client);
      // The bodies come from the session of those who are not to be held up.
      const beginning = head("POST /upload HTTP/1.1", {
        "content-length": "1000",
        cookie: `session_id=${client.sessionId}`,
      });
      const bodies: Drip[] = [];
      const heads: Drip[] = [];
      for (let count = 0; count < trial.size; count++) {
        if (count % 6 === 0) bodies.push(new Drip(port, beginning));
        else heads.push(new Drip(port, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "));
        // Spread over a second, and so are the bytes that follow.
        await Bun.sleep(1000 / trial.size);
      }
      const awaited = isQuick ? bodies : [...bodies, ...heads];
      const cuts = Promise.all(awaited.map((drip) => drip.cut));
      const over = new AbortController();
      void cuts.then(() => over.abort());
      const during = await visitUntil(over.signal, client);
      for (const drip of heads) drip.stop();
      trial.atMost("p99 of the others", p99(during), 20, "ms");
      trial.atMost("last one cut off after", Math.max(...(await cuts)), 16, "s");
      trial.always("cut off", (await cuts).length, awaited.length);
      trial.note(
        `${number(during.length)} other requests; p99 without drips ${number(p99(before))} ms`,
      );
    },
  );
});

/** What a handler may have done with the session before it takes its time. */
const SLOW: readonly Page[] = [
  (session) => session["count"],
  (session) => (session["slow"] = "begun"),
  (session) => ((session["slow"] = "begun"), session.save()),
  (session) => session.update((stored) => (stored["slow"] = "begun")),
  (session) => session.regenerate(),
];

const countUp = (session: Session): void => {
  session["count"] = Number(session["count"]) + 1;
};

/** What other requests do meanwhile; each of them, and most of them write. */
const MEANWHILE: readonly Page[] = [
  (session) => session["count"],
  (session) => countUp(session),
  (session) => session.update((stored) => (stored["count"] = Number(stored["count"]) + 1)),
  (session) => (countUp(session), session.save()),
  (session) => session.flash("notice", "Hello."),
  (session) => session.flash("notice"),
];
/** How many of them count. */
const COUNTING = 3;

/** Far longer than any of them takes, in milliseconds. */
const TIMEOUT = 60_000;

/** Whether it settles in time. */
async function isInTime(work: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), TIMEOUT);
  const inTime = await Promise.race([work.then(() => true), late.promise]);
  clearTimeout(timer);
  return inTime;
}

/** One slow request, and so many others of its session before it goes on. */
async function overtake(backend: SessionBackend, before: Page, requests: number) {
  const sessions = new Sessions({ backend, storeTimeout: 60_000 });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => (session["count"] = 0));
  const slowOne = visitor.clone();
  const begun = Promise.withResolvers<number>();
  const held = Promise.withResolvers<void>();
  const slow = slowOne.visit(async (session) => {
    await before(session);
    begun.resolve(performance.now());
    await held.promise;
    session["slow"] = "done";
  });
  const since = await begun.promise;
  let delayed = 0;
  for (let request = 0; request < requests && delayed === 0; request++) {
    const page = MEANWHILE[request % MEANWHILE.length] as Page;
    if (!(await isInTime(visitor.visit(page)))) delayed++;
    // Requests come from sockets, between which everything else has its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - since) / 1000;
  held.resolve();
  await slow;
  const count = (requests / MEANWHILE.length) * COUNTING;
  const kept = Bun.deepEquals(await slowOne.look(), { count, slow: "done" });
  await sessions.close();
  return { delayed, kept, seconds };
}

describe("a request that takes its time", () => {
  guarantee(
    "a long request delays no other request of its session, and keeps what it changed",
    {
      id: "G20",
      quick: 2 * MEANWHILE.length,
      gate: 20 * MEANWHILE.length,
      full: 2_000 * MEANWHILE.length,
      of: `requests during each of ${SLOW.length} slow ones on ${BACKENDS.length} backends`,
    },
    async (trial) => {
      const pairs = BACKENDS.flatMap(([, create]) =>
        SLOW.map((before) => overtake(create(Date.now), before, trial.size)),
      );
      const outcomes = await Promise.all(pairs);
      const delayed = outcomes.filter((outcome) => outcome.delayed > 0);
      trial.never("requests delayed", delayed.length, trial.size * pairs.length);
      trial.always(
        "pairs whose changes were both kept",
        outcomes.filter(({ kept }) => kept).length,
        pairs.length,
      );
      const shortest = Math.min(...outcomes.map(({ seconds }) => seconds));
      trial.note(`the slow ones took ${number(shortest)} s and more`);
    },
  );
});
