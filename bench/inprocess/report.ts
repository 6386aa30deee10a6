/** How long a request takes, in microseconds, over many rounds. */
export interface Figure {
  readonly lowest: number;
  readonly median: number;
  /** The lowest, as a multiple of the base's lowest. */
  readonly ratio: number;
}

/**
 * Other work on the machine only adds to a time: so the lowest is the most accurate, and the median
 * says how quiet the machine was.
 */
export function toFigures(
  times: ReadonlyMap<string, readonly number[]>,
  base: string,
): Map<string, Figure> {
  const unit = Math.min(...(times.get(base) ?? []));
  return new Map(
    [...times].map(([name, rounds]) => {
      const lowest = Math.min(...rounds);
      return [name, { lowest, median: findMedian(rounds), ratio: lowest / unit }];
    }),
  );
}

/** The row of a table for the terminal. */
export function toRow(
  { lowest, median, ratio }: Figure,
  target: number | undefined,
): Record<string, string> {
  return {
    "lowest, µs": lowest.toFixed(2),
    "median, µs": median.toFixed(2),
    "× by hand": ratio.toFixed(2),
    target: target === undefined ? "" : `≤ ${target.toFixed(2)}`,
    "": target === undefined ? "" : ratio <= target ? "met" : "missed",
  };
}

/** The middle one; of an even number, the upper of the two in the middle. */
function findMedian(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? NaN;
}
