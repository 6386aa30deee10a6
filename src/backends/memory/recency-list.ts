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

  /** The item that was used last. */
  get newest(): Item | undefined {
    return this.#newest;
  }

  /** Adds an item as the one used last. */
  add(item: Item): void {
    this.insert(item, this.#newest);
  }

  /** Adds an item as the one used next after `older`; without that, as the one used longest ago. */
  insert(item: Item, older: Item | undefined): void {
    const newer = older === undefined ? this.#oldest : older.newer;
    item.older = older;
    item.newer = newer;
    if (older === undefined) this.#oldest = item;
    else older.newer = item;
    if (newer === undefined) this.#newest = item;
    else newer.older = item;
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
