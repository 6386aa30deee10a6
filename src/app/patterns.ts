/**
 * The arguments that a page gets for a pattern: `/users/:id/posts/:post?` is
 * `[id: string, post?: string]`, and `*` any number of strings.
 */
export type Segments<Pattern extends string> = Pattern extends `/${infer Rest}`
  ? SegmentList<Rest>
  : SegmentList<Pattern>;

type SegmentList<Text extends string> = Text extends `${infer Head}/${infer Rest}`
  ? [...Argument<Head>, ...SegmentList<Rest>]
  : Argument<Text>;

type Argument<Segment extends string> = Segment extends `:${string}?`
  ? [segment?: string]
  : Segment extends `:${string}`
    ? [segment: string]
    : Segment extends "*"
      ? string[]
      : [];

/** One segment of a pattern. */
export type PatternSegment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "parameter" }
  | { readonly kind: "optional" }
  | { readonly kind: "rest" };

const PARAMETER = /^:\w+(\??)$/;

/**
 * Parses a pattern such as `/users/:id`.
 *
 * @throws TypeError for a malformed pattern, with the remedy.
 */
export function parsePattern(pattern: string): readonly PatternSegment[] {
  if (!pattern.startsWith("/")) {
    throw new TypeError(`The pattern "${pattern}" has to begin with "/".`);
  }
  if (pattern === "/") return [];
  const segments = pattern
    .slice(1)
    .split("/")
    .map((text) => parseSegment(pattern, text));
  for (const [index, { kind }] of segments.entries()) {
    if (kind === "rest" && index < segments.length - 1) {
      throw new TypeError(
        `The pattern "${pattern}" has segments after "*", which takes the rest of the path. End it with "*".`,
      );
    }
    const next = segments[index + 1];
    if (kind === "optional" && next !== undefined && next.kind !== "optional") {
      throw new TypeError(
        `The pattern "${pattern}" has a segment after an optional one. Write two patterns, with and without the optional one.`,
      );
    }
  }
  return segments;
}

function parseSegment(pattern: string, text: string): PatternSegment {
  if (text === "*") return { kind: "rest" };
  const parameter = PARAMETER.exec(text);
  if (parameter !== null) return { kind: parameter[1] === "?" ? "optional" : "parameter" };
  if (text === "" || /[:*?#%\\]/.test(text)) {
    throw new TypeError(
      `The pattern "${pattern}" has the segment "${text}". A segment is plain text, ":name", ":name?" or, at the end, "*".`,
    );
  }
  return { kind: "literal", text };
}

/**
 * Checks that a path consists of plain segments, such as `/api/v1`, so that pages can be below it.
 *
 * @throws TypeError if it does not.
 */
export function checkPrefix(prefix: string): void {
  const segments = parsePattern(prefix);
  if (segments.length > 0 && segments.every(({ kind }) => kind === "literal")) return;
  throw new TypeError(
    `An app cannot be mounted at "${prefix}". Use a path of plain segments, such as "/api/v1".`,
  );
}

/** Joins a prefix and a pattern: `/users` and `/` make `/users`. */
export function joinPatterns(prefix: string, pattern: string): string {
  if (pattern === "/") return prefix === "" ? "/" : prefix;
  return prefix === "/" ? pattern : `${prefix}${pattern}`;
}

/**
 * Makes a pattern into a path with these values, percent-encoded. `:name` takes the next value, `*`
 * all that are left.
 *
 * @throws TypeError for a value that is missing, is left over, follows an omitted one, or cannot be
 *   a segment.
 */
export function fillPattern(pattern: string, values: readonly unknown[]): string {
  const rest = [...values];
  const segments = parsePattern(pattern).flatMap((segment) => {
    if (segment.kind === "literal") return [encodeURIComponent(segment.text)];
    if (segment.kind === "rest")
      return rest.splice(0).map((value) => encodeSegment(pattern, value));
    const value = rest.shift();
    if (value === undefined && segment.kind === "optional") {
      if (rest.every((next) => next === undefined)) return [];
      throw new TypeError(
        `A link to "${pattern}" got a value after a segment that is left out. Pass a value for that one too.`,
      );
    }
    return [encodeSegment(pattern, value)];
  });
  if (rest.length > 0) {
    throw new TypeError(`A link to "${pattern}" got ${values.length} values, which is too many.`);
  }
  return `/${segments.join("/")}`;
}

function encodeSegment(pattern: string, value: unknown): string {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  if (text === "" || isUnsafeSegment(text)) {
    throw new TypeError(
      `A link to "${pattern}" got ${Bun.inspect(value)} for a segment. A segment is a number or a non-empty string without "/", "\\" and NUL, other than "." and "..".`,
    );
  }
  return encodeURIComponent(text.toWellFormed());
}

/**
 * Whether a decoded segment could lead elsewhere as part of a file path or another URL (path
 * traversal).
 */
export function isUnsafeSegment(text: string): boolean {
  return text === "." || text === ".." || /[/\\\0]/.test(text);
}
