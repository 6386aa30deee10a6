/**
 * The one store behind every library: a map that answers after a few milliseconds, as a database on the
 * network does, and that can be told to fail.
 */
export class SlowStore {
  #rows = new Map();
  /** How often it was asked to do something, by name. */
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

  /** Inserts or overwrites, which is what all these libraries ask of their stores. */
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
