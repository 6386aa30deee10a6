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

/** How a folder's files are sent. */
export interface FolderOptions {
  /**
   * The `Cache-Control` of its files: `public, max-age=0, must-revalidate` by default, by which browsers keep
   * them and ask each time whether they have changed. With a guard `private, no-cache`, which does so in the visitor's
   * own browser alone.
   */
  readonly cacheControl?: string;
  /** Whether files and folders whose names begin with a dot are sent; only `.well-known` is by default. */
  readonly dotfiles?: boolean;
  /**
   * Called before each file, as a page is: with the session, behind middleware. Refuses by what it throws, or by the
   * Response that it returns; returns nothing to let the request pass.
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

  /** Whether its files are for everybody, so that no session is needed. */
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
   * The same as a page, behind the guard.
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

  /** Links in the page of a folder count from its slash. A relative location holds behind any proxy and on no other host. */
  #addSlash(request: Request): Response {
    const { url } = request;
    const name = toPath(url).split("/").at(-1) ?? "";
    const query = url.includes("?") ? url.slice(url.indexOf("?")) : "";
    const response = redirect(`./${name}/${query}`, 301);
    response.headers.set("cache-control", this.#cacheControl);
    return response;
  }

  /**
   * The file or folder at a path, unless a symbolic link has led out of this folder. Synchronous, as Bun's own look at
   * a file is: by way of other threads it takes several times as long.
   */
  #find(...segments: readonly string[]): Found | undefined {
    try {
      const path = realpathSync.native(join(this.#root, ...segments));
      if (!isWithin(this.#root, path)) return undefined;
      const found = statSync(path);
      if (!found.isFile() && !found.isDirectory()) return undefined;
      // Bun would notice that it may not read a file only when it sends it.
      if (found.isFile()) accessSync(path, constants.R_OK);
      return { path, size: found.size, mtimeMs: found.mtimeMs, isFolder: found.isDirectory() };
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

/** What lies in the folder: no pipe and no device, reading which might never end. */
interface Found extends FoundFile {
  readonly isFolder: boolean;
}

/**
 * A folder whose files an app sends, as one of its fields or for a pattern of {@link routes} that ends in `*`.
 *
 * ```ts
 * assets = files("./public");
 * receipts = files("./receipts", { guard: () => void this.requireLogin() });
 * ```
 *
 * Without a guard its files are sent past the session and middleware. A relative path begins where the program was
 * started. A folder's own URL shows its `index.html`.
 *
 * @throws TypeError if there is no such folder, or an option makes no sense.
 */
export function files(folder: string, options: FolderOptions = {}): Files {
  return new Files(folder, options);
}

function findRoot(folder: string): string {
  const path = resolve(folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return realpathSync(path);
  throw new TypeError(
    `files("${folder}"): there is no folder ${path}. Make it; or, if it lies beside this program's file and not where the program was started, write files(join(import.meta.dir, "${folder}")).`,
  );
}

function checkCacheControl(value: string, hasGuard: boolean): void {
  if (!/^[\x20-\x7e]+$/.test(value)) {
    throw new TypeError(
      `files(): \`cacheControl\` is ${JSON.stringify(value)}. It is a header's value, such as "public, max-age=31536000, immutable".`,
    );
  }
  if (hasGuard && /\bpublic\b|\bs-maxage\b/i.test(value)) {
    throw new TypeError(
      `files(): \`cacheControl\` is "${value}", by which caches would show these files to visitors whom the guard refuses. Write "private, …".`,
    );
  }
}

/** `.well-known` is there to be found by everybody (RFC 8615). */
function isHidden(name: string): boolean {
  return name.startsWith(".") && name !== ".well-known";
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** What the system calls it where there is no file. */
const ABSENCES = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && ABSENCES.has(String(error.code));
}
