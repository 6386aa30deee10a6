import type { Files } from "./files.ts";
import type { Segments } from "./patterns.ts";
import type { Socket } from "./socket.ts";

/** What answers a path's verbs: one function for `GET`, `HEAD` and `POST`, functions by verb, a folder or an HTML import. */
export type RouteHandlers<Pattern extends string> =
  | RouteHandler<Pattern>
  | (Pattern extends `${string}/*` ? Files : never)
  | Bun.HTMLBundle
  | { readonly [Each in Verb]?: RouteHandler<Pattern> };

type RouteHandler<Pattern extends string> = (...segments: Segments<Pattern>) => unknown;

type SocketHandler<Pattern extends string> = (
  socket: Socket,
  ...segments: Segments<Pattern>
) => unknown;

/** What the compiler says of a function that fits no pattern. */
type Forms =
  "A page gets its segments as strings: (id: string) => …. In a field ws_…, the socket first: (socket: Socket, id: string) => …";

export const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** The verbs that a page can answer. */
export type Verb = (typeof VERBS)[number];

/** Patterns below a page's name, made by {@link routes}. */
export class Routes<Pattern extends string = string> {
  readonly table: Readonly<Record<Pattern, unknown>>;

  constructor(table: Readonly<Record<Pattern, unknown>>) {
    this.table = table;
  }
}

/**
 * Pages by pattern, as a field of an app. Patterns are relative to the field's name, those of `index` to
 * the app itself. `:id` is a segment, `:id?` one that may be missing, and `*` all that follow; they reach
 * the function as arguments, percent-decoded. An exact segment goes before a parameter, a parameter
 * before an optional one, and that before `*`.
 *
 * ```ts
 * users = routes({
 *   "/": { GET: () => all(), POST: () => create() },
 *   "/:id": { GET: (id) => one(id), DELETE: (id) => remove(id) },
 *   "/files/*": (...path) => send(path),
 * });
 * ```
 *
 * In a field whose name begins with `ws_` they are pages of sockets, each a function that gets the socket first.
 * Write the types of its parameters there: `"/:room": async (socket: Socket, room: string) => …`.
 */
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: RouteHandlers<Each>;
}): Routes<Pattern>;
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: SocketHandler<Each>;
}): Routes<Pattern>;
// Takes nothing: of several signatures, the compiler explains the last.
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: RouteHandlers<Each> & Forms;
}): Routes<Pattern>;
export function routes<const Pattern extends `/${string}`>(
  table: Readonly<Record<Pattern, unknown>>,
): Routes<Pattern> {
  return new Routes<Pattern>(table);
}
