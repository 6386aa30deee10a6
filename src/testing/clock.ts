/** The system's clock, which a test can move: what `create` is given. */
export class MovableClock {
  #ahead = 0;

  /** Unix milliseconds. */
  readonly now = (): number => Date.now() + this.#ahead;

  /** Moves the clock by so many milliseconds; back, if they are below 0. */
  move(milliseconds: number): void {
    this.#ahead += milliseconds;
  }
}
