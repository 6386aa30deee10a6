/**
 * The place of a value in a template:
 * - `text`: between tags, in a comment, or in a quoted attribute;
 * - `url`: at the beginning of a quoted attribute that holds a URL;
 * - `name`: in the name of a tag or an attribute, or in place of an attribute;
 * - `unquoted`: in an attribute without quotes;
 * - `code`: in an attribute that the browser runs or parses, such as `onclick`;
 * - `raw`: in `<script>` or `<style>`.
 */
export type Place = "text" | "url" | "name" | "unquoted" | "code" | "raw";

const URL_ATTRIBUTE = /^(?:href|xlink:href|src|action|formaction|data|poster)$/i;
const CODE_ATTRIBUTE = /^(?:on.*|srcdoc)$/i;

/** Stands for a value. HTML does not contain this character. */
const HOLE = "\0";

const COMMENT = /<!--.*?(?:-->|$)/sy;
const TAG = /<(\/?[a-z\0][^\s/>]*)/iy;
const ATTRIBUTE = /[\s/]*([^\s/>=]+)(?:\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*)))?/y;
const TAG_END = /[\s/=]*>?/y;
const RAW = /.*?(?=<\/(?:script|style)|$)/isy;
const TEXT = /<?[^<]*/y;

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
    places.push(...locateHoles(tag, "name"));
    for (let attribute = take(ATTRIBUTE); attribute !== null; attribute = take(ATTRIBUTE)) {
      const [, name = "", double, single, bare] = attribute;
      places.push(...locateHoles(name, "name"));
      places.push(...locateHolesInValue(name, double ?? single), ...locateHoles(bare, "unquoted"));
    }
    take(TAG_END);
    if (/^(?:script|style)$/i.test(tag)) places.push(...locateHoles(take(RAW)?.[0], "raw"));
  }
  return places;
}

function locateHoles(text: string | undefined, place: Place): Place[] {
  return Array<Place>((text?.split(HOLE).length ?? 1) - 1).fill(place);
}

function locateHolesInValue(name: string, value: string | undefined): Place[] {
  if (CODE_ATTRIBUTE.test(name)) return locateHoles(value, "code");
  // A name that contains a value may turn out to be that of a URL attribute.
  if (!isUrlAttribute(name) && !name.includes(HOLE)) return locateHoles(value, "text");
  const beginning = value?.match(/^[\s\0]*/)?.[0];
  return [
    ...locateHoles(beginning, "url"),
    ...locateHoles(value?.slice(beginning?.length), "text"),
  ];
}
