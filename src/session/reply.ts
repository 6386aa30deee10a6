/**
 * What `update()` and `save()` return: a promise that knows whether anything has asked for its
 * result, because a handler may forget `await`.
 */
export class Reply extends Promise<boolean> {
  /** Promises that are derived from a reply are ordinary ones. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Whether the handler has awaited it, or has passed a function to `then` or `catch`. */
  isHeard = false;
  hasFailed = false;

  // oxlint-disable-next-line unicorn/no-thenable -- a promise has a `then`
  override then<One = boolean, Other = never>(
    onDone?: ((value: boolean) => One | PromiseLike<One>) | null,
    onFailed?: ((reason: unknown) => Other | PromiseLike<Other>) | null,
  ): Promise<One | Other> {
    this.isHeard = true;
    return super.then(onDone, onFailed);
  }

  /** Keeps a failure that nothing asks for from ending the process. */
  excuse(): void {
    void super.then(undefined, ignore);
  }
}

function ignore(): void {}
