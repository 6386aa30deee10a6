/** Random variation of the interval, so that processes do not all sweep at once. */
const JITTER = 0.1;

/** The longest timer, in milliseconds (about 25 days). A longer one fires immediately. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * How long an expired session stays in the store before it is swept, in milliseconds. A process
 * whose clock is fast by no more than this removes nothing that another process would still serve.
 */
export const CLOCK_TOLERANCE = 5 * 60_000;

/**
 * Sweeps every `interval` milliseconds, plus or minus a tenth; never for 0. Keeps neither the
 * process nor the sweeper alive: a manager that nothing refers to, for instance after a hot reload,
 * is garbage collected.
 *
 * @returns a function that stops the sweeping.
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
 * The shortest pause between two steps, in milliseconds. With it, SQLite sweeps 5,000 rows a second
 * under full load, and the median page takes a quarter longer (`bun bench/sweeping.ts`).
 */
const SWEEP_PAUSE = 2;

/**
 * Sweeps in small steps until nothing is left. After each step it pauses for at least as long as
 * the step took, so that a slow disk is never kept busy. Returns how many rows were removed.
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
