/** A source of whole numbers below the limit that is asked for. */
export type Random = (limit: number) => number;

/** A source of numbers below `limit` that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** One of these, at random. */
export function pick<T>(from: ArrayLike<T>, random: Random): T {
  return from[random(from.length)] as T;
}
