import { HttpError } from "./errors.ts";
import type { Files } from "./files.ts";
import type { Middleware } from "./middleware.ts";
import type { DeclaredPage, Handler } from "./pages.ts";
import { PatternTree, splitPath } from "./pattern-tree.ts";
import { joinPatterns } from "./patterns.ts";
import { VERBS } from "./routes.ts";

/** An app in a tree of mounted apps: what its pages need. */
export interface Branch {
  /** `this` of its methods. */
  readonly app: object;
  /** Where it is mounted; `""` for the outermost. */
  readonly prefix: string;
  /** The middleware around its pages, the outermost app's first. */
  readonly chain: readonly Middleware[];
  readonly pages: readonly DeclaredPage[];
  onError(error: HttpError): unknown;
  onReport(error: unknown, request: Request): void;
}

/** Where a request leads: to a page's handler, or to an error if no page answers. */
export interface Match {
  readonly branch: Branch;
  /** The page's pattern; `null` if no page answers. */
  readonly page: string | null;
  readonly handler: Handler;
  /** Whether the page is a socket page, whose handler gets the socket first. */
  readonly isSocket: boolean;
  /** The folder, if the page is a public one: no session is opened for its files. */
  readonly files: Folder | undefined;
  readonly params: readonly string[];
  /** The error, if no page answers. */
  readonly refusal: HttpError | undefined;
  /**
   * The `Allow` header of the response to `OPTIONS`, if the page has no handler for `OPTIONS`: no
   * page is called.
   */
  readonly allow: string | undefined;
}

/** A public folder in the table. */
interface Folder {
  readonly respond: Files["respond"];
  /**
   * The match of a path below the folder that leads to a socket page or into a mounted app, for
   * requests that the folder does not answer; `undefined` if the path is the folder's alone.
   */
  findOther(segments: readonly string[]): Match | undefined;
}

/** A page in the table. */
interface Page {
  readonly pattern: string;
  readonly branch: Branch;
  readonly files: Folder | undefined;
  /** What the page answers: its verbs, or WebSockets. */
  readonly allow: string;
  /** By verb: the match of a path without parameters, shared by all requests. */
  readonly matches: ReadonlyMap<string, Match>;
}

const NO_SEGMENTS: readonly string[] = [];

/** Stands for the verb of a handshake to a socket page. */
const SOCKET = "WebSocket";

/**
 * Maps paths to handlers, for an app and all apps mounted in it. Built once; a name from a request
 * is looked up only here, never on an app.
 */
export class RouteTable {
  readonly #branches: readonly Branch[];
  readonly #pages = new PatternTree<Page>();
  readonly #sockets = new PatternTree<Page>();

  /**
   * `branches` begins with the outermost app.
   *
   * @throws TypeError for two pages that answer the same paths.
   */
  constructor(branches: readonly Branch[]) {
    this.#branches = branches;
    for (const branch of branches) {
      for (const declared of branch.pages) {
        const pattern = joinPatterns(branch.prefix, declared.pattern);
        const files = declared.files && this.#toFolder(declared.files, pattern, branch);
        const page = toPage(pattern, branch, declared, files);
        (declared.socket === undefined ? this.#pages : this.#sockets).add(page);
      }
    }
  }

  /**
   * The match of a request. If no page answers, its `handler` throws HttpError 400, 404, 405 or
   * 426.
   */
  match(method: string, path: string): Match {
    const exact = this.#pages.findExact(path);
    return exact === undefined
      ? this.#matchPattern(method, path)
      : matchPage(exact, method, NO_SEGMENTS);
  }

  #matchPattern(method: string, path: string): Match {
    return this.#search(path, (segments) => {
      const found = this.#pages.find(segments);
      return found === undefined
        ? this.#refuseSocketPage(segments)
        : matchPage(found.page, method, found.params);
    });
  }

  /** The match of an ordinary request to a socket page. */
  #refuseSocketPage(segments: readonly string[]): Match | undefined {
    const socket = this.#sockets.find(segments);
    return socket && refuse(socket.page.branch, onlyForSockets());
  }

  /**
   * The match of a handshake. If the path has no socket page, the handshake is a request like any
   * other: servers may ignore `Upgrade` (RFC 9110, 7.8).
   */
  matchHandshake(path: string): Match {
    const match = this.#search(path, (segments) => {
      const found = this.#sockets.find(segments);
      return found && matchPage(found.page, SOCKET, found.params);
    });
    return match.isSocket ? match : this.match("GET", path);
  }

  /** Whether there is any socket page. */
  get hasSockets(): boolean {
    return this.#sockets.pages.length > 0;
  }

  /** The HTML imports, by the paths of their pages. */
  listHtmlImports(): Record<string, Bun.HTMLBundle> {
    const pages = this.#branches.flatMap(({ prefix, pages: declared }) =>
      declared.flatMap(({ pattern, html }) =>
        html === undefined ? [] : [[joinPatterns(prefix, pattern), html] as const],
      ),
    );
    return Object.fromEntries(pages);
  }

  /** The outermost app. */
  get branch(): Branch {
    return this.#branches[0] as Branch;
  }

  /** The patterns of all pages. */
  listPatterns(): readonly string[] {
    return this.#all.map(({ pattern }) => pattern);
  }

  /** A line for each page, for the start-up message. */
  listLines(): string[] {
    const width = Math.max(0, ...this.#all.map(({ pattern }) => pattern.length));
    return this.#all.map(({ pattern, allow }) => `  ${pattern.padEnd(width)}  ${allow}`);
  }

  /**
   * The full patterns of the page that a method or field declares: one, or several for `routes()`.
   * If the same class is mounted twice, those of the asking app.
   */
  findPatterns(app: object, source: unknown): readonly string[] {
    const declare = (branch: Branch): string[] =>
      branch.pages
        .filter((page) => page.source === source)
        .map((page) => joinPatterns(branch.prefix, page.pattern));
    const own = this.#branches.filter((branch) => branch.app === app).flatMap(declare);
    return own.length > 0 ? own : this.#branches.flatMap(declare);
  }

  get #all(): readonly Page[] {
    return [...this.#pages.pages, ...this.#sockets.pages];
  }

  #search(path: string, find: (segments: readonly string[]) => Match | undefined): Match {
    let segments = NO_SEGMENTS;
    try {
      segments = splitPath(path);
      return find(segments) ?? this.#refuse(notFound(), segments);
    } catch (error) {
      // `splitPath` and `find` throw nothing else.
      return this.#refuse(error as HttpError, segments);
    }
  }

  /** The match of a path that leads to no page, in the innermost app that the path is below. */
  #refuse(error: HttpError, segments: readonly string[]): Match {
    return refuse(this.#findInnermost(segments), error);
  }

  #findInnermost(segments: readonly string[]): Branch {
    const path = `/${segments.join("/")}/`;
    const around = this.#branches.filter(({ prefix }) => path.startsWith(`${prefix}/`));
    return around.reduce((one, other) => (other.prefix.length > one.prefix.length ? other : one));
  }

  #toFolder(files: Files, pattern: string, branch: Branch): Folder {
    const place = splitPath(pattern).slice(0, -1);
    return {
      respond: (request, segments) => files.respond(request, segments),
      findOther: (segments) => {
        const path = [...place, ...segments];
        const owner = this.#findInnermost(path);
        return (
          this.#refuseSocketPage(path) ?? (owner === branch ? undefined : refuse(owner, notFound()))
        );
      },
    };
  }
}

function toPage(
  pattern: string,
  branch: Branch,
  declared: DeclaredPage,
  files: Folder | undefined,
): Page {
  const { handlers, socket } = declared;
  const toMatch = (handler: Handler): Match => ({
    branch,
    page: pattern,
    handler,
    isSocket: socket !== undefined,
    files,
    params: NO_SEGMENTS,
    refusal: undefined,
    allow: undefined,
  });
  if (socket !== undefined) {
    return {
      pattern,
      branch,
      files,
      allow: SOCKET,
      matches: new Map([[SOCKET, toMatch(socket as Handler)]]),
    };
  }
  const verbs = new Map(handlers);
  const get = verbs.get("GET");
  if (get !== undefined && !verbs.has("HEAD")) verbs.set("HEAD", get);
  const allow = VERBS.filter((verb) => verbs.has(verb) || verb === "OPTIONS").join(", ");
  const matches = new Map([...verbs].map(([verb, handler]) => [verb, toMatch(handler)]));
  return { pattern, branch, files, allow, matches };
}

function matchPage(page: Page, method: string, params: readonly string[]): Match {
  const match = page.matches.get(method);
  if (match !== undefined) return params.length === 0 ? match : addParams(match, params);
  const other = page.files?.findOther(params);
  if (other !== undefined) return other;
  const error = new HttpError(405, `${method} is not allowed here.`, {
    headers: { allow: page.allow },
  });
  const refused = refuse(page.branch, error);
  return method === "OPTIONS" ? { ...refused, allow: page.allow } : refused;
}

/** Spelled out, because spreading the match takes 0.1 µs longer. */
function addParams(match: Match, params: readonly string[]): Match {
  const { branch, page, handler, isSocket, files, refusal, allow } = match;
  return { branch, page, handler, isSocket, files, params, refusal, allow };
}

/** The match of a request for a file that its folder does not have. */
export function refuseMissing({ branch, files, params }: Match): Match {
  return files?.findOther(params) ?? refuse(branch, notFound());
}

function refuse(branch: Branch, refusal: HttpError): Match {
  const handler = (): never => {
    throw refusal;
  };
  return {
    branch,
    page: null,
    handler,
    isSocket: false,
    files: undefined,
    params: NO_SEGMENTS,
    refusal,
    allow: undefined,
  };
}

/** The error of an ordinary request to a socket page (RFC 9110, 15.5.22). */
function onlyForSockets(): HttpError {
  return new HttpError(426, "This page is only for WebSockets.", {
    headers: { upgrade: "websocket" },
  });
}

function notFound(): HttpError {
  return new HttpError(404, "Not Found");
}
