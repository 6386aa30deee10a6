import { decode, merge, toDictionary } from "./json.ts";

/** What a session holds, as the texts that are stored. */
export interface Contents {
  /** JSON text of the dictionary. */
  readonly data: string;
  /** JSON text of the messages by name; `null` for none. */
  readonly flash: string | null;
}

/** What a session holds that holds nothing. */
export const EMPTY: Contents = { data: "{}", flash: null };

export function isEmpty({ data, flash }: Contents): boolean {
  return data === EMPTY.data && flash === null;
}

export function isSame(one: Contents, other: Contents): boolean {
  return one.data === other.data && one.flash === other.flash;
}

/** Contents that were merged, and the keys that both sides had changed: there `mine` is kept. */
export interface Merged extends Contents {
  readonly overwritten: readonly string[];
}

/** Three-way merge of both texts, key by key: what changed from `base` to `mine`, in `theirs`. */
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

/** The messages in a record, as a dictionary of their own. */
export function readFlash(flash: string | null): Record<string, unknown> {
  return toDictionary(parse(flash ?? "{}"));
}

function parse(text: string): Record<string, unknown> {
  return decode(text) ?? {};
}
