import { describe, expect, test } from "bun:test";

import type { Expiring } from "../../../src/backends/memory/expiry-heap.ts";
import { ExpiryHeap } from "../../../src/backends/memory/expiry-heap.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";

/** An item that counts how often anyone asks when it ends. */
class Item implements Expiring {
  static looks = 0;
  dueAt = 0;
  heapIndex = -1;
  expiresAt: number;

  constructor(expiresAt: number) {
    this.expiresAt = expiresAt;
  }

  get content(): { readonly expiresAt: number } {
    Item.looks++;
    return this;
  }
}

function heapOf(...items: Item[]): ExpiryHeap<Item> {
  const heap = new ExpiryHeap<Item>();
  for (const item of items) heap.add(item);
  return heap;
}

describe("ExpiryHeap", () => {
  test("finds nothing when it is empty", () => {
    expect(heapOf().findExpired(Infinity)).toBeUndefined();
  });

  test("finds an item from the very millisecond of its expiry on, and leaves it where it is", () => {
    const item = new Item(1000);
    const heap = heapOf(new Item(3000), item, new Item(2000));
    expect(heap.findExpired(999)).toBeUndefined();
    expect(heap.findExpired(1000)).toBe(item);
    expect(heap.findExpired(1000)).toBe(item);
  });

  test("follows an expiry that moved away, and one that came closer", () => {
    const [one, other] = [new Item(1000), new Item(5000)];
    const heap = heapOf(one, other);
    one.expiresAt = 4000;
    heap.reschedule(one);
    expect(heap.findExpired(3999)).toBeUndefined();
    other.expiresAt = 2000;
    heap.reschedule(other);
    expect(heap.findExpired(2000)).toBe(other);
  });

  test("gives an item that was removed no more", () => {
    const item = new Item(1);
    const heap = heapOf(item);
    heap.remove(item);
    expect(heap.findExpired(Infinity)).toBeUndefined();
  });

  test.each([1, 2, 3, 4])("agrees with a list, whatever is done to it (seed %p)", (seed) => {
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
      if (expired === undefined) continue;
      expect(list).toContain(expired);
      expect(expired.expiresAt).toBeLessThanOrEqual(now);
      drop(expired);
      found++;
    }
    expect(found).toBeGreaterThan(100);
  });

  test("looks only at what has expired, however much there is", () => {
    const heap = heapOf(...Array.from({ length: 10_000 }, (_, index) => new Item(1000 + index)));
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
