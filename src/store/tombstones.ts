import type { ForwardingNote } from "./record.ts";

/** The fewest ids that are remembered: 50 seconds' worth at a thousand logouts a second. */
const GENERATION = 50_000;

/**
 * The ids of sessions that ended recently, for stores that would take a late write for a new
 * session, and the notes under ids that were rotated. Ids are kept in two generations, and the
 * older one is dropped as a whole: deleting a Map's oldest keys one by one gets slower with each,
 * because the Map keeps their slots.
 */
export class Tombstones {
  readonly #size: number;
  #recent = new Map<string, ForwardingNote | undefined>();
  #older = new Map<string, ForwardingNote | undefined>();

  /** Remembers at least the last `size` ids and at most twice as many. */
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
