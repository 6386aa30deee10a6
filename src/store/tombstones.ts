import type { ForwardingNote } from "./record.ts";

/** So many ids are remembered at least. At a thousand logouts a second that is 50 seconds' worth. */
const GENERATION = 50_000;

/**
 * The ids under which sessions ended recently, for stores that would take a late write for a new
 * session, and the notes under those that were rotated. Of two generations the older one is dropped as
 * a whole when the younger is full: to take the oldest ids out of a Map one by one gets slower with
 * each, because it keeps their places.
 */
export class Tombstones {
  readonly #size: number;
  #recent = new Map<string, ForwardingNote | undefined>();
  #older = new Map<string, ForwardingNote | undefined>();

  /** Remembers the last `size` ids at least, and at most twice as many. */
  constructor(size = GENERATION) {
    this.#size = size;
  }

  has(id: string): boolean {
    return this.#recent.has(id) || this.#older.has(id);
  }

  /** The note that was left under an id, expired or not. */
  findNote(id: string): ForwardingNote | undefined {
    return this.#recent.has(id) ? this.#recent.get(id) : this.#older.get(id);
  }

  add(id: string, note?: ForwardingNote): void {
    if (this.#recent.size >= this.#size) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(id, note);
  }

  delete(id: string): void {
    this.#recent.delete(id);
    this.#older.delete(id);
  }
}
