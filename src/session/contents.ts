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
 */
export function mergeContents(base: Contents, mine: Contents, theirs: Contents): Merged {
  const data = mergeTexts(base.data, mine.data, theirs.data);
  const flash = mergeTexts(base.flash ?? "{}", mine.flash ?? "{}", theirs.flash ?? "{}");
  return {
    data: data.text,
    flash: flash.text === "{}" ? null : flash.text,
    overwritten: data.overwritten,
  };
}

function mergeTexts(
  base: string,
  mine: string,
  theirs: string,
): { readonly text: string; readonly overwritten: readonly string[] } {
  const { merged, overwritten } = merge(parse(base), parse(mine), parse(theirs));
  return { text: JSON.stringify(merged), overwritten };
}

/** The flash messages in a record, as a new dictionary. */
export function readFlash(flash: string | null): Record<string, unknown> {
  return toDictionary(parse(flash ?? "{}"));
}

function parse(text: string): Record<string, unknown> {
  return decode(text) ?? {};
}
