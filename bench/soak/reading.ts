/** In seconds: as many sessions expire as begin once this has passed. */
export const SESSION_TIMEOUT = 60;
export const SWEEP_INTERVAL = 5;

/** What a server uses at one moment. */
export interface Reading {
  /** Resident memory, in MiB. */
  readonly rss: number;
  /** JavaScript's heap after a full collection, in MiB. */
  readonly heap: number;
  /** Open file descriptors, but for the visitors' connections. */
  readonly descriptors: number;
  /** Timers that are alive; Bun lists none in `process.getActiveResourcesInfo()`, so they are counted in the heap. */
  readonly timers: number;
  /** How late the event loop was since the reading before, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How late an event loop was, in milliseconds. */
export type Lateness = Pick<Reading, "p50" | "p99" | "max">;

/** A reading, and when it was taken, in minutes since the load began. */
export interface TimedReading extends Reading {
  readonly minute: number;
  /** How late the loop of a process that does nothing was: what of the lag is the machine's. */
  readonly idle: Lateness;
}
