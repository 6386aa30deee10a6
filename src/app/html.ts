import { isPromise } from "../store/maybe-promise.ts";
import type { Piece, Place } from "./html-places.ts";
import { findPlaces, isRefusedName } from "./html-places.ts";
import { isScriptUrl } from "./script-url.ts";

/**
 * Text that is already HTML. Only `html` and JSX create it, so that unescaped text cannot pass for
 * it.
 */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** Replaces a `javascript:` URL. */
const NO_URL = "about:blank#blocked";

/** What a value may add to the name of a tag or an attribute, or be in place of an attribute. */
const NAME = /^[\w:.-]*$/;

/**
 * A page, or a piece of one. Every value is escaped, except pieces made by `html` itself or by JSX.
 * Arrays are joined; `null`, `undefined` and booleans show nothing. A `javascript:` URL in an
 * attribute such as `href`, whole or in several values, becomes `about:blank#blocked`.
 *
 * ```ts
 * html`<ul>${items.map((item) => html`<li>${item.name}</li>`)}</ul>`;
 * ```
 *
 * @throws TypeError for a promise, and for a value where escaping is not enough: in an attribute
 *   without quotes, in an attribute such as `onclick`, in a URL that is written as `javascript:…`,
 *   in `<script>` and `<style>`, and, unless it is a plain word, in a name or in place of an
 *   attribute.
 */
export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  const places = findPlaces(strings);
  let text = strings[0] ?? "";
  let whole = "";
  for (const [index, value] of values.entries()) {
    const place = places[index] ?? "text";
    if (place === "text") text += toMarkup(value);
    else if (typeof place === "string") text += toMarkupAt(place, value, strings[index]);
    else {
      const begun = (place.isFirst ? "" : whole) + place.before;
      const markup = toMarkupOfPiece(place, begun, value, strings[index]);
      const isBlocked = markup === NO_URL;
      if (isBlocked) text = text.slice(0, text.length - begun.trimStart().length);
      text += markup;
      whole = isBlocked ? markup : begun + markup;
    }
    text += strings[index + 1] ?? "";
  }
  return new Html(text);
}

/**
 * Escapes a value between tags or in a quoted attribute.
 *
 * @throws TypeError for a promise.
 */
export function toMarkup(value: unknown): string {
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(toMarkup).join("");
  if (value === null || value === undefined || typeof value === "boolean") return "";
  if (isPromise(value)) {
    throw new TypeError(
      "A page cannot show a promise. Await it first: ${await value}, or for a list ${await Promise.all(list)}.",
    );
  }
  return Bun.escapeHTML(String(value));
}

/** Escapes a URL in a quoted attribute. One that would run as a script is replaced. */
export function toUrlMarkup(value: unknown): string {
  const markup = toMarkup(value);
  return isScriptUrl(markup) ? NO_URL : markup;
}

/** Escapes a piece of a URL or a name. `begun` is what comes before it in that URL or name. */
function toMarkupOfPiece(
  { of, after }: Piece,
  begun: string,
  value: unknown,
  before: string | undefined,
): string {
  const markup = toMarkup(value);
  if (of === "url") return isScriptUrl(begun + markup + after) ? NO_URL : markup;
  if (isNumber(value) || value instanceof Html) return markup;
  if (NAME.test(markup) && !isRefusedName(begun + markup + after, of)) return markup;
  throw toRefusal("name", before);
}

/** Escapes a value in a place where escaping alone is not enough. */
function toMarkupAt(
  place: Exclude<Place, "text" | Piece>,
  value: unknown,
  before: string | undefined,
): string {
  const markup = toMarkup(value);
  if (isNumber(value) || (place === "raw" && value instanceof Html)) return markup;
  throw toRefusal(place, before);
}

/** Numbers are safe everywhere. */
function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}

function toRefusal(place: keyof typeof REFUSALS, before = ""): TypeError {
  const [where, remedy] = REFUSALS[place];
  return new TypeError(
    `A value ${where}, after ${JSON.stringify(before.slice(-40))}, cannot be escaped safely. ${remedy}`,
  );
}

const REFUSALS = {
  name: [
    "in the name of a tag or an attribute, or in place of an attribute",
    'Only letters, digits, "-", "_", "." and ":" may stand there, and no name such as onclick, srcdoc, <script> or <style>.',
  ],
  unquoted: ["in an attribute without quotes", 'Write quotes around it: name="${value}".'],
  code: [
    "in an attribute or a URL that the browser runs or parses",
    'Put it into an attribute such as data-item="${value}", and read that attribute in a script.',
  ],
  raw: [
    "in <script> or <style>",
    'Put it into an attribute such as data-items="${JSON.stringify(items)}", and read that attribute in the script.',
  ],
} as const;
