/** In seconds. Once it has passed, as many sessions expire as begin. */
export const SESSION_TIMEOUT = 60;
export const SWEEP_INTERVAL = 5;

/** What a server uses at one moment. */
export interface Reading {
  /** Resident memory, in MiB. */
  readonly rss: number;
  /** JavaScript's heap after a full collection, in MiB. */
  readonly heap: number;
  /** Open file descriptors, except for the visitors' connections. */
  readonly descriptors: number;
  /** Timers that are alive; Bun lists none in `process.getActiveResourcesInfo()`, so they are counted in the heap. */
  readonly timers: number;
  /** The event loop's lag since the previous reading, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The lag of an event loop, in milliseconds. */
export type Lateness = Pick<Reading, "p50" | "p99" | "max">;

/** A reading, and when it was taken, in minutes since the load began. */
export interface TimedReading extends Reading {
  readonly minute: number;
  /** The lag of an idle process: the part of the lag that the machine causes. */
  readonly idle: Lateness;
}
