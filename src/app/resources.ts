import type { MaybePromise } from "../store/maybe-promise.ts";

/** The resources that an app owns, and its work that outlives responses. */
export class Resources {
  readonly #owned: (() => unknown)[] = [];
  readonly #underWay = new Set<Promise<unknown>>();

  /** Takes ownership of a resource, which {@link close} closes with this function. */
  own<Resource>(resource: Resource, close: (resource: Resource) => unknown): Resource {
    this.#owned.push(() => close(resource));
    return resource;
  }

  /** Tracks work that continues after the response. `report` is called if it fails. */
  waitUntil(work: Promise<unknown>, report: (error: unknown) => void): void {
    const done = work.then(undefined, report).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  /** Waits for the work in progress, including work that begins meanwhile. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /**
   * Closes the resources, the last one owned first, even if closing another fails.
   *
   * @throws AggregateError of the failures.
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
    if (errors.length > 0)
      throw new AggregateError(errors, "Some of the app's resources failed to close.");
  }
}

/** A resource with a method to close it. */
export interface Closable {
  close(): MaybePromise<unknown>;
}
