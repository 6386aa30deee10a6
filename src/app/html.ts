/** Text that is HTML already. Only {@link html} makes it, so that nothing unescaped passes for it. */
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
 * A page, or a piece of one. Every value is escaped, except pieces that `html` itself has made.
 * Arrays are joined; `null`, `undefined` and booleans show nothing.
 *
 * ```ts
 * html`<ul>${items.map((item) => html`<li>${item.name}</li>`)}</ul>`;
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  let text = strings[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += show(value) + (strings[index + 1] ?? "");
  }
  return new Html(text);
}

function show(value: unknown): string {
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(show).join("");
  if (value === null || value === undefined || typeof value === "boolean") return "";
  return Bun.escapeHTML(String(value));
}
