/** So many ids are remembered at least. At a thousand logouts a second that is 50 seconds' worth. */
const GENERATION = 50_000;

/**
 * The ids that were destroyed of late, for stores that would take a late write for a new session. Of
 * two generations the older one is dropped as a whole when the younger is full: to take the oldest
 * ids out of a Map one by one gets slower with each, because it keeps their places.
 */
export class Tombstones {
  readonly #size: number;
  #recent = new Set<string>();
  #older = new Set<string>();

  /** Remembers the last `size` ids at least, and at most twice as many. */
  constructor(size = GENERATION) {
    this.#size = size;
  }

  has(id: string): boolean {
    return this.#recent.has(id) || this.#older.has(id);
  }

  add(id: string): void {
    if (this.#recent.size >= this.#size) {
      this.#older = this.#recent;
      this.#recent = new Set();
    }
    this.#recent.add(id);
  }

  delete(id: string): void {
    this.#recent.delete(id);
    this.#older.delete(id);
  }
}
