import type { SessionsOptions } from "bunpie";
import { Sessions } from "bunpie";

import type { SessionEvent } from "../../../src/session/events.ts";
import type { SessionBackend } from "../../../src/store/backend.ts";
import { FakeClock } from "../clock.ts";
import { Visitor } from "../visitor.ts";
import { BACKENDS, STORES } from "./backends.ts";
import { POSTGRES_STORES } from "./postgres-store.ts";

/** Every store that knows its users, those included whose server is there, for `describe.each`. */
export const EVERY_STORE = [...STORES, ...POSTGRES_STORES] as const;

/** Those, and the backends of two methods. */
export const EVERY_BACKEND = [...BACKENDS, ...POSTGRES_STORES] as const;

const opened: Sessions[] = [];

/** Closes what a test has opened, for `afterEach` of its file: hooks of a shared module run for one file only. */
export async function closeSites(): Promise<void> {
  await Promise.all(opened.splice(0).map((sessions) => sessions.close()));
}

/** A service on one backend, whose clock the test moves. Needs `afterEach(closeSites)`. */
export class Site {
  readonly clock = new FakeClock();
  readonly events: SessionEvent[] = [];
  readonly backend: SessionBackend;
  readonly sessions: Sessions;

  constructor(
    create: (now: () => number) => SessionBackend,
    options: Partial<SessionsOptions> = {},
  ) {
    this.backend = create(this.clock.now);
    this.sessions = this.another(options);
  }

  /** Another manager of the same backend, as a second app or process has. */
  another(options: Partial<SessionsOptions> = {}): Sessions {
    const sessions = new Sessions({
      backend: this.backend,
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
