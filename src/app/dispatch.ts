import { HttpError } from "./errors.ts";

/** A handler. Gets the path's segments behind its own name, percent-decoded. */
export type Handler = (...segments: string[]) => unknown;

/** A handler that was found, and what to call it with. */
export interface Match {
  readonly handler: Handler;
  readonly params: readonly string[];
}

/** A handler, bound to its app, and how many segments it needs. */
interface Target {
  readonly arity: number;
  /** The match of a path without segments: most paths, and the same each time. */
  readonly bare: Match;
}

interface Route {
  /** What answers a verb; `undefined` if the route does not answer it. */
  find(method: string): Target | undefined;
  /** The verbs it answers, for `Allow` and the list of routes; `undefined` for any. */
  readonly allow: string | undefined;
  /** The fewest segments that any of its handlers needs. */
  readonly arity: number;
}

const NO_SEGMENTS: readonly string[] = [];

const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/**
 * Names that Bun reads from a default export to set up its server. A page of such a name would be
 * taken for that setting, without a word.
 */
export const READ_BY_BUN = new Set(
  (
    "ALPNProtocols allowPartialTrustChain ca caFile cert certFile ciphers clientRenegotiationLimit " +
    "clientRenegotiationWindow crl development dhParamsFile ecdhCurve error host hostname http1 http2 " +
    "http3 idleTimeout ipv6Only key keyFile lowMemoryMode maxVersion minVersion onNodeHTTPRequest " +
    "passphrase port rejectUnauthorized requestCert reusePort routes secureOptions serverName " +
    "servername sessionTimeout sigalgs static stop tls unix webSocket websocket"
  ).split(" "),
);

/**
 * Which path reaches which handler. Built once, from the methods of the app's own classes and from
 * its fields; a name from the wire is only ever looked up here, never on the app.
 */
export class DispatchTable {
  readonly #routes = new Map<string, Route>();
  /** The routes by path, for paths that are a name and nothing else: most are, and need no splitting. */
  readonly #paths: ReadonlyMap<string, Route>;

  /**
   * `base` is the class that all apps extend: its names are not pages.
   *
   * @throws TypeError for a page whose name is taken, with the remedy.
   */
  constructor(app: object, base: object) {
    for (const [name, route] of [...methodsOf(app, base), ...fieldsOf(app)]) {
      if (route === undefined) {
        // It covers a page of a class above, as it does for whoever calls that by its name.
        this.#routes.delete(name);
        continue;
      }
      checkName(name, base);
      this.#routes.set(name, route);
    }
    this.#paths = new Map([...this.#routes].map(([name, route]) => [pathOf(name), route]));
  }

  /**
   * @throws HttpError 400 for a path that does not decode, 404 if nothing answers it, 405 with
   *   `Allow` if something does, but not this verb.
   */
  match(method: string, path: string): Match {
    const exact = this.#paths.get(path);
    if (exact !== undefined) return matchOf(exact, method, NO_SEGMENTS);
    const segments = segmentsOf(path);
    const named = this.#routes.get(segments[0] ?? "index");
    const params = named === undefined ? segments : segments.slice(1);
    const route = named ?? this.#indexWithParams();
    if (route === undefined) throw notFound();
    return matchOf(route, method, params);
  }

  /** A line for each route, for the start-up message. */
  lines(): string[] {
    const rows = [...this.#routes].map(([name, { allow, arity }]) => ({
      path: `${pathOf(name)}${"/…".repeat(arity)}`.replace("//", "/"),
      verbs: allow ?? "any verb",
    }));
    const width = Math.max(0, ...rows.map(({ path }) => path.length));
    return rows.map(({ path, verbs }) => `  ${path.padEnd(width)}  ${verbs}`);
  }

  /** A first segment that names no page is an argument of `index`, if `index` takes any. */
  #indexWithParams(): Route | undefined {
    const index = this.#routes.get("index");
    return index !== undefined && index.arity > 0 ? index : undefined;
  }
}

function matchOf(route: Route, method: string, params: readonly string[]): Match {
  const target = route.find(method);
  if (target === undefined) {
    throw new HttpError(405, `This page does not answer ${method}.`, {
      headers: { allow: route.allow ?? "" },
    });
  }
  if (params.length < target.arity) throw notFound();
  return params.length === 0 ? target.bare : { ...target.bare, params };
}

function pathOf(name: string): string {
  return name === "index" ? "/" : `/${name}`;
}

function* methodsOf(app: object, base: object): Generator<[string, Route | undefined]> {
  const classes: object[] = [];
  for (
    let prototype: unknown = Object.getPrototypeOf(app);
    typeof prototype === "object" && prototype !== null && prototype !== base;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    classes.unshift(prototype);
  }
  for (const prototype of classes) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (!isPublic(name)) continue;
      yield [name, typeof value === "function" ? anyVerb(app, value as Handler) : undefined];
    }
  }
}

function* fieldsOf(app: object): Generator<[string, Route | undefined]> {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(app))) {
    if (!isPublic(name)) continue;
    const handlers = handlersOf(name, value);
    yield [name, handlers.size > 0 ? byVerb(app, handlers) : undefined];
  }
}

function isPublic(name: string): boolean {
  return name !== "constructor" && !name.startsWith("_");
}

function anyVerb(app: object, method: Handler): Route {
  const target = targetOf(app, method);
  return { find: () => target, allow: undefined, arity: target.arity };
}

function byVerb(app: object, handlers: ReadonlyMap<string, Handler>): Route {
  const targets = new Map([...handlers].map(([verb, handler]) => [verb, targetOf(app, handler)]));
  const arity = Math.min(...[...targets.values()].map((target) => target.arity));
  const get = targets.get("GET");
  if (get !== undefined && !targets.has("HEAD")) targets.set("HEAD", get);
  const allow = VERBS.filter((verb) => targets.has(verb) || verb === "OPTIONS").join(", ");
  if (!targets.has("OPTIONS")) {
    const options = (): Response => new Response(null, { status: 204, headers: { allow } });
    targets.set("OPTIONS", { ...targetOf(app, options), arity });
  }
  return { find: (verb) => targets.get(verb), allow, arity };
}

function targetOf(app: object, handler: Handler): Target {
  const bound: Handler = (...segments) => handler.apply(app, segments);
  return { arity: handler.length, bare: { handler: bound, params: NO_SEGMENTS } };
}

/** The handlers in a field such as `{ GET: () => …, POST: () => … }`; none in any other. */
function handlersOf(field: string, value: unknown): Map<string, Handler> {
  const handlers = new Map<string, Handler>();
  if (typeof value !== "object" || value === null) return handlers;
  for (const verb of VERBS) {
    const handler: unknown = Object.hasOwn(value, verb)
      ? (value as Record<string, unknown>)[verb]
      : undefined;
    if (typeof handler === "function") handlers.set(verb, handler as Handler);
  }
  const keys = Object.keys(value);
  const stray = keys.find((key) => !handlers.has(key));
  if (handlers.size > 0 && stray !== undefined) {
    throw new TypeError(
      `${field} has handlers for ${[...handlers.keys()].join(", ")}, and also "${stray}". ` +
        `A page's field holds functions under ${VERBS.join(", ")} and nothing else.`,
    );
  }
  return handlers;
}

function checkName(name: string, base: object): void {
  if (name in base) {
    throw new TypeError(
      `The page "${name}" has the name of something that every App has. Rename it; for a helper that is no page, begin its name with "_" or "#".`,
    );
  }
  if (READ_BY_BUN.has(name)) {
    throw new TypeError(
      `A page cannot be called "${name}": Bun reads app.${name} as a setting of its server. Rename it; for a helper that is no page, begin its name with "_" or "#".`,
    );
  }
}

function segmentsOf(path: string): readonly string[] {
  const segments = path.slice(1).split("/");
  if (segments.at(-1) === "") segments.pop();
  if (!path.includes("%")) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    throw new HttpError(400, "The path is not valid percent-encoded UTF-8.");
  }
}

function notFound(): HttpError {
  return new HttpError(404, "There is nothing here.");
}
