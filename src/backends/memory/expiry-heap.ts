/** An item of the heap. */
export interface Expiring {
  readonly expiresAt: number;
  /** The key that orders the heap: at or before `expiresAt`, never after it. */
  dueAt: number;
  /** Its index in the heap; -1 if it is not there. */
  heapIndex: number;
}

/**
 * A binary heap whose first item expires first. Postponing an expiry, the most common change, does
 * not move the item: it is moved lazily, when it reaches the top.
 */
export class ExpiryHeap<Item extends Expiring> {
  readonly #items: Item[] = [];

  add(item: Item): void {
    item.dueAt = item.expiresAt;
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  remove(item: Item): void {
    const hole = item.heapIndex;
    const last = this.#items.pop();
    item.heapIndex = -1;
    if (last === undefined || last === item) return;
    this.#rise(last, hole);
    this.#sink(last, last.heapIndex);
  }

  /** Call this after an item's `expiresAt` has changed. */
  reschedule(item: Item): void {
    if (item.expiresAt >= item.dueAt) return;
    item.dueAt = item.expiresAt;
    this.#rise(item, item.heapIndex);
  }

  /** Returns an item that has expired by `now`, if there is one, and leaves it in the heap. */
  findExpired(now: number): Item | undefined {
    for (;;) {
      const first = this.#items[0];
      if (first === undefined || first.dueAt > now) return undefined;
      if (first.expiresAt <= now) return first;
      first.dueAt = first.expiresAt;
      this.#sink(first, 0);
    }
  }

  #rise(item: Item, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(item, index);
  }

  #sink(item: Item, from: number): void {
    let index = from;
    for (;;) {
      const childIndex = this.#smallerChild(index);
      const child = this.#items[childIndex];
      if (child === undefined || child.dueAt >= item.dueAt) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(item, index);
  }

  #smallerChild(index: number): number {
    const left = this.#items[2 * index + 1];
    const right = this.#items[2 * index + 2];
    return left !== undefined && right !== undefined && right.dueAt < left.dueAt
      ? 2 * index + 2
      : 2 * index + 1;
  }

  #place(item: Item, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }
}
