/** An item of the list, linked to its neighbours. */
export interface Listed<Self> {
  older: Self | undefined;
  newer: Self | undefined;
}

/** A linked list of items in order of use. Every operation takes constant time. */
export class RecencyList<Item extends Listed<Item>> {
  #oldest: Item | undefined;
  #newest: Item | undefined;

  /** The least recently used item. */
  get oldest(): Item | undefined {
    return this.#oldest;
  }

  /** The most recently used item. */
  get newest(): Item | undefined {
    return this.#newest;
  }

  /** Adds an item as the most recently used. */
  add(item: Item): void {
    this.insert(item, this.#newest);
  }

  /** Inserts an item after `older`; without `older`, as the least recently used. */
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

  /** Makes an item the most recently used. */
  use(item: Item): void {
    if (this.#newest === item) return;
    this.remove(item);
    this.add(item);
  }
}
