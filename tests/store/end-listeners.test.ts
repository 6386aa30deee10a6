import { describe, expect, test } from "bun:test";

import { EndListeners } from "../../src/store/end-listeners.ts";

describe("EndListeners", () => {
  test("calls each listener as often as it was added, and not after its removal", async () => {
    const listeners = new EndListeners();
    const told: unknown[] = [];
    const listen = (ids?: readonly string[]): void => void told.push(ids);
    const stop = listeners.add(listen);
    listeners.add(listen);
    listeners.tell(["a", "b"]);
    await stop();
    await stop();
    listeners.tell();
    expect(told).toEqual([["a", "b"], ["a", "b"], undefined]);
  });
});
