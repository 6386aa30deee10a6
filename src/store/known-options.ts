/** A suggested name differs from the misspelled one in at most two letters, and in fewer than half. */
const MOST_MISTAKES = 2;

/**
 * Refuses unknown options: a misspelled option would otherwise silently leave the default in force.
 *
 * @throws TypeError that names a known option that resembles it, or else all of them.
 */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  // Not every program is type-checked.
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${what} takes an object of options, such as { ${known[0]}: … }.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(`${what} has no option \`${name}\`. ${suggest(name, known)}`);
  }
}

/** @throws TypeError unless the value of an option is a function, or left out. */
export function checkFunction(name: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw new TypeError(
    `\`${name}\` is ${String(value)}; it has to be a function. Leave it out for the default.`,
  );
}

function suggest(name: string, known: readonly string[]): string {
  const [nearest = ""] = known.toSorted(
    (one, other) => distance(name, one) - distance(name, other),
  );
  const mistakes = distance(name, nearest);
  const similar =
    mistakes <= MOST_MISTAKES && mistakes < name.length / 2
      ? nearest
      : known.find((each) => isPart(name, each) || isPart(each, name));
  if (similar !== undefined) return `Did you mean \`${similar}\`?`;
  return `Its options are ${known.map((each) => `\`${each}\``).join(", ")}.`;
}

/** Whether a name ends or begins with another, ignoring case: `backend` is part of `sessionBackend`. */
function isPart(part: string, whole: string): boolean {
  const [one, other] = [part.toLowerCase(), whole.toLowerCase()];
  return other.startsWith(one) || other.endsWith(one);
}

/** The Levenshtein distance between two names, ignoring case. */
function distance(one: string, other: string): number {
  const target = other.toLowerCase();
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one.toLowerCase()].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= target.length; column++) {
      const changed = (row[column - 1] ?? 0) + (target[column - 1] === letter ? 0 : 1);
      next.push(Math.min(changed, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
