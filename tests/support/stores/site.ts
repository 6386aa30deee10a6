import type { SessionsOptions } from "bunpie";
import { Sessions } from "bunpie";

import type { SessionEvent } from "../../../src/session/events.ts";
import type { SessionBackend } from "../../../src/store/backend.ts";
import { isSessionStore } from "../../../src/store/session-store.ts";
import { FakeClock } from "../clock.ts";
import type { Page } from "../visitor.ts";
import { Visitor } from "../visitor.ts";
import { TappedStore } from "./tapped-store.ts";

const opened: Sessions[] = [];

/** Closes what a test has opened, for `afterEach` of its file: hooks of a shared module run for one file only. */
export async function closeSites(): Promise<void> {
  await Promise.all(opened.splice(0).map((sessions) => sessions.close()));
}

/** A service on one backend, whose clock the test moves. Needs `afterEach(closeSites)`. */
export class Site<Backend extends SessionBackend = SessionBackend> {
  readonly clock = new FakeClock();
  readonly events: SessionEvent[] = [];
  readonly backend: Backend;
  readonly sessions: Sessions;

  constructor(create: (now: () => number) => Backend, options: Partial<SessionsOptions> = {}) {
    this.backend = create(this.clock.now);
    this.sessions = this.another({ backend: this.backend, ...options });
  }

  /** Another manager of the same backend, as a second process has. */
  another(options: Partial<SessionsOptions> = {}): Sessions {
    const sessions = new Sessions({
      backend: isSessionStore(this.backend) ? this.backend : wrapMethods(this.backend),
      sweepInterval: 0,
      storeTimeout: 60_000,
      now: this.clock.now,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
    opened.push(sessions);
    return sessions;
  }

  visitor(): Visitor {
    return new Visitor(this.sessions);
  }

  /** The events of a kind. */
  of<Type extends SessionEvent["type"]>(type: Type): Extract<SessionEvent, { type: Type }>[] {
    return this.events.filter(
      (event): event is Extract<SessionEvent, { type: Type }> => event.type === type,
    );
  }
}

/** What another process has of a backend of two methods: an object of its own. */
function wrapMethods(backend: SessionBackend): SessionBackend {
  return {
    load: (sessionId) => backend.load(sessionId),
    save: (sessionId, data, timeout) => backend.save(sessionId, data, timeout),
  };
}

/** Holds a handler in its middle. */
export class Gate {
  readonly #reached = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();

  /** For the handler: says that it is here, and waits. */
  async pass(): Promise<void> {
    this.#reached.resolve();
    await this.#opened.promise;
  }

  /** Settles once the handler is here. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  open(): void {
    this.#opened.resolve();
  }
}

/** A service on one backend, and a visitor who has been to one page of it. */
export async function begin<Backend extends SessionBackend>(
  create: (now: () => number) => Backend,
  page: Page,
  options?: Partial<SessionsOptions>,
) {
  const site = new Site(create, options);
  const visitor = site.visitor();
  await visitor.visit(page);
  return { site, visitor };
}

/** Runs `during` while a request of another tab stands in the middle of its handler. */
export async function overlap(visitor: Visitor, slow: Page, during: Page) {
  const gate = new Gate();
  const tab = visitor.clone();
  const pending = tab.visit(async (session) => {
    await gate.pass();
    return slow(session);
  });
  await gate.reached;
  await visitor.visit(during);
  gate.open();
  return { tab, response: await pending };
}

/** A service on a store that notes what it is asked, and a visitor of it. */
export function setUpTapped(options: Partial<SessionsOptions> = {}) {
  const site = new Site((now) => new TappedStore(now), options);
  const { clock, backend: store, events, sessions } = site;
  return { clock, store, events, sessions, visitor: site.visitor() };
}

/** The same, whose visitor has been there: the session holds `{ a: 1 }`, and nothing is noted so far. */
export async function setUpVisited(
  options: Partial<SessionsOptions> = {},
  page: Page = (session) => (session["a"] = 1),
) {
  const setup = setUpTapped(options);
  await setup.visitor.visit(page);
  setup.store.calls.length = 0;
  setup.events.length = 0;
  return setup;
}

/** A request with a visitor's cookie, or without any. */
export function createRequest(visitor?: Visitor): Request {
  const headers: Record<string, string> =
    visitor === undefined ? {} : { cookie: `session_id=${visitor.id}` };
  return new Request("http://localhost/", { headers });
}
