import { describe, expect, test } from "bun:test";

import type { Expiring } from "../../../src/backends/memory/expiry-heap.ts";
import { ExpiryHeap } from "../../../src/backends/memory/expiry-heap.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";

/** An item that counts how often anyone asks when it ends. */
class Item implements Expiring {
  static looks = 0;
  dueAt = 0;
  heapIndex = -1;
  #expiresAt: number;

  constructor(expiresAt: number) {
    this.#expiresAt = expiresAt;
  }

  get expiresAt(): number {
    Item.looks++;
    return this.#expiresAt;
  }

  set expiresAt(expiresAt: number) {
    this.#expiresAt = expiresAt;
  }
}

describe("ExpiryHeap", () => {
  test.each([1, 2, 3, 4])(
    "agrees with a sorted list after any sequence of operations (seed %p)",
    (seed) => {
      const random = seededRandom(seed);
      const heap = new ExpiryHeap<Item>();
      const list: Item[] = [];
      const any = (): Item | undefined => list[random(list.length)];
      const drop = (item: Item): void => {
        heap.remove(item);
        list.splice(list.indexOf(item), 1);
      };
      let found = 0;
      for (let now = 0; now < 5000; now += random(3)) {
        const item = list.length === 0 || random(3) === 0 ? undefined : any();
        if (item === undefined) {
          const added = new Item(now + random(100));
          heap.add(added);
          list.push(added);
        } else if (random(3) > 0) {
          item.expiresAt = now + random(200);
          heap.reschedule(item);
        } else {
          drop(item);
        }
        const expired = heap.findExpired(now);
        expect(expired === undefined).toBe(list.every(({ expiresAt }) => expiresAt > now));
        expect(heap.findExpired(now)).toBe(expired);
        if (expired === undefined) continue;
        expect(list).toContain(expired);
        expect(expired.expiresAt).toBeLessThanOrEqual(now);
        drop(expired);
        found++;
      }
      expect(found).toBeGreaterThan(100);
    },
  );

  test("looks only at what has expired, however much it holds", () => {
    const heap = new ExpiryHeap<Item>();
    for (let index = 0; index < 10_000; index++) heap.add(new Item(1000 + index));
    for (let index = 0; index < 10; index++) heap.add(new Item(index));
    Item.looks = 0;
    for (let index = 0; index < 10; index++) {
      const expired = heap.findExpired(500);
      if (expired !== undefined) heap.remove(expired);
    }
    expect(heap.findExpired(500)).toBeUndefined();
    expect(Item.looks).toBe(10);
  });
});
