import { expect, test } from "bun:test";

import { seededRandom } from "../support/random.ts";

/** What `bun run guarantees` sets: the full sizes, and where random choices begin. */
const IS_FULL = process.env["GUARANTEES"] === "full";
const SEED = Number(process.env["SEED"] ?? 1);

const QUICK_TIMEOUT = 60_000;
const FULL_TIMEOUT = 30 * 60_000;

/** A figure that measures time is held to its limit where nothing else runs, and loosely beside others. */
const SLACK = IS_FULL ? 1 : 50;

/** Something that is promised, and how often it is tried. */
export interface Figure {
  /** Its number: "G8". */
  readonly id: string;
  /** What holds, as a sentence: "a visitor without a cookie costs nothing". */
  readonly name: string;
  /** How many trials there are in `bun test`, and how many in `bun run guarantees`. */
  readonly quick: number;
  readonly full: number;
  /** What the trials are, in the plural: "requests". */
  readonly of: string;
}

/** What a figure's process tells `bun run guarantees`. */
export type Report =
  | { readonly type: "begun"; readonly figure: Figure }
  | { readonly type: "progress"; readonly done: number }
  | {
      readonly type: "ended";
      readonly outcomes: readonly string[];
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
  readonly outcomes: string[] = [];

  constructor(figure: Figure) {
    this.size = sizeOf(figure);
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
    this.outcomes.push(`0 ${what} in ${number(outOf)}`);
  }

  /** Checks that something happened every time: `always("opened", opened)`. */
  always(what: string, count: number, outOf = this.size): void {
    expect(count, what).toBe(outOf);
    this.outcomes.push(`${what}: ${number(count)} of ${number(outOf)}`);
  }

  /** Checks a measured value, such as `atMost("longest stall", 4.2, 10, "ms")`. */
  atMost(what: string, value: number, limit: number, unit: string): void {
    expect(value, what).toBeLessThanOrEqual(limit * SLACK);
    this.outcomes.push(`${what} ${number(value)} ${unit} (limit ${number(limit)})`);
  }

  /** Keeps a fact that is no promise by itself. */
  note(fact: string): void {
    this.outcomes.push(fact);
  }
}

/** A test that shows a figure: small in `bun test`, in full size in `bun run guarantees`. */
export function guarantee(figure: Figure, show: (trial: Trial) => Promise<void> | void): void {
  test(
    `${figure.id}: ${figure.name}`,
    async () => {
      tell({ type: "begun", figure });
      const begun = performance.now();
      const trial = new Trial(figure);
      const end = (failure?: string): void => {
        const seconds = (performance.now() - begun) / 1000;
        tell({ type: "ended", outcomes: trial.outcomes, seconds, failure });
      };
      try {
        await show(trial);
      } catch (error) {
        end(reasonOf(error));
        throw error;
      }
      end();
    },
    IS_FULL ? FULL_TIMEOUT : QUICK_TIMEOUT,
  );
}

/** What went wrong, in one line: `fc.assert` tells what it was in the cause of its error alone. */
function reasonOf(error: unknown): string {
  const reasons = error instanceof Error && error.cause ? [error.cause, error] : [error];
  return reasons.map((reason) => Bun.stripANSI(String(reason)).replaceAll(/\s+/g, " ")).join(" ");
}

/** How many trials a figure has in this run. */
export function sizeOf({ quick, full }: Figure): number {
  return IS_FULL ? full : quick;
}

/** A number as people read it, to two decimals. */
export function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

function tell(report: Report): void {
  process.send?.(report);
}
