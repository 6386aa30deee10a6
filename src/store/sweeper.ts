/** How far a sweep may lie from its appointed time, so that processes do not all sweep at once. */
const JITTER = 0.1;

/** In milliseconds, about 25 days. A timer that is set for longer goes off at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * How long after its expiry a session stays in the store before it is swept, in milliseconds. A process whose
 * clock is fast by no more than this removes nothing that another process would still serve.
 */
export const CLOCK_TOLERANCE = 5 * 60_000;

/**
 * Sweeps every `interval` milliseconds, give or take a tenth; never for 0. Neither keeps the process
 * alive nor the sweeper: a manager that nobody holds any more, after a hot reload for instance, is
 * let go.
 *
 * @returns what stops it.
 */
export function startSweeping(sweeper: { sweep(): Promise<number> }, interval: number): () => void {
  if (interval === 0) return () => undefined;
  const held = new WeakRef(sweeper);
  let timer: ReturnType<typeof setTimeout>;
  let isStopped = false;
  const schedule = (): void => {
    const pause = interval * (1 + JITTER * (2 * Math.random() - 1));
    timer = setTimeout(sweep, Math.min(pause, LONGEST_TIMER));
    timer.unref();
  };
  const sweep = async (): Promise<void> => {
    // A failed sweep was reported as an event, and the next one may succeed.
    await held
      .deref()
      ?.sweep()
      .catch(() => undefined);
    if (!isStopped && held.deref() !== undefined) schedule();
  };
  schedule();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

/**
 * Rows removed in one step, which takes SQLite 0.2 ms. 124,000 at once stall every request for 830 ms, and 100 at
 * once double the p99 of requests.
 */
const SWEEP_BATCH = 30;

/**
 * The shortest pause between two steps, in milliseconds. Under full load SQLite sweeps 5,000 rows a second with it,
 * and the median page takes a quarter longer (`bun bench/sweeping.ts`).
 */
const SWEEP_PAUSE = 2;

/**
 * Sweeps until nothing is left, in small steps. Between them the store is left to others, for as long as the step took
 * if that is longer than the shortest pause: a slow disk is never kept busy. Returns how many went.
 */
export async function sweepInSteps(sweep: (limit: number) => Promise<number>): Promise<number> {
  let swept = 0;
  for (;;) {
    const begun = performance.now();
    const count = await sweep(SWEEP_BATCH);
    swept += count;
    if (count < SWEEP_BATCH) return swept;
    await Bun.sleep(Math.max(SWEEP_PAUSE, performance.now() - begun));
  }
}
