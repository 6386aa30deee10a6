/** Characters that a terminal obeys instead of showing: controls, and those that reorder a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Makes text from the wire safe for a log: writes `\u{1b}` in place of an escape character. Pass
 * the result to the console as the argument of a `%s`, never first: the first argument is a format.
 */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}

/**
 * The same for an error; one without such characters is returned itself, as the console shows it
 * best.
 */
export function escapeError(error: unknown): unknown {
  const text = typeof error === "string" ? error : Bun.inspect(error);
  const escaped = text.replace(/[^\n\t]+/g, escapeControls);
  return escaped === text ? error : escaped;
}
