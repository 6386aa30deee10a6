import { escapeError } from "../session/log.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { isPromise } from "../store/maybe-promise.ts";
import { within } from "./lifecycle.ts";
import type { Resources } from "./resources.ts";

/** An app in a tree of mounted apps: what starts and ends it. */
export interface Member {
  readonly resources: Resources;
  onStart(): MaybePromise<void>;
  onStop(): MaybePromise<void>;
}

/** Starts and ends an app together with all apps mounted in it. */
export class Startup {
  readonly #members: () => readonly Member[];
  #state: "not begun" | "begun" | "done" | "ended" = "not begun";
  #result: MaybePromise<void> = undefined;
  #isEnding = false;

  /** `members` are the apps, outer before inner. */
  constructor(members: () => readonly Member[]) {
    this.#members = members;
  }

  /** Whether the app has ended and answers no more requests. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Whether the app has started, so that requests need not wait. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Calls every `onStart`, outer before inner; only the first call does. Rejects with the first
   * error, which is logged.
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

  /** Like {@link begin}, for a request: returns whether the app has started. */
  tryBegin(): MaybePromise<boolean> {
    const started = this.begin();
    if (!isPromise(started)) return true;
    return started.then(
      () => true,
      () => false,
    );
  }

  /**
   * Like {@link begin}, for a served app: if it cannot start, exits the process with code 1, for
   * its supervisor to see. An app that is ending goes on with that instead.
   */
  beginOrExit(): void {
    const started = this.begin();
    if (!isPromise(started)) return;
    started.catch(() => {
      if (!this.#isEnding) process.exit(1);
    });
  }

  /**
   * Waits up to `timeout` milliseconds for a start in progress and for work that outlives
   * responses; then calls every `onStop`, closes the resources of all apps, both inner before
   * outer, and finally the sessions. Continues after a failure.
   *
   * @throws the failure; an AggregateError if there were several.
   */
  async end(timeout: number, closeSessions: () => Promise<void>): Promise<void> {
    this.#isEnding = true;
    const members = this.#members().toReversed();
    await within(timeout, this.#finish(members));
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
    if (errors.length > 1) throw new AggregateError(errors, "The app failed to shut down cleanly.");
    if (errors.length === 1) throw errors[0];
  }

  async #finish(members: readonly Member[]): Promise<void> {
    await Promise.allSettled([this.#result]);
    await Promise.all(members.map(({ resources }) => resources.finish()));
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
    for (const member of rest) {
      this.#refuseEnded();
      await member.onStart();
    }
    this.#refuseEnded();
    this.#state = "done";
  }

  /** @throws Error if the app has ended, because its start took longer than shutdown waits. */
  #refuseEnded(): void {
    if (this.hasEnded) throw new Error("The app was closed while it was starting.");
  }
}
