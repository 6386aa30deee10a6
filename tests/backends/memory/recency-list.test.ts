import { describe, expect, test } from "bun:test";

import type { Listed } from "../../../src/backends/memory/recency-list.ts";
import { RecencyList } from "../../../src/backends/memory/recency-list.ts";
import { seededRandom } from "../../support/random.ts";

class Item implements Listed<Item> {
  older: Item | undefined = undefined;
  newer: Item | undefined = undefined;
}

describe("RecencyList", () => {
  test("has no oldest item while it is empty, and after its last one was removed", () => {
    const list = new RecencyList<Item>();
    const item = new Item();
    expect(list.oldest).toBeUndefined();
    list.add(item);
    expect(list.oldest).toBe(item);
    list.remove(item);
    expect(list.oldest).toBeUndefined();
  });

  test("makes an item that is used the newest", () => {
    const list = new RecencyList<Item>();
    const [first, second, third] = [new Item(), new Item(), new Item()];
    for (const item of [first, second, third]) list.add(item);
    list.use(first);
    list.use(first);
    expect([...list]).toEqual([second, third, first]);
    expect(list.oldest).toBe(second);
  });

  test("lets go of an item that was removed", () => {
    const list = new RecencyList<Item>();
    const items = [new Item(), new Item(), new Item()] as const;
    for (const item of items) list.add(item);
    list.remove(items[1]);
    expect(items[1]).toEqual(new Item());
  });

  test("agrees with an array, whatever is done to it", () => {
    const random = seededRandom(1);
    const list = new RecencyList<Item>();
    let model: Item[] = [];
    for (let step = 0; step < 3000; step++) {
      const item = model[random(model.length + 1)];
      if (item === undefined) {
        const added = new Item();
        list.add(added);
        model.push(added);
        continue;
      }
      model = model.filter((other) => other !== item);
      if (random(3) === 0) {
        list.remove(item);
      } else {
        list.use(item);
        model.push(item);
      }
      const order = [...list];
      expect(order.length).toBe(model.length);
      expect(order.every((one, index) => one === model[index])).toBe(true);
    }
  });
});
