import { isPromise } from "../store/maybe-promise.ts";
import type { Place } from "./html-places.ts";
import { findPlaces } from "./html-places.ts";

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

/**
 * `javascript:` URLs in every spelling that some version of a browser accepts, as React detects
 * them.
 */
const SCRIPT_URL =
  // oxlint-disable-next-line no-control-regex
  /^[\0-\x20]*j[\r\n\t]*a[\r\n\t]*v[\r\n\t]*a[\r\n\t]*s[\r\n\t]*c[\r\n\t]*r[\r\n\t]*i[\r\n\t]*p[\r\n\t]*t[\r\n\t]*:/i;

/** Replaces a `javascript:` URL. */
const NO_URL = "about:blank#blocked";

/** What a value may add to the name of a tag or an attribute, or be in place of an attribute. */
const NAME = /^(?!on)[\w:.-]*$/i;

/**
 * A page, or a piece of one. Every value is escaped, except pieces made by `html` itself or by JSX.
 * Arrays are joined; `null`, `undefined` and booleans show nothing. A `javascript:` URL in an
 * attribute such as `href` becomes `about:blank#blocked`.
 *
 * ```ts
 * html`<ul>${items.map((item) => html`<li>${item.name}</li>`)}</ul>`;
 * ```
 *
 * @throws TypeError for a promise, and for a value where escaping is not enough: in an attribute
 *   without quotes, in an attribute such as `onclick`, in `<script>` and `<style>`.
 */
export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  const places = findPlaces(strings);
  let text = strings[0] ?? "";
  for (const [index, value] of values.entries()) {
    const place = places[index] ?? "text";
    const shown = place === "text" ? toMarkup(value) : toMarkupAt(place, value, strings[index]);
    text += shown + (strings[index + 1] ?? "");
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
  return SCRIPT_URL.test(markup) ? NO_URL : markup;
}

/** Escapes a value in a place where escaping alone is not enough. Numbers are safe everywhere. */
function toMarkupAt(place: Exclude<Place, "text">, value: unknown, before = ""): string {
  if (place === "url") return toUrlMarkup(value);
  const markup = toMarkup(value);
  if (typeof value === "number" || typeof value === "bigint") return markup;
  if (place === "name" && (value instanceof Html || NAME.test(markup))) return markup;
  if (place === "raw" && value instanceof Html) return markup;
  const [where, remedy] = REFUSALS[place];
  throw new TypeError(
    `A value ${where}, after ${JSON.stringify(before.slice(-40))}, cannot be escaped safely. ${remedy}`,
  );
}

const REFUSALS = {
  name: [
    "in the name of a tag or an attribute, or in place of an attribute",
    'Only letters, digits, "-", "_", "." and ":" may stand there, and no name that begins with "on".',
  ],
  unquoted: ["in an attribute without quotes", 'Write quotes around it: name="${value}".'],
  code: [
    "in an attribute that the browser runs or parses",
    'Put it into an attribute such as data-item="${value}", and read that attribute in a script.',
  ],
  raw: [
    "in <script> or <style>",
    'Put it into an attribute such as data-items="${JSON.stringify(items)}", and read that attribute in the script.',
  ],
} as const;
