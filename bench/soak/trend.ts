import type { TimedReading } from "./reading.ts";

interface Measure {
  readonly name: string;
  readonly unit: string;
  /** Growth per hour, in `unit`, that is attributed to the scatter of measurements. */
  readonly limit: number;
  readonly read: (reading: TimedReading) => number;
  /** Whether other work on the machine affects the measure: then it is not judged on a busy machine. */
  readonly isMachines?: boolean;
}

/** What must not grow. */
const MEASURES: readonly Measure[] = [
  { name: "resident memory", unit: "MiB", limit: 60, read: ({ rss }) => rss },
  { name: "heap", unit: "MiB", limit: 10, read: ({ heap }) => heap },
  { name: "file descriptors", unit: "", limit: 10, read: ({ descriptors }) => descriptors },
  { name: "timers", unit: "", limit: 20, read: ({ timers }) => timers },
  {
    name: "lag, p50, above an idle process's",
    unit: "ms",
    limit: 5,
    read: ({ p50, idle }) => p50 - idle.p50,
    isMachines: true,
  },
];

/** The slope of one measure. */
export interface Trend {
  readonly name: string;
  /** Growth per hour, in `unit`. */
  readonly slope: number;
  readonly limit: number;
  readonly unit: string;
  /** `undefined` if the measure was not judged. */
  readonly isFlat: boolean | undefined;
}

/** The trend of each measure. `isBusy` says whether other work kept the machine busy. */
export function findTrends(readings: readonly TimedReading[], isBusy: boolean): Trend[] {
  return MEASURES.map(({ name, unit, limit, read, isMachines = false }) => {
    const slope = 60 * findSlope(readings.map((reading) => [reading.minute, read(reading)]));
    return { name, slope, limit, unit, isFlat: isMachines && isBusy ? undefined : slope <= limit };
  });
}

/**
 * The median of the slopes between all pairs of points (Theil–Sen), which a few outliers, as on a busy
 * machine, do not change.
 */
export function findSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], index) =>
    points.slice(index + 1).map(([laterX, laterY]) => (laterY - y) / (laterX - x)),
  );
  const sorted = Float64Array.from(slopes).toSorted();
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("A slope needs two points at least.");
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
