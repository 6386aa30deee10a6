import { decode, merge, toDictionary } from "./json.ts";

/** The contents of a session, as the JSON texts that are stored. */
export interface Contents {
  /** JSON text of the dictionary. */
  readonly data: string;
  /** JSON text of the flash messages by name; `null` for none. */
  readonly flash: string | null;
}

/** The contents of an empty session. */
export const EMPTY: Contents = { data: "{}", flash: null };

export function isEmpty({ data, flash }: Contents): boolean {
  return data === EMPTY.data && flash === null;
}

export function isSame(one: Contents, other: Contents): boolean {
  return one.data === other.data && one.flash === other.flash;
}

/** Merged contents. */
export interface Merged extends Contents {
  /** The keys that both sides had changed to different values: `mine` was kept. */
  readonly overwritten: readonly string[];
}

/**
 * Three-way merge of both texts, key by key: applies the changes from `base` to `mine` to `theirs`.
 * A flash message that was taken is removed only if `theirs` still has the same one: nobody has
 * seen another that was left under its name.
 */
export function mergeContents(base: Contents, mine: Contents, theirs: Contents): Merged {
  const { merged, overwritten } = merge(parse(base.data), parse(mine.data), parse(theirs.data));
  const flash = mergeFlash(readFlash(base.flash), readFlash(mine.flash), readFlash(theirs.flash));
  return {
    data: JSON.stringify(merged),
    flash: flash === "{}" ? null : flash,
    overwritten,
  };
}

function mergeFlash(base: Messages, mine: Messages, theirs: Messages): string {
  for (const name of Object.keys(base)) {
    const isOther = JSON.stringify(theirs[name]) !== JSON.stringify(base[name]);
    // Without its base, an absent message counts as unchanged.
    if (mine[name] === undefined && isOther) delete base[name];
  }
  return JSON.stringify(merge(base, mine, theirs).merged);
}

/** Flash messages by name. */
type Messages = Record<string, unknown>;

/** The flash messages in a record, as a new dictionary. */
export function readFlash(flash: string | null): Messages {
  return toDictionary(parse(flash ?? "{}"));
}

function parse(text: string): Record<string, unknown> {
  return decode(text) ?? {};
}
