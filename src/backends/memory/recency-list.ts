/** What the list keeps: its neighbours. */
export interface Listed<Self> {
  older: Self | undefined;
  newer: Self | undefined;
}

/** Items in the order in which they were last used. Every operation takes constant time. */
export class RecencyList<Item extends Listed<Item>> {
  #oldest: Item | undefined;
  #newest: Item | undefined;

  /** The item that was used longest ago. */
  get oldest(): Item | undefined {
    return this.#oldest;
  }

  /** From the oldest to the newest. */
  *[Symbol.iterator](): Generator<Item> {
    for (let item = this.#oldest; item !== undefined; item = item.newer) yield item;
  }

  add(item: Item): void {
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  remove(item: Item): void {
    const { older, newer } = item;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    item.older = undefined;
    item.newer = undefined;
  }

  /** Makes the item the one used last. */
  use(item: Item): void {
    if (this.#newest === item) return;
    this.remove(item);
    this.add(item);
  }
}
