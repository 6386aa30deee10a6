import { percent } from "../support/arbitraries/spoil.ts";

/** The names of everything in an object, and in what it inherits from. */
export function namesIn(start: object): string[] {
  const keys = [...Reflect.ownKeys(Object.prototype)];
  for (let each: unknown = start; each instanceof Object; each = Object.getPrototypeOf(each)) {
    keys.push(...Reflect.ownKeys(each));
  }
  return keys.map((key) => (typeof key === "symbol" ? (key.description ?? "") : key));
}

/** Characters that somebody too kind would take away: every byte, and some that nobody sees. */
const MARKS = [
  ...Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)),
  ..."\u200b\u202e\ufeff\u0301",
  "\ud800",
];

/** Texts that are nearly this name. */
export function nearlyLike(name: string): string[] {
  return [
    ...MARKS.flatMap((mark) => [mark + name, name + mark]),
    name.toUpperCase(),
    name.slice(1),
    name.slice(0, -1),
    name + name,
    `${name}.json`,
    `${name};a=b`,
    `${name},${name}`,
    [...name].toReversed().join(""),
    name.replaceAll("e", "%2565"),
    // The same letters to the eye: of full width, Cyrillic, and one that small letters are made from.
    String.fromCharCode(...Array.from(name, (letter) => letter.charCodeAt(0) + 0xfee0)),
    name.replaceAll("e", "\u0435"),
    name.replaceAll("i", "\u0130"),
  ];
}

/** Names that mean something in JavaScript, in a file system or in another server. */
export const ODD_NAMES = [
  ..."#hidden hidden @@iterator then GET deep name.deep this.method __proto__.page".split(" "),
  ..."constructor.prototype.method $where null true 0 -1 ~ * ? [] {} %".split(" "),
  ...". .. ... ..; ..\\ ..%2fmethod method/../_underscored ..\\method".split(" "),
  ..."WEB-INF .git .env con aux \0".split(" "),
];

/** How a name is written into a path. */
const ENCODINGS: readonly ((name: string) => string)[] = [
  (name) => `/${name}`,
  (name) => `/${escaped(name)}`,
  (name) => `/${percent(name)}`,
  (name) => `/${encodeURIComponent(percent(name))}`,
  (name) => `/${overlong(name)}`,
  (name) => `/${utf16(name)}`,
  // Among dots and slashes, behind the slash of a page, with a segment, and in a query.
  (name) => `/.//../x/..//${escaped(name)}/`,
  (name) => `/page%2F${escaped(name)}`,
  (name) => `/${escaped(name)}/GET`,
  (name) => `/?${escaped(name)}`,
];

/** Each name in each encoding, none twice. */
export function listPaths(names: readonly string[]): string[] {
  return [...new Set(ENCODINGS.flatMap((encode) => names.map((name) => encode(name))))];
}

function escaped(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

/** Every byte in the two that UTF-8 forbids for it: some decoders take them. */
function overlong(name: string): string {
  const bytes = [...Buffer.from(name)].flatMap((byte) => [
    0xc0 | (byte >> 6),
    0x80 | (byte & 0x3f),
  ]);
  return bytes.map((byte) => `%${byte.toString(16)}`).join("");
}

/** As Microsoft's servers once took it. */
function utf16(name: string): string {
  const codes = Array.from(name, (letter) => letter.charCodeAt(0).toString(16).padStart(4, "0"));
  return codes.map((code) => `%u${code}`).join("");
}
