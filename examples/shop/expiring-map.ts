/** A map whose entries expire; when there are too many, the oldest is dropped. */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAt: number }>();
  readonly #lifetime: number;
  readonly #maxSize: number;
  readonly #now: () => number;

  /** `lifetime` is in milliseconds. */
  constructor(lifetime: number, maxSize: number, now: () => number) {
    this.#lifetime = lifetime;
    this.#maxSize = maxSize;
    this.#now = now;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > this.#now() ? entry.value : undefined;
  }

  /** Returns the value, and removes it. */
  take(key: string): Value | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, expiresAt: this.#now() + this.#lifetime });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#maxSize && oldest !== undefined) this.#entries.delete(oldest);
  }
}
