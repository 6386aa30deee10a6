import { expect, test } from "bun:test";

import { seededRandom } from "../support/arbitraries/random.ts";
import { TRIALS } from "../support/trials.ts";

/** Where random choices begin. */
const SEED = Number(process.env["SEED"] ?? 1);

/** How long a figure may take, in milliseconds. It ends what hangs, and nothing else. */
const TIMEOUT = TRIALS === "full" ? 30 * 60_000 : 10 * 60_000;

/** A limit on time is 50 times as high in a suite, whose machine may be busy with anything. */
export const SLACK = TRIALS === "full" ? 1 : 50;

/** Something that is promised, and how often it is tried. */
export interface Figure {
  /** Its number: "G8". */
  readonly id: string;
  /** What holds, as a sentence: "a visitor without a cookie costs nothing". */
  readonly name: string;
  /** The part of the name that says what it is tried on, if there are others: "SqliteSessionBackend". */
  readonly on?: string;
  /** How many trials `bun run test` makes. Without it, none: they take seconds. */
  readonly quick?: number | undefined;
  /** How many `bun run check` makes, and `bun test`. */
  readonly gate: number;
  /** How many `bun run guarantees` makes. */
  readonly full: number;
  /** What the trials are, in the plural: "requests". */
  readonly of: string;
  /** Whether it mostly waits: `bun run guarantees` then tries several of its kind at once. */
  readonly waits?: boolean;
}

/** One thing that came out. Without a value it is a fact that is no promise by itself. */
export interface Outcome {
  readonly what: string;
  /** As people read it: "0 in 1,000", "4.2 ms". */
  readonly value?: string;
  /** How often it was seen, of how often it could have been. */
  readonly count?: number;
  readonly outOf?: number;
  /** What a measured value may be at most: "10 ms". */
  readonly limit?: string;
}

/** What a figure's process tells `bun run guarantees`. */
export type Report =
  | { readonly type: "begun"; readonly figure: Figure }
  | { readonly type: "progress"; readonly done: number }
  | {
      readonly type: "ended";
      readonly figure: Figure;
      readonly outcomes: readonly Outcome[];
      readonly seconds: number;
      /** What did not hold, if something did not. */
      readonly failure: string | undefined;
    };

/** One run of a figure. What comes out is checked and kept by the same call. */
export class Trial {
  /** How many trials there are this time. */
  readonly size: number;
  /** Where random choices begin: the same seed makes the same choices. */
  readonly seed = SEED;
  /** Whole numbers below the limit that is asked for. */
  readonly random = seededRandom(SEED);
  readonly outcomes: Outcome[] = [];

  constructor(figure: Figure) {
    this.size = figure[TRIALS] ?? 0;
  }

  /** For `fc.assert`: as many runs as there are trials, from the seed. */
  get runs(): { readonly numRuns: number; readonly seed: number } {
    return { numRuns: this.size, seed: this.seed };
  }

  /** Says how many trials are done. */
  progress(done: number): void {
    tell({ type: "progress", done });
  }

  /** Checks that something never happened: `never("rows", rows)`. Given the cases, it shows some. */
  never(what: string, cases: number | readonly unknown[], outOf = this.size): void {
    if (typeof cases === "number") expect(cases, what).toBe(0);
    else expect(cases.slice(0, 3), what).toEqual([]);
    this.outcomes.push({ what, value: `0 in ${number(outOf)}`, count: 0, outOf });
  }

  /** Checks that something happened every time: `always("opened", opened)`. */
  always(what: string, count: number, outOf = this.size): void {
    expect(count, what).toBe(outOf);
    this.outcomes.push({ what, value: `${number(count)} of ${number(outOf)}`, count, outOf });
  }

  /** Checks a measured value, such as `atMost("longest stall", 4.2, 10, "ms")`. */
  atMost(what: string, value: number, limit: number, unit: string): void {
    expect(value, what).toBeLessThanOrEqual(limit * SLACK);
    const [measured, most] = [value, limit].map((each) => `${number(each)} ${unit}`);
    this.outcomes.push({ what, value: measured ?? "", limit: most ?? "" });
  }

  /** Keeps a fact that is no promise by itself. */
  note(fact: string): void {
    this.outcomes.push({ what: fact });
  }
}

/** A test that shows a figure of this name, at the size of this run, if it has one. */
export function guarantee(
  name: string,
  options: Omit<Figure, "name">,
  show: (trial: Trial) => Promise<void> | void,
): void {
  const figure = { name, ...options };
  if (figure[TRIALS] === undefined) return;
  const begin = figure.waits === true && TRIALS === "full" ? test.concurrent : test;
  begin(
    `${figure.id}: ${figure.name}`,
    async () => {
      tell({ type: "begun", figure });
      const begun = performance.now();
      const trial = new Trial(figure);
      const end = (failure?: string): void => {
        const seconds = (performance.now() - begun) / 1000;
        tell({ type: "ended", figure, outcomes: trial.outcomes, seconds, failure });
      };
      try {
        await show(trial);
      } catch (error) {
        end(describeReason(error));
        throw error;
      }
      end();
    },
    TIMEOUT,
  );
}

/** What went wrong, in one line: `fc.assert` tells what it was in the cause of its error alone. */
function describeReason(error: unknown): string {
  const reasons = error instanceof Error && error.cause ? [error.cause, error] : [error];
  return reasons.map((reason) => Bun.stripANSI(String(reason)).replaceAll(/\s+/g, " ")).join(" ");
}

/** A number as people read it, to two decimals. */
export function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

function tell(report: Report): void {
  process.send?.(report);
}
