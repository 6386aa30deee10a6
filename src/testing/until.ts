/** Whether a condition becomes true within `timeout` milliseconds. */
export async function becomesTrue(
  timeout: number,
  condition: () => Promise<boolean>,
): Promise<boolean> {
  const deadline = performance.now() + timeout;
  let holds = await condition();
  while (!holds && performance.now() < deadline) {
    await Bun.sleep(20);
    holds = await condition();
  }
  return holds;
}

/**
 * Returns the first good result of up to twenty attempts, or else the last result. Others may use
 * the same server and interfere, but not every time.
 */
export async function retryUntil<Result>(
  attempt: () => Promise<Result>,
  isGood: (result: Result) => boolean,
): Promise<Result> {
  let result = await attempt();
  for (let tries = 1; tries < 20 && !isGood(result); tries++) {
    await Bun.sleep(Math.random() * 20);
    result = await attempt();
  }
  return result;
}
