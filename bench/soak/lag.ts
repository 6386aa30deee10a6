import { monitorEventLoopDelay } from "node:perf_hooks";

import type { Lateness } from "./reading.ts";

/** How often the event loop is checked for lag, in milliseconds. */
const RESOLUTION = 10;

/** How late this process's event loop is. */
export class Lag {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION });

  constructor() {
    this.#histogram.enable();
  }

  /** Returns the lag since the last {@link restart}. Nothing is counted until the next one. */
  take(): Lateness {
    this.#histogram.disable();
    const [p50 = 0, p99 = 0] = [50, 99].map((percent) => this.#histogram.percentile(percent) / 1e6);
    return { p50, p99, max: this.#histogram.max / 1e6 };
  }

  restart(): void {
    this.#histogram.reset();
    this.#histogram.enable();
  }
}
