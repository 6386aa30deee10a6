import { Elysia } from "elysia";
import { Hono } from "hono";

import { App, InMemorySessionBackend, Sessions } from "../../src/index.ts";
import { sessions as elysiaSessions } from "../../src/integrations/elysia.ts";
import { sessions as honoSessions } from "../../src/integrations/hono.ts";
import type { Session } from "../../src/session/session.ts";
import type { MaybePromise } from "../../src/store/maybe-promise.ts";
import { countInText } from "../servers/text-counter-page.ts";
import {
  countAsAppDoes,
  countAsElysiaDoes,
  countAsHonoDoes,
  countAsWrapDoes,
} from "./duties-by-hand.ts";

/** The base of the other contestants' multiples. */
export const BY_HAND = "by hand";

/** A counter of visits in memory, or the bare framework below one. */
export interface Contestant {
  readonly name: string;
  readonly fetch: (request: Request) => MaybePromise<Response>;
  /** The longest time that it may take, as a multiple of the hand-written counter's. */
  readonly target?: number;
  /**
   * Whether it does a door's duties by hand. These are measured apart, because they share code with
   * each other and would slow the doors down.
   */
  readonly isFloor?: boolean;
}

interface Data {
  visits: number;
}

function count(session: Session<Data>): string {
  session.visits = (session.visits ?? 0) + 1;
  return `You have visited ${session.visits} times.`;
}

class Hello extends App {
  index() {
    return "hello";
  }
}

class Counter extends App<Data> {
  index() {
    return count(this.request.session);
  }
}

const hello = new Hello();
const counter = new Counter();
const wrapped = createSessions().wrap(
  (_request: Request, session, ..._rest: []) => new Response(count(session)),
);
const bareElysia = new Elysia().get("/", () => "hello");
const elysia = new Elysia().use(elysiaSessions(createSessions())).get("/", ({ session }) => {
  session.visits = (session.visits ?? 0) + 1;
  // Elysia would await a handler that returns a call.
  return `You have visited ${session.visits} times.`;
});
const bareHono = new Hono().get("/", (c) => c.text("hello"));
const hono = new Hono()
  .use(honoSessions(createSessions()))
  .get("/", (c) => c.text(count(c.var.session)));

export const CONTESTANTS: readonly Contestant[] = [
  { name: "new Response", fetch: () => new Response("hello") },
  { name: BY_HAND, fetch: (request) => countInText(request) },
  { name: "App, no session", fetch: (request) => hello.fetch(request) },
  { name: "App", fetch: (request) => counter.fetch(request), target: 1.35 },
  { name: "wrap", fetch: (request) => wrapped(request), target: 1.2 },
  { name: "Elysia, bare", fetch: (request) => bareElysia.fetch(request) },
  { name: "Elysia", fetch: (request) => elysia.fetch(request), target: 1.6 },
  { name: "Hono, bare", fetch: (request) => bareHono.fetch(request) },
  { name: "Hono", fetch: (request) => hono.fetch(request), target: 2.5 },
  { name: "App by hand", fetch: countAsAppDoes, isFloor: true },
  { name: "wrap by hand", fetch: countAsWrapDoes, isFloor: true },
  { name: "Elysia by hand", fetch: countAsElysiaDoes, isFloor: true },
  { name: "Hono by hand", fetch: countAsHonoDoes, isFloor: true },
];

function createSessions(): Sessions<Data> {
  return new Sessions<Data>({ backend: new InMemorySessionBackend() });
}
