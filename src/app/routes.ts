import type { Files } from "./files.ts";
import type { Segments } from "./patterns.ts";
import type { Socket } from "./socket.ts";

/**
 * What answers a pattern: one function for `GET`, `HEAD` and `POST`, functions by verb, a folder or
 * an HTML import.
 */
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

/** Appears in the compiler's error for a function that fits no pattern. */
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
 * Pages by pattern, as a field of an app. Patterns are relative to the field's name, those of
 * `index` to the app itself. `:id` is a segment, `:id?` an optional one, and `*` the rest of the
 * path; their values are the function's arguments, percent-decoded. An exact segment is tried
 * first, then a parameter, then an optional parameter, and last `*`.
 *
 * ```ts
 * users = routes({
 *   "/": { GET: () => all(), POST: () => create() },
 *   "/:id": { GET: (id) => one(id), DELETE: (id) => remove(id) },
 *   "/files/*": (...path) => send(path),
 * });
 * ```
 *
 * In a field whose name begins with `ws_`, they are socket pages: each function gets the socket
 * first. Write out the types of its parameters:
 * `"/:room": async (socket: Socket, room: string) => …`.
 */
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: RouteHandlers<Each>;
}): Routes<Pattern>;
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: SocketHandler<Each>;
}): Routes<Pattern>;
// Never matches: if no overload does, the compiler's error explains the last one.
export function routes<const Pattern extends `/${string}`>(table: {
  readonly [Each in Pattern]: RouteHandlers<Each> & Forms;
}): Routes<Pattern>;
export function routes<const Pattern extends `/${string}`>(
  table: Readonly<Record<Pattern, unknown>>,
): Routes<Pattern> {
  return new Routes<Pattern>(table);
}
