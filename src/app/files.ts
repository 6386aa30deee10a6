import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";

import { addPrivacy } from "../http/headers.ts";
import type { AnySession } from "../session/session.ts";
import { refuseUnknown } from "../store/known-options.ts";
import type { MaybePromise } from "../store/maybe-promise.ts";
import { redirect } from "./answers.ts";
import { HttpError } from "./errors.ts";
import type { FoundFile } from "./file-response.ts";
import { respondWithFile } from "./file-response.ts";
import type { AppRequest } from "./request.ts";
import { toPath } from "./request.ts";

/** The options of {@link files}. */
export interface FolderOptions {
  /**
   * The `Cache-Control` of the files: by default `public, max-age=0, must-revalidate`, so that
   * browsers cache them but revalidate before each use. With a guard, `private, no-cache`, which
   * does the same in the visitor's own browser only.
   */
  readonly cacheControl?: string;
  /**
   * Whether to send files and folders whose names begin with a dot; by default only `.well-known`.
   */
  readonly dotfiles?: boolean;
  /**
   * Called before each file, as a page is: with the session, inside middleware. To refuse, throw or
   * return a Response; to let the request pass, return nothing.
   */
  readonly guard?: (request: AppRequest<AnySession>) => MaybePromise<Response | void>;
}

const FOR_ALL = "public, max-age=0, must-revalidate";
const FOR_ONE = "private, no-cache";

/** A folder whose files an app sends, made by {@link files}. */
export class Files {
  readonly #root: string;
  readonly #cacheControl: string;
  readonly #dotfiles: boolean;
  readonly #guard: FolderOptions["guard"];

  constructor(folder: string, options: FolderOptions) {
    refuseUnknown("files()", options, ["cacheControl", "dotfiles", "guard"]);
    const { guard, dotfiles = false, cacheControl = guard ? FOR_ONE : FOR_ALL } = options;
    checkCacheControl(cacheControl, guard !== undefined);
    this.#root = findRoot(folder);
    this.#cacheControl = cacheControl;
    this.#dotfiles = dotfiles;
    this.#guard = guard;
  }

  /** Whether the files are public, so that no session is opened. */
  get isPublic(): boolean {
    return this.#guard === undefined;
  }

  /** The response to GET or HEAD for a path below the folder; `undefined` if there is no such file. */
  respond(request: Request, segments: readonly string[]): MaybePromise<Response | undefined> {
    if (segments.includes("")) return undefined;
    if (!this.#dotfiles && segments.some(isHidden)) return undefined;
    const endsInSlash = toPath(request.url).endsWith("/");
    const found = this.#find(...segments);
    if (found?.isFolder !== true) return endsInSlash ? undefined : this.#send(request, found);
    const index = this.#find(...segments, "index.html");
    return index === undefined || endsInSlash
      ? this.#send(request, index)
      : this.#addSlash(request);
  }

  /**
   * Like {@link respond}, as a page behind the guard.
   *
   * @throws HttpError 404 if there is no such file; what the guard throws.
   */
  async answer(request: AppRequest<AnySession>, segments: readonly string[]): Promise<Response> {
    const refusal: unknown = await this.#guard?.(request);
    if (refusal instanceof Response) return refusal;
    if (refusal !== undefined) {
      throw new TypeError(
        `The guard of ${this.#root} returned ${typeof refusal === "boolean" ? refusal : `a ${typeof refusal}`}. A guard refuses by throwing an HttpError or returning a Response, and returns nothing to let the request pass.`,
      );
    }
    const response = await this.respond(request.raw, segments);
    if (response === undefined) throw new HttpError(404, "Not Found");
    addPrivacy(response.headers);
    return response;
  }

  #send(request: Request, found: Found | undefined): MaybePromise<Response | undefined> {
    if (found === undefined || found.isFolder) return undefined;
    return respondWithFile(request, found, this.#cacheControl);
  }

  /**
   * Redirects to the URL with a slash, because links in a folder's page are relative to that. A
   * relative location is correct behind any proxy and cannot lead to another host.
   */
  #addSlash(request: Request): Response {
    const { url } = request;
    const name = toPath(url).split("/").at(-1) ?? "";
    const query = url.includes("?") ? url.slice(url.indexOf("?")) : "";
    const response = redirect(`./${name}/${query}`, 301);
    response.headers.set("cache-control", this.#cacheControl);
    return response;
  }

  /**
   * The file or folder at a path, unless a symbolic link leads out of this folder. Synchronous, as
   * Bun's own file access is: asynchronous calls take several times as long.
   */
  #find(...segments: readonly string[]): Found | undefined {
    try {
      const path = realpathSync.native(join(this.#root, ...segments));
      if (!isWithin(this.#root, path)) return undefined;
      const found = statSync(path);
      if (!found.isFile() && !found.isDirectory()) return undefined;
      // Bun would notice an unreadable file only while sending it.
      if (found.isFile()) accessSync(path, constants.R_OK);
      return { path, size: found.size, mtimeMs: found.mtimeMs, isFolder: found.isDirectory() };
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

/** A file or folder. Pipes and devices are excluded, because reading them might never end. */
interface Found extends FoundFile {
  readonly isFolder: boolean;
}

/**
 * A folder of static files, as a field of an app or for a {@link routes} pattern that ends in `*`.
 *
 * ```ts
 * assets = files("./public");
 * receipts = files("./receipts", { guard: () => void this.requireLogin() });
 * ```
 *
 * Without a guard, files are public: no session is opened and no middleware runs. A relative path
 * is resolved against the working directory. A folder's own URL shows its `index.html`.
 *
 * @throws TypeError if there is no such folder, and for an unknown or invalid option.
 */
export function files(folder: string, options: FolderOptions = {}): Files {
  return new Files(folder, options);
}

function findRoot(folder: string): string {
  const path = resolve(folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return realpathSync(path);
  throw new TypeError(
    `files("${folder}"): there is no folder ${path}. Create it; or, if the path is relative to the source file and not to the working directory, write files(join(import.meta.dir, "${folder}")).`,
  );
}

function checkCacheControl(value: string, hasGuard: boolean): void {
  if (!/^[\x20-\x7e]+$/.test(value)) {
    throw new TypeError(
      `files(): \`cacheControl\` is ${JSON.stringify(value)}, which cannot be a header's value. Use one such as "public, max-age=31536000, immutable".`,
    );
  }
  if (hasGuard && /\bpublic\b|\bs-maxage\b/i.test(value)) {
    throw new TypeError(
      `files(): \`cacheControl\` is "${value}", which lets caches send these files to visitors whom the guard refuses. Write "private, …".`,
    );
  }
}

/** Whether a name begins with a dot; `.well-known` is meant to be public (RFC 8615). */
function isHidden(name: string): boolean {
  return name.startsWith(".") && name !== ".well-known";
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** The system's error codes that mean that there is no such file. */
const ABSENCES = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && ABSENCES.has(String(error.code));
}
