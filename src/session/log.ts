/** What a terminal obeys instead of showing it: control characters, and those that reorder a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Text from the wire as it may stand in a log: `\u{1b}` in place of an escape character. Pass it to the
 * console behind a first argument of ours, with `%s`: of several arguments, the console takes the first
 * for a format.
 */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}

/** The same for an error: as it is, which the console shows best, unless it holds such characters. */
export function escapeError(error: unknown): unknown {
  const text = typeof error === "string" ? error : Bun.inspect(error);
  const escaped = text.replace(/[^\n\t]+/g, escapeControls);
  return escaped === text ? error : escaped;
}
