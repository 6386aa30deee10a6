/**
 * The store behind every library: a map that answers after a few milliseconds, like a database on the
 * network, and that can be made to fail.
 */
export class SlowStore {
  #rows = new Map();
  /** How often each operation was called, by name. */
  counts = { read: 0, write: 0, delete: 0 };
  failsReads = false;
  failsWrites = false;

  async read(id) {
    this.counts.read++;
    await Bun.sleep(2);
    if (this.failsReads) throw new Error("The store is down.");
    const text = this.#rows.get(id);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** Inserts or overwrites, as all these libraries require of their stores. */
  async write(id, data) {
    this.counts.write++;
    const text = JSON.stringify(data);
    await Bun.sleep(2);
    if (this.failsWrites) throw new Error("The store is down.");
    this.#rows.set(id, text);
  }

  async delete(id) {
    this.counts.delete++;
    await Bun.sleep(2);
    if (this.failsWrites) throw new Error("The store is down.");
    this.#rows.delete(id);
  }
}
