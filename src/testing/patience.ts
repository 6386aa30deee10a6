/** Whether something comes to be so within so many milliseconds. */
export async function isSoWithin(
  milliseconds: number,
  isSo: () => Promise<boolean>,
): Promise<boolean> {
  const end = performance.now() + milliseconds;
  let is = await isSo();
  while (!is && performance.now() < end) {
    await Bun.sleep(20);
    is = await isSo();
  }
  return is;
}

/**
 * What an attempt comes to; the first that is as it should be, if one of twenty is. Others may work
 * on the same server, and come between. They do not do so every time.
 */
export async function firstGood<Result>(
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
