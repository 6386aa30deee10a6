/** The longest time, in milliseconds, that the event loop stood still while `work` was under way. */
export async function longestStall(work: Promise<unknown>): Promise<number> {
  const PERIOD = 5;
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - PERIOD);
    last = now;
  }, PERIOD);
  await work;
  clearInterval(timer);
  return Math.max(longest, performance.now() - last - PERIOD);
}
