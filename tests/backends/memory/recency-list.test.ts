import { describe, expect, test } from "bun:test";

import type { Listed } from "../../../src/backends/memory/recency-list.ts";
import { RecencyList } from "../../../src/backends/memory/recency-list.ts";
import { seededRandom } from "../../support/arbitraries/random.ts";

class Item implements Listed<Item> {
  older: Item | undefined = undefined;
  newer: Item | undefined = undefined;
}

/** The items from the oldest to the newest, and whether the way back meets the same. */
function itemsOf(list: RecencyList<Item>): Item[] {
  const items: Item[] = [];
  for (let item = list.oldest; item !== undefined; item = item.newer) items.push(item);
  const back: Item[] = [];
  for (let item = list.newest; item !== undefined; item = item.older) back.unshift(item);
  expect(back.length).toBe(items.length);
  expect(back.every((item, index) => item === items[index])).toBe(true);
  return items;
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
    expect(itemsOf(list)).toEqual([second, third, first]);
    expect(list.oldest).toBe(second);
  });

  test("inserts an item behind the one that it is given, and without one as the oldest", () => {
    const list = new RecencyList<Item>();
    const items = [new Item(), new Item(), new Item(), new Item()] as const;
    list.insert(items[1], undefined);
    list.insert(items[3], items[1]);
    list.insert(items[0], undefined);
    list.insert(items[2], items[1]);
    expect(itemsOf(list).map((item) => items.indexOf(item))).toEqual([0, 1, 2, 3]);
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
        const [added, inserted] = [new Item(), new Item()];
        list.add(added);
        model.push(added);
        const place = random(model.length + 1);
        list.insert(inserted, model[place - 1]);
        model.splice(place, 0, inserted);
        continue;
      }
      model = model.filter((other) => other !== item);
      if (random(3) === 0) {
        list.remove(item);
      } else {
        list.use(item);
        model.push(item);
      }
      const order = itemsOf(list);
      expect(order.length).toBe(model.length);
      expect(order.every((one, index) => one === model[index])).toBe(true);
    }
  });
});
