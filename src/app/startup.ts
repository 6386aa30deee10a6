import { escapeError } from "../session/log.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { within } from "./lifecycle.ts";
import type { Resources } from "./resources.ts";

/** An app among those that are mounted in each other, as far as it starts and ends with them. */
export interface Member {
  readonly resources: Resources;
  onStart(): MaybePromise<void>;
  onStop(): MaybePromise<void>;
}

/** Starts an app with all that are mounted in it, and ends them. */
export class Startup {
  readonly #members: () => readonly Member[];
  #state: "not begun" | "begun" | "done" | "ended" = "not begun";
  #result: MaybePromise<void> = undefined;

  /** `members` are the apps, the outer ones first. */
  constructor(members: () => readonly Member[]) {
    this.#members = members;
  }

  /** Whether it is too late for requests. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Whether requests need not wait. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Calls every `onStart`, the outer first, the first time that it is called itself. Rejects with what one of
   * them throws, which is logged.
   */
  begin(): MaybePromise<void> {
    if (this.#state !== "not begun") return this.#result;
    this.#state = "begun";
    try {
      this.#result = this.#run();
    } catch (error) {
      this.#result = Promise.reject(error);
    }
    if (isPromise(this.#result)) {
      this.#result.catch((error: unknown) =>
        console.error("The app could not start:", escapeError(error)),
      );
    } else this.#state = "done";
    return this.#result;
  }

  /** The same for a request: says whether the app has started. */
  tryBegin(): MaybePromise<boolean> {
    const started = this.begin();
    if (!isPromise(started)) return true;
    return started.then(
      () => true,
      () => false,
    );
  }

  /** The same for an app that is served: one that cannot start ends the process with 1, for its supervisor to see. */
  beginOrExit(): void {
    const started = this.begin();
    if (isPromise(started)) started.catch(() => process.exit(1));
  }

  /**
   * Waits up to this, in milliseconds, for what was left to do beside requests; then calls every `onStop`, closes
   * what the apps own, the inner before the outer, and at last the sessions. Goes on where something fails.
   *
   * @throws what failed; an AggregateError if that was more than one thing.
   */
  async end(timeout: number, closeSessions: () => Promise<void>): Promise<void> {
    const members = this.#members().toReversed();
    await within(timeout, Promise.all(members.map(({ resources }) => resources.finish())));
    const steps = [
      ...(this.#hasBegun ? members.map((member) => () => member.onStop()) : []),
      ...members.map(
        ({ resources }) =>
          () =>
            resources.close(),
      ),
      closeSessions,
    ];
    this.#state = "ended";
    const errors: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 1) throw new AggregateError(errors, "The app did not end well.");
    if (errors.length === 1) throw errors[0];
  }

  get #hasBegun(): boolean {
    return this.#state === "begun" || this.#state === "done";
  }

  #run(): MaybePromise<void> {
    const members = this.#members();
    for (const [index, member] of members.entries()) {
      const started = member.onStart();
      if (isPromise(started)) return this.#runLater(started, members.slice(index + 1));
    }
  }

  async #runLater(started: Promise<void>, rest: readonly Member[]): Promise<void> {
    await started;
    for (const member of rest) await member.onStart();
    this.#state = "done";
  }
}
