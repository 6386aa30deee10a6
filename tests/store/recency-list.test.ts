import { describe, expect, test } from "bun:test";

import type { Listed } from "../../src/store/recency-list.ts";
import { RecencyList } from "../../src/store/recency-list.ts";
import { seededRandom } from "../support/arbitraries/random.ts";

class Item implements Listed<Item> {
  older: Item | undefined = undefined;
  newer: Item | undefined = undefined;
}

/** The items from the oldest to the newest, and whether the way back meets the same. */
function listItems(list: RecencyList<Item>): Item[] {
  const items: Item[] = [];
  for (let item = list.oldest; item !== undefined; item = item.newer) items.push(item);
  const back: Item[] = [];
  for (let item = list.newest; item !== undefined; item = item.older) back.unshift(item);
  expect(back.length).toBe(items.length);
  expect(back.every((item, index) => item === items[index])).toBe(true);
  return items;
}

describe("RecencyList", () => {
  test("agrees with an array after any sequence of operations", () => {
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
        // Nothing is kept alive by what was removed.
        expect(item).toEqual(new Item());
      } else {
        list.use(item);
        model.push(item);
      }
      const order = listItems(list);
      expect(order.length).toBe(model.length);
      expect(order.every((one, index) => one === model[index])).toBe(true);
    }
    for (const item of model) list.remove(item);
    expect([list.oldest, list.newest]).toEqual([undefined, undefined]);
  });
});
