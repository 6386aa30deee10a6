import type { Files } from "./files.ts";
import type { Segments } from "./patterns.ts";
import { fillPattern, parsePattern } from "./patterns.ts";
import type { Verb } from "./routes.ts";
import { Routes } from "./routes.ts";
import type { Socket } from "./socket.ts";
import type { RouteTable } from "./table.ts";

/** A value for each of a page's segments: its type or a number. */
type LinkValues<Arguments extends readonly unknown[]> = {
  [Index in keyof Arguments]: Arguments[Index] | number;
};

/** A page that a link needs no pattern for: a method, or a field of functions by verb. */
type LinkTarget<Arguments extends readonly unknown[]> =
  | ((...segments: Arguments) => unknown)
  | { [Each in Verb]: { readonly [Name in Each]: (...segments: Arguments) => unknown } }[Verb];

/** The arguments of `App.link` that follow a field made by `routes()`. */
type RouteLink<Pattern extends string> = [
  pattern: Pattern,
  ...values: LinkValues<Segments<Pattern>>,
];

/** What can be a page. */
export type Linkable =
  | LinkTarget<never>
  | ((socket: Socket, ...segments: never) => unknown)
  | Routes
  | Files
  | Bun.HTMLBundle;

/** What `App.link` takes after a page: a value for each of its segments. */
export type LinkArguments<Page> =
  Page extends Routes<infer Pattern>
    ? EachLink<Pattern>
    : Page extends Files
      ? readonly (string | number)[]
      : Page extends Bun.HTMLBundle
        ? []
        : Page extends (...segments: infer Arguments) => unknown
          ? WithoutSocket<Arguments>
          : { [Each in Extract<keyof Page, Verb>]: LinkArguments<Page[Each]> }[Extract<
              keyof Page,
              Verb
            >];

/** Parameters without types, which are `any`, are no sockets. */
type WithoutSocket<Arguments extends readonly unknown[]> = Arguments extends readonly string[]
  ? LinkValues<Arguments>
  : Arguments extends readonly [Socket, ...infer Rest]
    ? LinkValues<Rest>
    : LinkValues<Arguments>;

type EachLink<Pattern extends string> = Pattern extends unknown ? RouteLink<Pattern> : never;

/**
 * The path of a page, with values for its segments.
 *
 * @throws TypeError if the target is not a page of these apps, and for values that its segments
 *   cannot take.
 */
export function toLink(
  table: RouteTable,
  app: object,
  target: unknown,
  values: readonly unknown[],
): string {
  const patterns = table.findPatterns(app, target);
  if (patterns.length === 0) {
    throw new TypeError(
      'this.link() got something that is not a page. Pass a page\'s method or field: this.link(this.greet, "Ann").',
    );
  }
  if (target instanceof Routes) {
    const [relative, ...rest] = values;
    const index = Object.keys(target.table).indexOf(String(relative));
    const pattern = patterns[index];
    if (pattern !== undefined) return fillPattern(pattern, rest);
    throw new TypeError(
      `this.link() got "${String(relative)}", which is not a pattern of those routes().`,
    );
  }
  const fitting = patterns.find((pattern) => countParameters(pattern) === values.length);
  return fillPattern(fitting ?? (patterns[0] as string), values);
}

function countParameters(pattern: string): number {
  return parsePattern(pattern).filter(({ kind }) => kind !== "literal").length;
}
