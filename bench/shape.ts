/** A curve: what is measured, `y`, as the work, `x`, grows. */
export type Curve = readonly { readonly x: number; readonly y: number }[];

/** The shape of a curve from end to end. `falling` and `rising` are far less than proportional. */
export type Kind = "falling" | "flat" | "rising" | "proportional" | "steeper";

export interface Shape {
  readonly kind: Kind;
  /** The last `y` divided by the first. */
  readonly factor: number;
  /** The last `x` divided by the first. */
  readonly growth: number;
  /** The best linear fit, for costs with a fixed part and a part per unit. */
  readonly fixed: number;
  readonly perUnit: number;
}

/** Within this factor, a curve counts as flat, because rounds differ as much. */
const NOISE = 1.25;

/** The exponents above which growth counts as proportional, and as steeper. */
const PROPORTIONAL = 0.75;
const STEEPER = 1.25;

/** @throws Error for a curve of fewer than two points. */
export function findShape(curve: Curve): Shape {
  const [first, last] = [curve[0], curve.at(-1)];
  if (first === undefined || last === undefined || curve.length < 2) {
    throw new Error("A curve needs two points.");
  }
  const factor = last.y / first.y;
  const growth = last.x / first.x;
  return {
    kind: toKind(factor, Math.log(factor) / Math.log(growth)),
    factor,
    growth,
    ...fit(curve),
  };
}

function toKind(factor: number, exponent: number): Kind {
  if (factor < 1 / NOISE) return "falling";
  if (factor <= NOISE) return "flat";
  if (exponent < PROPORTIONAL) return "rising";
  return exponent <= STEEPER ? "proportional" : "steeper";
}

/** Least squares of the relative error: otherwise the largest point would dominate. */
function fit(curve: Curve): { fixed: number; perUnit: number } {
  let [w, wx, wxx, wy, wxy] = [0, 0, 0, 0, 0];
  for (const { x, y } of curve) {
    const weight = 1 / y ** 2;
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
    wy += weight * y;
    wxy += weight * x * y;
  }
  const perUnit = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  return { perUnit, fixed: (wy - perUnit * wx) / w };
}

/** The known reason for each kind of curve of one measure. */
export type Reasons = Readonly<Partial<Record<Kind, string>>>;

/** The curve's shape in a sentence, with the reason if it is known. */
export function describeShape(name: string, what: string, curve: Curve, reasons: Reasons): string {
  const { kind, factor, growth } = findShape(curve);
  const [first, last] = [curve[0], curve.at(-1)];
  const change = Math.round(100 * Math.abs(factor - 1));
  const words = {
    falling: `falls to ${factor.toFixed(2)} ×`,
    flat: `changes by ${change} % only`,
    rising: `grows ${format(factor)} × where the work grows ${growth.toLocaleString("en")} ×`,
    proportional: `grows ${format(factor)} ×, in proportion`,
    steeper: `grows ${format(factor)} ×, more than in proportion`,
  }[kind];
  const reason = reasons[kind] ?? "which is not expected: measure again, or look into it";
  return (
    `**${name}**: from ${first?.x.toLocaleString("en")} to ${last?.x.toLocaleString("en")} ${what}, the cost ${words} ` +
    `(${format(first?.y ?? NaN)} to ${format(last?.y ?? NaN)} µs), ${reason}.`
  );
}

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
