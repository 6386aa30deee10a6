import { afterEach, beforeEach, describe, expect, jest, mock, test } from "bun:test";

import { KeyedQueue } from "../../src/store/keyed-queue.ts";
import { pass } from "../support/timers.ts";

afterEach(() => {
  jest.useRealTimers();
});

describe("KeyedQueue", () => {
  test("runs a task synchronously if its key is free", () => {
    expect(new KeyedQueue().run("a", () => 1)).toBe(1);
  });

  test("runs the tasks of one key one after the other, in the order of the calls", async () => {
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

  test("runs tasks of different keys concurrently", () => {
    const queue = new KeyedQueue();
    void queue.run("a", () => new Promise(() => undefined));
    expect(queue.run("b", () => "done")).toBe("done");
  });

  test("continues after a task that failed, whose error only its own caller sees", async () => {
    const queue = new KeyedQueue();
    const failing = queue.run("a", () => Promise.reject(new Error("no")));
    const next = queue.run("a", () => "done");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("done");
  });

  test("throws synchronously what a task throws, and leaves the key free", () => {
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

  describe("KeyedQueue with a timeout", () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });

    test("waits for a task that never ends until its timeout, and no longer", async () => {
      const queue = new KeyedQueue();
      void queue.run("a", never, 1_000);
      await pass(1);
      await checkWait(queue, 999);
    });

    test("measures the timeout of a task from the call, however late it begins", async () => {
      const queue = new KeyedQueue();
      void queue.run("a", never, 1_000);
      await pass(400);
      void queue.run("a", never, 1_000);
      await pass(600);
      await checkWait(queue, 400);
    });

    test("restarts a key's timeout when a task holds the key", async () => {
      const queue = new KeyedQueue();
      void queue.run(
        "a",
        async (turn) => {
          await Bun.sleep(900);
          turn.hold();
          return never();
        },
        1_000,
      );
      await pass(900);
      await pass(100);
      await checkWait(queue, 900);
    });

    test("does not start a task that has timed out while waiting", async () => {
      const queue = new KeyedQueue();
      void queue.run(
        "a",
        async (turn) => {
          await Bun.sleep(500);
          turn.hold();
          return never();
        },
        1_000,
      );
      const task = mock();
      const second = (queue.run("a", task, 1_000) as Promise<void>).catch(String);
      await pass(500);
      await pass(999);
      const third = queue.run("a", () => "done");
      await pass(1);
      expect(await second).toContain("The turn has timed out");
      expect(task).not.toHaveBeenCalled();
      expect(await third).toBe("done");
    });

    test("gives each task a timeout of its own", async () => {
      const queue = new KeyedQueue();
      void queue.run("a", never, 500);
      void queue.run("a", never, 1_000);
      await pass(500);
      await checkWait(queue, 500);
    });

    test("notifies a task that goes on after its timeout", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const late = new KeyedQueue().run(
        "a",
        async (turn) => {
          await promise;
          turn.hold();
        },
        1_000,
      );
      await pass(1_000);
      resolve();
      await expect(late).rejects.toThrow("The turn has timed out");
    });
  });
});

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Checks that a task which is asked for now begins after so many milliseconds, and not before. */
async function checkWait(queue: KeyedQueue, milliseconds: number): Promise<void> {
  let isDone = false;
  const next = queue.run("a", () => (isDone = true));
  await pass(milliseconds - 1);
  expect(isDone).toBe(false);
  await pass(1);
  expect(await next).toBe(true);
}
