/**
 * Refuses unknown options: a misspelled option would otherwise silently leave the default in force.
 *
 * @throws TypeError that names the closest known option.
 */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = known.toSorted((one, other) => distance(name, one) - distance(name, other))[0];
    throw new TypeError(`${what} has no option \`${name}\`. Did you mean \`${nearest}\`?`);
  }
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
