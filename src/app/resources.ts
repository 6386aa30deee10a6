import type { MaybePromise } from "../store/maybe-promise.ts";

/** What an app owns, and what it has left to do beside its requests. */
export class Resources {
  readonly #owned: (() => unknown)[] = [];
  readonly #underWay = new Set<Promise<unknown>>();

  /** Takes over a resource, to be closed by {@link close}. */
  own<Resource>(resource: Resource, close: (resource: Resource) => unknown): Resource {
    this.#owned.push(() => close(resource));
    return resource;
  }

  /** Work that goes on after the response. `report` is told if it fails. */
  waitUntil(work: Promise<unknown>, report: (error: unknown) => void): void {
    const done = work.then(undefined, report).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  /** Waits for the work that is under way, that which it begins meanwhile too. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /**
   * Closes what is owned, the last first, even if closing another fails.
   *
   * @throws AggregateError of what failed.
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#owned.splice(0).toReversed()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "Closing what the app owns failed.");
  }
}

/** How a resource is closed unless its owner says otherwise. */
export interface Closable {
  close(): MaybePromise<unknown>;
}
