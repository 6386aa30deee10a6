/**
 * What JSX is compiled to: `"jsxImportSource": "bunpie"`.
 *
 * @module bunpie/jsx-runtime
 */
import { isUrlAttribute } from "./html-places.ts";
import { Html, toMarkup, toUrlMarkup } from "./html.ts";
import type { Attributes, Children } from "./jsx-types.ts";

export type { Attributes, Children };

type Props = Readonly<Record<string, unknown>>;

const ELEMENT_NAME = /^[a-z][\w:.-]*$/i;
/** Attribute names of Alpine and Vue may begin with `@` and `:`. */
const ATTRIBUTE_NAME = /^[a-z_:@][\w:.@-]*$/i;
const WITHOUT_CONTENT =
  /^(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)$/i;
const WITHOUT_ESCAPES = /^(?:script|style)$/i;

/**
 * Creates an element or calls a component: JSX compiles to calls of this function. `<html>` is
 * preceded by its doctype.
 *
 * @throws TypeError for an invalid name, a promise, text in `<script>` or `<style>`, content of an
 *   element that cannot have any, and an attribute value that is a function, a symbol or an object.
 */
export function jsx(type: string | ((props: Props) => unknown), props: Props): Html {
  if (typeof type === "function") return new Html(toMarkup(type(props)));
  if (!ELEMENT_NAME.test(type))
    throw new TypeError(`${JSON.stringify(type)} is not an element's name.`);
  const { children, key: _, ...attributes } = props;
  let tag = type === "html" ? "<!doctype html><html" : `<${type}`;
  for (const [name, value] of Object.entries(attributes)) tag += toAttribute(name, value);
  const content = toMarkup(children);
  if (WITHOUT_CONTENT.test(type)) {
    if (content === "") return new Html(`${tag}>`);
    throw new TypeError(`<${type}> cannot have content. Put the content after the element.`);
  }
  if (WITHOUT_ESCAPES.test(type) && hasText(children)) {
    throw new TypeError(
      `Text in <${type}> cannot be escaped. Write it with html: <${type}>{html\`…\`}</${type}>, and put values that vary into a data- attribute.`,
    );
  }
  return new Html(`${tag}>${content}</${type}>`);
}

/** Like {@link jsx}, for an element with several children. */
export const jsxs = jsx;

/** Like {@link jsx}, in development. */
export const jsxDEV = jsx;

/** Like {@link jsx}: what `<li {...attributes} key={key}>`, with a key after a spread, compiles to. */
export function createElement(
  type: string | ((props: Props) => unknown),
  props: Props | null,
  ...children: readonly unknown[]
): Html {
  return jsx(type, children.length === 0 ? { ...props } : { ...props, children });
}

/** `<>…</>`: several elements without a common parent. */
export function Fragment({ children }: { readonly children?: Children }): Html {
  return new Html(toMarkup(children));
}

/** The types by which TypeScript checks JSX. */
export declare namespace JSX {
  type Element = Html;
  type ElementType = string | ((props: never) => Children);
  interface ElementChildrenAttribute {
    children: unknown;
  }
  interface IntrinsicAttributes {
    readonly key?: unknown;
  }
  interface IntrinsicElements {
    readonly [tag: string]: Attributes;
  }
}

function toAttribute(name: string, value: unknown): string {
  if (!ATTRIBUTE_NAME.test(name)) {
    throw new TypeError(`${JSON.stringify(name)} is not an attribute's name.`);
  }
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") {
    if (/^(?:aria|data)-/.test(name)) return ` ${name}="${value}"`;
    return value ? ` ${name}` : "";
  }
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(
      `The attribute ${name} is ${typeof value === "object" ? "an object" : `a ${typeof value}`}, which HTML cannot hold. Pass a string.`,
    );
  }
  return ` ${name}="${isUrlAttribute(name) ? toUrlMarkup(value) : toMarkup(value)}"`;
}

/** Objects become text as well. Numbers are safe everywhere. */
function hasText(children: unknown): boolean {
  if (Array.isArray(children)) return children.some(hasText);
  if (typeof children === "object") return children !== null && !(children instanceof Html);
  return typeof children === "string" || typeof children === "function";
}
