/**
 * What a header says of a cookie, read as RFC 6265bis has it and without Bunpie's code: pairs stand
 * between semicolons, spaces and tabs around them do not count, and everything else does. Where it
 * is said several times, the first four different values count.
 */
export function valuesIn(header: string, name: string): readonly string[] {
  const pairs = header.split(";").map(trimSpaces);
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`));
  const trimmed = values.map((pair) => trimSpaces(pair.slice(name.length + 1)));
  return [...new Set(trimmed)].slice(0, 4);
}

function trimSpaces(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

/** Whether it is 32 bytes, in the one spelling that they have. */
export function isWellFormed(value: string): boolean {
  const bytes = Buffer.from(value, "base64url");
  return bytes.length === 32 && bytes.toString("base64url") === value;
}
