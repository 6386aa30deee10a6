/** The system's clock, which a test can move: the clock that `create` receives. */
export class MovableClock {
  #ahead = 0;

  /** Unix milliseconds. */
  readonly now = (): number => Date.now() + this.#ahead;

  /** Moves the clock forward by this many milliseconds; backward for a negative number. */
  move(milliseconds: number): void {
    this.#ahead += milliseconds;
  }
}
