import type { AnySession } from "../session/session.ts";
import { Files } from "./files.ts";
import { isHtmlImport, refuseUnbundled } from "./html-import.ts";
import type { PatternSegment } from "./patterns.ts";
import { joinPatterns, parsePattern } from "./patterns.ts";
import type { AppRequest } from "./request.ts";
import { Routes, VERBS } from "./routes.ts";

/** A function that answers requests. Its arguments are the path's segments, percent-decoded. */
export type Handler = (...segments: string[]) => unknown;

/** A function that answers WebSocket handshakes. Its first argument is the socket. */
export type SocketHandler = (socket: unknown, ...segments: string[]) => unknown;

/** A page as its app declares it. */
export interface DeclaredPage {
  /** Relative to the app: `/greet/:1`. The parameters of methods are numbered. */
  readonly pattern: string;
  /** By verb. */
  readonly handlers: ReadonlyMap<string, Handler>;
  /** The function of a socket page, which has no other handlers. */
  readonly socket?: SocketHandler;
  /** The folder, if the page is a public one. */
  readonly files?: Files;
  /** The HTML import, if the page is one. */
  readonly html?: Bun.HTMLBundle;
  /** What links identify the page by: the method, or the field's value. */
  readonly source: unknown;
}

/**
 * Names that Bun reads from a default export to set up its server. Bun would silently take a page
 * of such a name for that setting.
 */
export const READ_BY_BUN = new Set(
  (
    "ALPNProtocols allowPartialTrustChain ca caFile cert certFile ciphers clientRenegotiationLimit " +
    "clientRenegotiationWindow crl development dhParamsFile ecdhCurve error host hostname http1 http2 " +
    "http3 idleTimeout ipv6Only key keyFile lowMemoryMode maxVersion minVersion onNodeHTTPRequest " +
    "passphrase port rejectUnauthorized requestCert reusePort secureOptions serverName " +
    "servername sessionTimeout sigalgs static stop tls unix webSocket"
  ).split(" "),
);

/** The prefix of the names of socket pages. */
const SOCKET = "ws_";

const NO_PAGE = 'for a helper that is not a page, begin its name with "_" or "#"';

/**
 * The pages of an app: the methods of its own classes, and its fields. `base` is the class that all
 * apps extend: its members are not pages.
 *
 * @throws TypeError for what looks like a page but cannot be one, with the remedy.
 */
export function collectPages(app: object, base: object): readonly DeclaredPage[] {
  const pages = new Map<string, readonly DeclaredPage[]>();
  for (const [name, found] of [...findMethods(app, base), ...findFields(app)]) {
    // A field hides a method of its name, even if the field is not a page.
    if (found === undefined) pages.delete(name);
    else {
      checkName(name, base);
      pages.set(name, found);
    }
  }
  return [...pages.values()].flat();
}

type Found = [name: string, pages: readonly DeclaredPage[] | undefined];

function* findMethods(app: object, base: object): Generator<Found> {
  for (const prototype of listPrototypes(app, base)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (!isPublic(name) || (name in base && isHook(name))) continue;
      if (typeof property.value !== "function") {
        throw new TypeError(
          `"${name}" is a getter or setter, which cannot be a page. Make it a method; ${NO_PAGE}.`,
        );
      }
      yield [name, [declareMethod(name, property.value as Handler & SocketHandler)]];
    }
  }
}

/** The prototypes of the app's classes, from the direct child of `base` down. */
function listPrototypes(app: object, base: object): readonly object[] {
  const prototypes: object[] = [];
  let prototype: unknown = Object.getPrototypeOf(app);
  while (typeof prototype === "object" && prototype !== null && prototype !== base) {
    prototypes.unshift(prototype);
    prototype = Object.getPrototypeOf(prototype);
  }
  return prototypes;
}

function declareMethod(name: string, method: Handler & SocketHandler): DeclaredPage {
  if (isSocketName(name)) return declareSocket(name, method);
  const pattern = appendParameters(name, method.length);
  return { pattern, handlers: toHandlers(method), source: method };
}

/** `ws_chat(socket, room)` is the socket page at `/chat/:1`. */
function declareSocket(name: string, socket: SocketHandler): DeclaredPage {
  if (socket.length === 0) {
    throw new TypeError(
      `"${name}" is a socket page without a parameter for the socket. Write ${name}(socket: Socket, …).`,
    );
  }
  const pattern = appendParameters(name.slice(SOCKET.length), socket.length - 1);
  return { pattern, handlers: new Map(), socket, source: socket };
}

function declareSockets(name: string, value: unknown): readonly DeclaredPage[] {
  if (typeof value === "function") return [declareSocket(name, value as SocketHandler)];
  if (value instanceof Routes) {
    return Object.entries(value.table as Record<string, unknown>).map(([pattern, socket]) => {
      parsePattern(pattern);
      if (typeof socket !== "function") {
        throw new TypeError(
          `${name}'s "${pattern}" is a socket page, and has to be a function: (socket, …) => ….`,
        );
      }
      return {
        pattern: joinPatterns(toPrefix(name.slice(SOCKET.length)), pattern),
        handlers: new Map(),
        socket: socket as SocketHandler,
        source: value,
      };
    });
  }
  throw new TypeError(
    `"${name}" is a socket page, and has to be a method, a function or routes({ … }); ${NO_PAGE}.`,
  );
}

/** `/greet/:1`: a page takes exactly as many segments as its function has parameters. */
function appendParameters(name: string, arity: number): string {
  const parameters = Array.from({ length: arity }, (_, index) => `/:${index + 1}`);
  return joinPatterns(toPrefix(name), parameters.join("") || "/");
}

function* findFields(app: object): Generator<Found> {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(app))) {
    if (!isPublic(name)) continue;
    yield [name, isSocketName(name) ? declareSockets(name, value) : declareField(name, value)];
  }
}

function declareField(name: string, value: unknown): readonly DeclaredPage[] | undefined {
  if (typeof value === "function") {
    throw new TypeError(
      `"${name}" is a field that holds a function. Make it a method, or put it under its verb, { GET: … }; ${NO_PAGE}.`,
    );
  }
  if (isHtmlImport(value)) return [declareHtml(toPrefix(name), value, value)];
  if (value instanceof Files) {
    return [declareFiles(joinPatterns(toPrefix(name), "/*"), value, value)];
  }
  if (value instanceof Routes) {
    return Object.entries(value.table).map(([relative, entry]) => {
      const segments = parsePattern(relative);
      const pattern = joinPatterns(toPrefix(name), relative);
      const where = `${name}'s "${relative}"`;
      if (entry instanceof Files) {
        checkFilesPattern(where, segments);
        return declareFiles(pattern, entry, value);
      }
      if (isHtmlImport(entry)) {
        checkHtmlPattern(where, segments);
        return declareHtml(pattern, entry, value);
      }
      return { pattern, handlers: readRoute(where, entry), source: value };
    });
  }
  const handlers = findHandlers(name, value);
  if (handlers === undefined) return undefined;
  const byArity = Map.groupBy(handlers, ([, handler]) => handler.length);
  return [...byArity].map(([arity, entries]) => ({
    pattern: appendParameters(name, arity),
    handlers: new Map(entries),
    source: value,
  }));
}

/** The part of a page's `this` that a folder needs. */
interface Answering {
  readonly request: AppRequest<AnySession>;
}

function declareFiles(pattern: string, files: Files, source: unknown): DeclaredPage {
  const answer = function (this: Answering, ...segments: string[]): Promise<Response> {
    return files.answer(this.request, segments);
  };
  const page = { pattern, handlers: new Map([["GET", answer]]), source };
  return files.isPublic ? { ...page, files } : page;
}

function checkFilesPattern(where: string, segments: readonly PatternSegment[]): void {
  const kinds = segments.map(({ kind }) => kind);
  if (kinds.lastIndexOf("literal") === kinds.length - 2 && kinds.at(-1) === "rest") return;
  throw new TypeError(
    `${where} is a folder of files. Its pattern has to be plain segments and "*" at the end: "/static/*".`,
  );
}

function declareHtml(pattern: string, html: Bun.HTMLBundle, source: unknown): DeclaredPage {
  return { pattern, handlers: new Map([["GET", refuseUnbundled]]), html, source };
}

/** Bun matches its own routes first: one with a parameter would hide pages of the app. */
function checkHtmlPattern(where: string, segments: readonly PatternSegment[]): void {
  if (segments.every(({ kind }) => kind === "literal")) return;
  throw new TypeError(
    `${where} is an HTML import. Its pattern has to be plain segments, without ":name" and "*": Bun would answer it before any page of the app.`,
  );
}

function readRoute(where: string, entry: unknown): ReadonlyMap<string, Handler> {
  if (typeof entry === "function") return toHandlers(entry as Handler);
  const handlers = findHandlers(where, entry);
  if (handlers !== undefined) return handlers;
  throw new TypeError(
    `${where} has to be a function, or functions by verb: { GET: () => …, POST: () => … }.`,
  );
}

/** The handlers of a function that lists no verbs. */
function toHandlers(handler: Handler): ReadonlyMap<string, Handler> {
  return new Map([
    ["GET", handler],
    ["POST", handler],
  ]);
}

/**
 * The handlers in an object such as `{ GET: () => …, POST: () => … }`; `undefined` for anything
 * else.
 */
function findHandlers(where: string, value: unknown): ReadonlyMap<string, Handler> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(Object.getOwnPropertyDescriptors(value)).map(
    ([key, { value: held }]) => [key, held as unknown] as const,
  );
  const handlers = new Map(entries.filter(isHandler) as [string, Handler][]);
  const stray = entries.find((entry) => !isHandler(entry))?.[0];
  if (handlers.size > 0 && stray !== undefined) {
    throw new TypeError(
      `${where} has handlers for ${[...handlers.keys()].join(", ")}, and also "${stray}". ` +
        `A page's field holds functions under ${VERBS.join(", ")} and nothing else.`,
    );
  }
  const lower = entries.find(
    ([key, held]) => isVerb(key.toUpperCase()) && typeof held === "function",
  );
  if (handlers.size === 0 && lower !== undefined && isPlain(value)) {
    throw new TypeError(
      `${where} has a function under "${lower[0]}". Verbs are written ${lower[0].toUpperCase()}; ${NO_PAGE}.`,
    );
  }
  const held = entries.find(([key]) => isVerb(key));
  if (handlers.size === 0 && held !== undefined && isPlain(value)) {
    throw new TypeError(
      `${where} has "${held[0]}", which is not a function. Write { ${held[0]}: () => … }; ${NO_PAGE}.`,
    );
  }
  return handlers.size > 0 ? handlers : undefined;
}

function isHandler([key, held]: readonly [string, unknown]): boolean {
  return isVerb(key) && typeof held === "function";
}

function isVerb(key: string): boolean {
  return (VERBS as readonly string[]).includes(key);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPublic(name: string): boolean {
  return name !== "constructor" && !name.startsWith("_");
}

function isSocketName(name: string): boolean {
  return name.startsWith(SOCKET);
}

/** Whether a name is that of an App member that an app may override. */
function isHook(name: string): boolean {
  return /^on[A-Z]/.test(name);
}

function toPrefix(name: string): string {
  return name === "index" ? "/" : `/${name}`;
}

function checkName(name: string, base: object): void {
  const elsewhere = `For a page at that URL, use routes({ "/${name}": … }) on \`index\``;
  if (name in base) {
    throw new TypeError(
      `"${name}" is a reserved App member and cannot be a page. Rename it; ${NO_PAGE}. ${elsewhere}.`,
    );
  }
  if (READ_BY_BUN.has(name)) {
    throw new TypeError(
      `A page cannot be called "${name}": Bun reads app.${name} as a setting of its server. Rename it; ${NO_PAGE}. ${elsewhere}.`,
    );
  }
}
