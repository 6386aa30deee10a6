import { isScriptUrl, mayBecomeScriptUrl } from "./script-url.ts";

/**
 * The place of a value in a template:
 * - `text`: between tags, in a comment, or in a quoted attribute;
 * - `unquoted`: in an attribute without quotes;
 * - `code`: in an attribute that the browser runs or parses, such as `onclick`;
 * - `raw`: in `<script>` or `<style>`;
 * - a piece: in a URL or a name.
 */
export type Place = "text" | "unquoted" | "code" | "raw" | Piece;

/** The place of a value that is safe or not only together with the text and values around it. */
export interface Piece {
  /**
   * - `url`: a quoted attribute that holds a URL;
   * - `name`: the name of an attribute, or what stands in place of an attribute;
   * - `tag`: the name of a tag.
   */
  readonly of: "url" | "name" | "tag";
  /** Whether it is the first value there. */
  readonly isFirst: boolean;
  /** The text between the value and the one before it, or the beginning. */
  readonly before: string;
  /** The text between the value and the next one, or the end. */
  readonly after: string;
}

const URL_ATTRIBUTE = /^(?:href|xlink:href|src|action|formaction|data|poster)$/i;
const CODE_ATTRIBUTE = /^(?:on.*|srcdoc)$/is;
const RAW_TAG = /^(?:script|style)$/i;
/** What separates a name from the HTML before it. */
const SEPARATOR = /[\s/<>"'=]/;

/** Stands for a value. HTML does not contain this character. */
const HOLE = "\0";

const COMMENT = /<!--(?:-?>|.*?(?:--!?>|$))/sy;
const TAG = /<(\/?[a-z\0][^\s/>]*)/iy;
const ATTRIBUTE = /[\s/]*(=?[^\s/>=]+|=)(?:\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*)))?/y;
const TAG_END = /[\s/]*>?/y;
const TEXT = /<?[^<]*/y;

/** The content of these elements ends at their own end tag, whatever it contains. */
const RAW = new Map([
  ["script", /.*?(?=<\/script[\s/>]|$)/isy],
  ["style", /.*?(?=<\/style[\s/>]|$)/isy],
]);

const found = new WeakMap<readonly string[], readonly Place[]>();

/** The place of each value in a template, in order. Each template is parsed once. */
export function findPlaces(strings: readonly string[]): readonly Place[] {
  let places = found.get(strings);
  if (places === undefined) {
    places = parsePlaces(strings);
    found.set(strings, places);
  }
  return places;
}

/** Whether an attribute of this name holds a URL that the browser follows or loads. */
export function isUrlAttribute(name: string): boolean {
  return URL_ATTRIBUTE.test(name);
}

/** Whether values are refused in an attribute or a tag with the name at the end of this HTML. */
export function isRefusedName(markup: string, of: "name" | "tag"): boolean {
  const name = markup.split(SEPARATOR).at(-1) ?? "";
  return (of === "tag" ? RAW_TAG : CODE_ATTRIBUTE).test(name);
}

function parsePlaces(strings: readonly string[]): Place[] {
  if (!Array.isArray(strings)) {
    throw new TypeError("html is the tag of a template: write html`…`, without parentheses.");
  }
  const source = strings.map((text) => text.replaceAll(HOLE, "")).join(HOLE);
  const places: Place[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    at = match === null ? at : pattern.lastIndex;
    return match;
  };
  while (at < source.length) {
    const comment = take(COMMENT);
    const [, tag] = comment === null ? (take(TAG) ?? []) : [];
    if (tag === undefined) {
      places.push(...locateHoles(comment?.[0] ?? take(TEXT)?.[0], "text"));
      continue;
    }
    places.push(...locatePieces(tag, "tag"));
    for (let attribute = take(ATTRIBUTE); attribute !== null; attribute = take(ATTRIBUTE)) {
      const [, name = "", double, single, bare] = attribute;
      places.push(...locatePieces(name, "name"));
      places.push(...locateHolesInValue(name, double ?? single), ...locateHoles(bare, "unquoted"));
    }
    take(TAG_END);
    const raw = RAW.get(tag.toLowerCase());
    if (raw !== undefined) places.push(...locateHoles(take(raw)?.[0], "raw"));
  }
  return places;
}

function locateHoles(text: string | undefined, place: Place): Place[] {
  return Array<Place>((text?.split(HOLE).length ?? 1) - 1).fill(place);
}

function locatePieces(text: string, of: Piece["of"]): Piece[] {
  const texts = text.split(HOLE);
  return texts
    .slice(1)
    .map((after, index) => ({ of, isFirst: index === 0, before: texts[index] ?? "", after }));
}

function locateHolesInValue(name: string, value = ""): Place[] {
  if (CODE_ATTRIBUTE.test(name)) return locateHoles(value, "code");
  // A name that contains a value may turn out to be that of a URL attribute.
  if (!isUrlAttribute(name) && !name.includes(HOLE)) return locateHoles(value, "text");
  const [beginning = ""] = value.split(HOLE, 1);
  if (isScriptUrl(beginning)) return locateHoles(value, "code");
  return mayBecomeScriptUrl(beginning) ? locatePieces(value, "url") : locateHoles(value, "text");
}
