import type { Result, Sample } from "./measure.ts";

/** The middle one; of an even number the mean of both. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** CPU time for each request, in microseconds. Other work on the machine only adds to it. */
export interface Figure {
  readonly lowest: number;
  readonly median: number;
}

export function toFigure(samples: readonly Sample[]): Figure {
  const times = samples.map(({ microseconds }) => microseconds);
  return { lowest: times.length === 0 ? NaN : Math.min(...times), median: median(times) };
}

/** How many times as much one takes as another: the median of the rounds, and their range. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Computed within each round, in which both were measured within seconds, so that slow periods cancel out. */
export function findRatio(one: readonly Sample[], other: readonly Sample[]): Ratio {
  const ratios = one.flatMap(({ microseconds }, round) => {
    const base = other[round];
    return base === undefined ? [] : [microseconds / base.microseconds];
  });
  if (ratios.length === 0) return { median: NaN, lowest: NaN, highest: NaN };
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** The samples of the matching result; none if it was not measured. */
export function findSamples(
  results: readonly Result[],
  isMeant: (result: Result) => boolean,
): readonly Sample[] {
  return results.find(isMeant)?.samples ?? [];
}
