/** A clock that stands still until it is moved. Pass `clock.now` wherever time is read. */
export class FakeClock {
  #time = Date.UTC(2030, 0, 1);

  readonly now = (): number => this.#time;

  /** Moves the clock, backwards with a negative number. */
  advance(milliseconds: number): void {
    this.#time += milliseconds;
  }
}
