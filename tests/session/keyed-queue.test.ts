import { afterEach, describe, expect, jest, test } from "bun:test";

import { KeyedQueue } from "../../src/session/keyed-queue.ts";

afterEach(() => {
  jest.useRealTimers();
});

describe("KeyedQueue", () => {
  test("runs a task at once, and without a promise, when its key is free", () => {
    expect(new KeyedQueue().run("a", () => 1)).toBe(1);
  });

  test("runs the tasks of one key one after the other, in the order of asking", async () => {
    const queue = new KeyedQueue();
    const log: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = queue.run("a", async () => {
      log.push("first begins");
      await promise;
      log.push("first ends");
    });
    const second = queue.run("a", () => log.push("second"));
    const third = queue.run("a", () => log.push("third"));
    expect(log).toEqual(["first begins"]);
    resolve();
    await Promise.all([slow, second, third]);
    expect(log).toEqual(["first begins", "first ends", "second", "third"]);
  });

  test("lets tasks of different keys run side by side", () => {
    const queue = new KeyedQueue();
    void queue.run("a", () => new Promise(() => undefined));
    expect(queue.run("b", () => "done")).toBe("done");
  });

  test("goes on after a task that failed, whose error only its own caller sees", async () => {
    const queue = new KeyedQueue();
    const failing = queue.run("a", () => Promise.reject(new Error("no")));
    const next = queue.run("a", () => "done");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("done");
  });

  test("throws what a task throws at once, and leaves the key free", () => {
    const queue = new KeyedQueue();
    expect(() =>
      queue.run("a", () => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(queue.run("a", () => "done")).toBe("done");
  });

  test("forgets a key once its tasks are done, and is synchronous again", async () => {
    const queue = new KeyedQueue();
    await queue.run("a", () => Promise.resolve());
    await Promise.resolve();
    expect(queue.run("a", () => 1)).toBe(1);
  });

  test("does not wait for a task that never ends any longer than it has patience", async () => {
    jest.useFakeTimers();
    const queue = new KeyedQueue(1_000);
    void queue.run("a", () => new Promise(() => undefined));
    const hung = queue.run("a", () => new Promise(() => undefined));
    let isDone = false;
    const next = queue.run("a", () => (isDone = true));
    jest.advanceTimersByTime(1_000);
    await turns();
    expect(isDone).toBe(false);
    // The second began when the first was given up: only now has it had its time.
    jest.advanceTimersByTime(999);
    await turns();
    expect(isDone).toBe(false);
    jest.advanceTimersByTime(1);
    expect(await next).toBe(true);
    expect(hung).toBeInstanceOf(Promise);
  });
});

/** Lets what waits for settled promises go on. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
