import { jest } from "bun:test";

/** Lets what waits for settled promises go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

/** Lets time pass for `jest.useFakeTimers()`, and what waits for settled promises go on before and after. */
export async function pass(milliseconds: number): Promise<void> {
  await settle();
  jest.advanceTimersByTime(milliseconds);
  await settle();
}
