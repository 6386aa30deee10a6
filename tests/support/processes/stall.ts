import { readFileSync } from "node:fs";

/** In milliseconds. */
const PERIOD = 5;

/**
 * The longest time, in milliseconds, that the event loop stood still while `work` was under way. Time for which the
 * thread could have run, but other processes had the processors, does not count.
 */
export async function longestStall(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now() - readQueued();
  const look = (): void => {
    const now = performance.now() - readQueued();
    longest = Math.max(longest, now - last - PERIOD);
    last = now;
  };
  const timer = setInterval(look, PERIOD);
  await work;
  clearInterval(timer);
  look();
  return longest;
}

/** For how many milliseconds this thread has waited for a processor so far; 0 where the system does not tell. */
function readQueued(): number {
  try {
    const [, queued] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
    return Number(queued) / 1e6;
  } catch {
    return 0;
  }
}
