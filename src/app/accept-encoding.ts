/** The content codings for responses, by their names in HTTP; the best first. */
const CODINGS = ["zstd", "br", "gzip"] as const;

export type Coding = (typeof CODINGS)[number];

/** A quality value (RFC 9110, 12.4.2): 1 if absent, 0 if malformed. */
const WEIGHT = /^\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i;

/**
 * The coding that a client prefers (RFC 9110, 12.5.3), of equally preferred ones the first of
 * {@link CODINGS}; `undefined` if it accepts none of them or prefers an uncompressed response.
 */
export function chooseCoding(accepted: string | null): Coding | undefined {
  const weights = new Map((accepted ?? "").split(",").map(parseCoding));
  const others = weights.get("*") ?? 0;
  const weigh = (coding: string): number => weights.get(coding) ?? others;
  const identity = weights.get("identity") ?? 0;
  return CODINGS.filter((coding) => weigh(coding) > 0 && weigh(coding) >= identity).toSorted(
    (one, other) => weigh(other) - weigh(one),
  )[0];
}

function parseCoding(text: string): [coding: string, weight: number] {
  const [coding = "", parameter] = text.split(";");
  const weight = parameter === undefined ? "1" : (WEIGHT.exec(parameter)?.[1] ?? "0");
  return [coding.trim().toLowerCase(), Number(weight)];
}
