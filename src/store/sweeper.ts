/** How far a sweep may lie from its appointed time, so that processes do not all sweep at once. */
const JITTER = 0.1;

/** In milliseconds, about 25 days. A timer that is set for longer goes off at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

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
 * Rows removed in one step. On SQLite 124,000 at once stall every request for 830 ms. During a long sweep
 * by 100, 99 of 100 visits took up to 2 times as long as before; by 30, up to 1.3 times, and the sweep
 * took 1.3 times as long (`bun run guarantees G9`).
 */
const SWEEP_BATCH = 30;

/** How long a sweep leaves the store to others after each step, as a part of what it took. */
const SWEEP_PAUSE = 0.3;

/** Sweeps until nothing is left, in small steps between which requests are served. Returns how many went. */
export async function sweepInSteps(sweep: (limit: number) => Promise<number>): Promise<number> {
  let swept = 0;
  for (;;) {
    const begun = performance.now();
    const count = await sweep(SWEEP_BATCH);
    swept += count;
    if (count < SWEEP_BATCH) return swept;
    await Bun.sleep((performance.now() - begun) * SWEEP_PAUSE);
  }
}
