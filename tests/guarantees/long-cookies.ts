/** Headers that have made parsers slow, of so many bytes. */
export const LONG_COOKIES: Readonly<Record<string, (size: number) => string>> = {
  "a long value": (size) => fill("x", size, "session_id="),
  "a long value that ends in blanks": (size) => fill(" ", size, "session_id=x"),
  "a long value in which blanks end": (size) => `${fill(" ", size - 1, "session_id=x")}x`,
  "blanks before the name": (size) => `x=1;${fill(" ", size)}session_id=x`,
  "blanks without a semicolon before the name": (size) => `x${fill(" ", size)}session_id=x`,
  semicolons: (size) => fill(";", size),
  "blanks between semicolons": (size) => fill(";   \t", size),
  "names without values": (size) => fill("session_id;", size),
  "the beginning of the name": (size) => fill("session_i", size),
  "the name in the name": (size) => fill("session_idsession_id=", size),
  "the name in a value": (size) => fill("a=session_id=x;", size),
  "the name in one value": (size) => fill("session_id=", size, "a="),
  "the name behind many blanks": (size) => fill(`a${" ".repeat(50)}session_id=x;`, size),
  "the name twice, far apart": (size) => `session_id=x;${fill("a=b;", size)}session_id=x`,
  "many cookies": (size) => fill("a=b; ", size),
  "many cookies, and the one": (size) => `${fill("a=b; ", size)}session_id=${"A".repeat(43)}`,
  "bytes that are no ASCII": (size) => fill("\u00a0session_id=\u00ff;", size),
};

/** So many bytes of the same over and over, behind a start. */
function fill(text: string, size: number, start = ""): string {
  return start + text.repeat(Math.ceil(size / text.length)).slice(0, size - start.length);
}
